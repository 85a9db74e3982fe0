"""Prompts as matrices: what an encoder is made of, and what it makes of all prompts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy import sparse

from farthing.domain.routing.learning.encoder import Encoder, likeness
from farthing.domain.routing.learning.reading import Reading
from farthing.domain.routing.learning.terms import PLACES
from farthing.domain.routing.learning.vocabulary import Vocabulary

LANDMARKS = 512
"""Prompts that stand for all: more of them gain little and make each decision longer."""
_SEED = 20_240_601
_FEWEST_PROMPTS = 2
"""A term that fewer prompts have tells nothing of another."""
_SMALLEST_SPREAD = 1e-3
_RIDGE = 1e-4
"""Keeps landmarks that are nearly the same from cancelling each other."""


@dataclass(frozen=True)
class Design:
    """Prompts as an encoder sees them: the product of two rows of a block is how like two prompts are."""

    terms: Any
    """float32, sparse, prompts by terms that occur."""
    used: NDArray[Any]
    """int64, places of these terms in the encoder's table."""
    alike: tuple[NDArray[Any], ...]
    """float32, each prompts by landmarks: in traits, in meaning, and in embedding where there is one."""
    numbers: NDArray[Any]
    """float32, prompts by traits and dimensions of meaning."""
    turns: tuple[NDArray[Any], ...]
    """Landmarks by landmarks: likeness to them times this is what stands in `alike`."""


def encoder_of(readings: Sequence[Reading], vocabulary: Vocabulary, embeddings: NDArray[Any] | None = None) -> Encoder:
    """What these prompts are like; `embeddings` are prompts by dimensions."""
    count = len(readings)
    traits = np.array([reading.traits for reading in readings], dtype=np.float32)
    pieces = [reading.pieces for reading in readings]
    with_place = _prompts_with([reading.places for reading in readings], PLACES)
    draft = Encoder(
        rarity=np.where(with_place >= _FEWEST_PROMPTS, _rarity(with_place, count), np.float32(0)),
        piece_rarity=_rarity(_prompts_with(pieces, len(vocabulary.vectors)), count),
        vectors=vocabulary.vectors,
        means=traits.mean(axis=0),
        scales=1 / np.maximum(traits.std(axis=0), np.float32(_SMALLEST_SPREAD)),
        centre=np.zeros(vocabulary.vectors.shape[1], dtype=np.float32),
        traits=traits[:0],
        meanings=traits[:0],
    )
    centred = replace(draft, centre=draft.meaning(pieces).mean(axis=0))
    chosen = np.random.default_rng(_SEED).permutation(count)[:LANDMARKS]
    meanings = centred.meaning([pieces[row] for row in chosen])
    return replace(
        centred,
        traits=centred.standard(traits[chosen]),
        meanings=meanings,
        embeddings=None if embeddings is None else embeddings[chosen],
    )


def design_of(readings: Sequence[Reading], encoder: Encoder, embeddings: NDArray[Any] | None = None) -> Design:
    """These prompts as the encoder sees them, with their embeddings if it reads any."""
    rows = [encoder.terms(reading) for reading in readings]
    places = np.concatenate([places for places, _ in rows])
    used, columns = np.unique(places, return_inverse=True)
    starts = np.cumsum([0, *(len(places) for places, _ in rows)])
    weights = np.concatenate([weights for _, weights in rows])
    terms = sparse.csr_array((weights, columns, starts), shape=(len(rows), len(used)))
    traits = np.array([reading.traits for reading in readings], dtype=np.float32)
    meanings = encoder.meaning([reading.pieces for reading in readings])
    pairs = [(encoder.standard(traits), encoder.traits), (meanings, encoder.meanings)]
    if embeddings is not None and encoder.embeddings is not None:
        pairs.append((embeddings, encoder.embeddings))
    turns = tuple(_turn(landmarks) for _, landmarks in pairs)
    return Design(
        terms=terms,
        used=used,
        alike=tuple(likeness(*pair) @ turn for pair, turn in zip(pairs, turns, strict=True)),
        numbers=np.concatenate((traits, meanings), axis=1),
        turns=turns,
    )


def _turn(landmarks: NDArray[Any]) -> NDArray[Any]:
    """K^-½ of the landmarks' likeness K (Williams and Seeger 2000, Nyström)."""
    values, vectors = np.linalg.eigh(likeness(landmarks, landmarks).astype(np.float64))
    turned: NDArray[Any] = (vectors / np.sqrt(np.maximum(values, 0) + _RIDGE)).astype(np.float32)
    return turned


def _prompts_with(rows: Sequence[Sequence[int]], size: int) -> NDArray[Any]:
    """How many rows hold each number below `size`."""
    once = [np.array(sorted(set(row)), dtype=np.int64) for row in rows]
    return np.bincount(np.concatenate(once), minlength=size)


def _rarity(prompts: NDArray[Any], count: int) -> NDArray[Any]:
    """1 + ln((1 + count) / (1 + prompts)), float32."""
    found: NDArray[Any] = (1 + np.log((1 + count) / (1 + prompts))).astype(np.float32)
    return found
