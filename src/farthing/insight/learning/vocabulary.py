"""The table of pieces of words that comes with the package, and how its file is written."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.domain.routing.learning.vocabulary import Vocabulary

FILE = "vocabulary.npz"
"""Beside this module: `pieces`, UTF-8 with a line for each, and `vectors`, int8, pieces by dimensions."""


@cache
def vocabulary() -> Vocabulary:
    """The table, read once."""
    return unpacked(files(__package__).joinpath(FILE).read_bytes())


def unpacked(raw: bytes) -> Vocabulary:
    """The table that a file holds."""
    with np.load(BytesIO(raw)) as file:
        pieces = file["pieces"].tobytes().decode().split("\n")
        return Vocabulary({piece: number for number, piece in enumerate(pieces)}, file["vectors"])


def packed(pieces: list[str], vectors: NDArray[Any]) -> bytes:
    """A file of the pieces and their vectors."""
    buffer = BytesIO()
    np.savez_compressed(buffer, pieces=np.frombuffer("\n".join(pieces).encode(), dtype=np.uint8), vectors=vectors)
    return buffer.getvalue()
