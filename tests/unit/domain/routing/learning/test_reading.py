"""What is read of a prompt before anything is foretold of it."""

from __future__ import annotations

from math import log1p
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.learning.reading import read
from farthing.domain.routing.learning.terms import PLACES, excerpt, places_of, tokens_of
from farthing.domain.routing.learning.traits import NAMES, traits_of
from farthing.domain.routing.learning.vocabulary import Vocabulary

PIECES = ["is", "rain", "##bow", "##s", "wet", "?"]
VOCABULARY = Vocabulary(
    {piece: number for number, piece in enumerate(PIECES)}, np.ones((len(PIECES), 2), dtype=np.int8)
)


def trait(name: str, text: str) -> float:
    """One trait of a text."""
    tokens = tokens_of(text)
    return dict(zip(NAMES, traits_of(text, tokens, VOCABULARY.pieces_of(tokens)), strict=True))[name]


def test_tokens_are_words_numbers_and_signs() -> None:
    """Words come in lower case, a number with its commas is one token, each sign and each row of blanks is one."""
    assert tokens_of("Don't pay $1,200.50 ___ (ÉTÉ)!") == ["don't", "pay", "$", "1,200.50", "___", "(", "été", ")", "!"]


def test_a_number_counts_as_its_number_of_digits() -> None:
    """17 and 42 are the same term, 170 is another."""
    assert places_of(["17"]) == places_of(["42"]) != places_of(["170"])


def test_terms_are_tokens_and_pairs_of_them() -> None:
    """Three tokens make three places and two for the pairs, whose order counts."""
    mask = PLACES - 1
    assert places_of(["a", "b", "a"]) == [
        crc32(b"a") & mask,
        crc32(b"b") & mask,
        crc32(b"a") & mask,
        crc32(b"b", crc32(b"a")) & mask,
        crc32(b"a", crc32(b"b")) & mask,
    ]


def test_of_a_long_text_both_ends_are_read() -> None:
    """Beyond 8,192 characters the middle is left out."""
    text = "a" * 5_000 + "b" * 5_000
    assert excerpt(text) == f"{'a' * 4_096}\n{'b' * 4_096}"
    assert excerpt(text[:8_192]) == text[:8_192]


def test_a_word_is_split_into_the_longest_pieces() -> None:
    """What is not in the table as a whole is taken apart from its beginning."""
    assert VOCABULARY.pieces_of(["rainbows", "wet"]) == [1, 2, 3, 4]


def test_what_fits_no_piece_is_left_out() -> None:
    """Letters that begin no piece are passed over; a word of more than 40 letters is no word."""
    assert VOCABULARY.pieces_of(["xrain", "s", "wet" * 14]) == []
    assert VOCABULARY.pieces_of(["rainxs"]) == [1, 3]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("characters", "four", log1p(4)),
        ("words", "two words 3", log1p(2)),
        ("word length", "ab abcd", 3.0),
        ("numbers", "1 and 1 and 2", log1p(3)),
        ("different numbers", "1 and 1 and 2", log1p(2)),
        ("largest number", "from 12 to 1,500.7", log1p(1500)),
        ("decimals", "1.5 and 2", log1p(1)),
        ("percent signs", "5% of 10%", log1p(2)),
        ("options", "Which?\nA. one\nB. three", log1p(2)),
        ("option length", "Which?\nA. one\nB. three", log1p(4)),
        ("longest option", "Which?\nA. one\nB. three", log1p(5)),
        ("stem", "Which?\nA. one\nB. three", log1p(22 - 8)),
        ("capitals", "ABcd", 0.5),
        ("blanks", "a ___ of", log1p(1)),
        ("different words", "the cat the dog", 0.75),
        ("sentences", "One. Two? Three!", log1p(3)),
        ("ends in a question", "Why? ", 1.0),
        ("ends in a question", "Why? Because.", 0.0),
        ("letters beyond ASCII", "été", log1p(2)),
        ("negation", "not never no", log1p(3)),
        ("pieces of a word", "rainbows wet", 2.0),
        ("rareness", "rain", log1p(1_000)),
        ("largest number", "²", 0.0),
    ],
)
def test_traits(name: str, text: str, value: float) -> None:
    """Each trait tells what its name says; counts as the logarithm of one more."""
    assert trait(name, text) == pytest.approx(value, abs=1e-12)


def test_rareness_is_told_of_the_ranks_of_pieces() -> None:
    """The first thousand, which are the encoder's own marks and `!`, have no say in it."""
    traits = dict(zip(NAMES, traits_of("", [], [5, 2_000, 3_000]), strict=True))
    assert traits["rareness"] == pytest.approx((log1p(2_000) + log1p(3_000)) / 2)
    assert traits["rarest words"] == pytest.approx(log1p(3_000))


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """Every trait of it is a finite number, and every place stands in the table."""
    reading = read(text, VOCABULARY)
    assert np.isfinite(reading.traits).all()
    assert all(0 <= place < PLACES for place in reading.places)
