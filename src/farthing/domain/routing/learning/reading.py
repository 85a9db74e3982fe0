"""What is read of a prompt once, whatever predictor it is for: its terms, pieces and traits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from farthing.domain.routing.learning.terms import excerpt, places_of, tokens_of
from farthing.domain.routing.learning.traits import traits_of
from farthing.domain.routing.learning.vocabulary import Vocabulary


class Reading(NamedTuple):
    """One prompt."""

    places: Sequence[int]
    """Of its terms in the table, repeated as they are."""
    pieces: Sequence[int]
    """Rows of the vocabulary, repeated as they are."""
    traits: Sequence[float]
    """By `traits.NAMES`."""


def read(text: str, vocabulary: Vocabulary) -> Reading:
    """All that predictors know of a text."""
    text = excerpt(text)
    tokens = tokens_of(text)
    pieces = vocabulary.pieces_of(tokens)
    return Reading(places_of(tokens), pieces, traits_of(text, tokens, pieces))
