"""A model of MiniLM's kind that is small enough to be worked out by hand, and such a working out."""

from __future__ import annotations

import json
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "blue", "un", "##red", "##s", "!", "5", "$", "北"]
DIMENSIONS, HEAD, INNER, PLACES, LAYERS = 64, 32, 128, 160, 2
EPSILON = 1e-12


def tiny(folder: Path) -> dict[str, NDArray[Any]]:
    """Writes a model of two layers and two heads, drawn by chance, and returns its weights."""
    random = np.random.default_rng(7)

    def drawn(*shape: int) -> NDArray[Any]:
        return random.normal(size=shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": drawn(len(PIECES), DIMENSIONS),
        "embeddings.position_embeddings.weight": drawn(PLACES, DIMENSIONS) / 4,
        "embeddings.token_type_embeddings.weight": drawn(2, DIMENSIONS) / 4,
        **_norm("embeddings.LayerNorm", drawn),
    }
    for layer in range(LAYERS):
        stem = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= _affine(f"{stem}.attention.{part}", drawn(DIMENSIONS, DIMENSIONS), drawn(DIMENSIONS))
        weights |= _affine(f"{stem}.intermediate.dense", drawn(INNER, DIMENSIONS), drawn(INNER))
        weights |= _affine(f"{stem}.output.dense", drawn(DIMENSIONS, INNER), drawn(DIMENSIONS))
        weights |= _norm(f"{stem}.attention.output.LayerNorm", drawn) | _norm(f"{stem}.output.LayerNorm", drawn)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(packed(weights))
    return weights


def packed(weights: dict[str, NDArray[Any]]) -> bytes:
    """The weights as a file of safetensors, with a tensor of numbers that are none of the model's."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in {**weights, "embeddings.position_ids": np.arange(4)}.items():
        raw = values.tobytes()
        kind = "F32" if values.dtype == np.float32 else "I64"
        head[name] = {"dtype": kind, "shape": values.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + data


def worked_out(weights: dict[str, NDArray[Any]], tokens: list[int]) -> NDArray[Any]:
    """What the model says of these tokens, in plain arithmetic."""
    found = weights["embeddings.word_embeddings.weight"][tokens]
    found = found + weights["embeddings.position_embeddings.weight"][: len(tokens)]
    found = _normed(weights, "embeddings.LayerNorm", found + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(LAYERS):
        stem = f"encoder.layer.{layer}"
        query, key, value = (
            _times(weights, f"{stem}.attention.self.{part}", found).reshape(len(tokens), -1, HEAD).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        alike = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(HEAD))
        looked = (alike / alike.sum(axis=2, keepdims=True)) @ value
        looked = looked.transpose(1, 0, 2).reshape(len(tokens), -1)
        looked = _times(weights, f"{stem}.attention.output.dense", looked)
        found = _normed(weights, f"{stem}.attention.output.LayerNorm", found + looked)
        inner = _times(weights, f"{stem}.intermediate.dense", found)
        inner = inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2
        found = _normed(weights, f"{stem}.output.LayerNorm", found + _times(weights, f"{stem}.output.dense", inner))
    mean = found.mean(axis=0)
    unit: NDArray[Any] = mean / np.linalg.norm(mean)
    return unit


def _affine(stem: str, weight: NDArray[Any], bias: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {f"{stem}.weight": (weight / np.sqrt(weight.shape[1])).astype(np.float32), f"{stem}.bias": bias / 4}


def _norm(stem: str, drawn: Any) -> dict[str, NDArray[Any]]:
    return {f"{stem}.weight": 1 + drawn(DIMENSIONS) / 4, f"{stem}.bias": drawn(DIMENSIONS) / 4}


def _times(weights: dict[str, NDArray[Any]], stem: str, entered: NDArray[Any]) -> NDArray[Any]:
    product: NDArray[Any] = entered @ weights[f"{stem}.weight"].T + weights[f"{stem}.bias"]
    return product


def _normed(weights: dict[str, NDArray[Any]], stem: str, entered: NDArray[Any]) -> NDArray[Any]:
    apart = entered - entered.mean(axis=1, keepdims=True)
    scaled = apart / np.sqrt((apart**2).mean(axis=1, keepdims=True) + EPSILON)
    normed: NDArray[Any] = scaled * weights[f"{stem}.weight"] + weights[f"{stem}.bias"]
    return normed
