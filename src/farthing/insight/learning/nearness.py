"""Which prompts stand for all that were rated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from farthing.domain.routing.learning.encoder import meaning
from farthing.domain.routing.learning.nearness import Nearness
from farthing.domain.routing.learning.reading import Reading
from farthing.insight.learning.priors import prior

LANDMARKS = 512
_SEED = 20_240_602
_AT_ONCE = 4_096
"""Prompts whose cosines are held in memory."""


def nearness_of(readings: Sequence[Reading], rated: NDArray[Any]) -> Nearness:
    """`rated` is prompts by models, how much an answer counts, 0 where none was rated."""
    many = prior()
    pieces = [reading.pieces for reading in readings]
    chosen = np.random.default_rng(_SEED).permutation(len(pieces))[:LANDMARKS]
    vectors = many.vocabulary.vectors
    found = Nearness(
        rarity=many.piece_rarity,
        vectors=vectors,
        centre=many.centre,
        meanings=meaning([pieces[row] for row in chosen], many.piece_rarity, vectors, many.centre),
        rated=np.zeros((len(chosen), rated.shape[1]), dtype=np.float32),
    )
    counted = found.rated.copy()
    for start in range(0, len(pieces), _AT_ONCE):
        nearest = found.alike(pieces[start : start + _AT_ONCE]).argmax(axis=1)
        np.add.at(counted, nearest, rated[start : start + _AT_ONCE])
    return replace(found, rated=counted)
