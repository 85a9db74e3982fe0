"""What a stream has said is known after each of its pieces, within what one of them weighs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.gauge import BATCH, SHORT, THOUSAND, Gauge, tokens
from farthing.domain.tokens import estimate, weigh

PROSE = (
    "An event loop waits for many things at once and runs whatever has become ready. It never runs two of them at the "
    "same time: each gives way when it has to wait, and only then is it the turn of another. So 10,000 connections "
    "need one thread, not 10,000, and what they share needs no lock.\n\nThe price is that nothing may take long. A "
    "single call that computes for 200 ms keeps everybody waiting, and one that blocks on a disk does so as well.\n\n"
    "1. Start the loop.\n2. Hand it the first task.\n3. Let every task wait with `await`, never by sleeping.\n\n"
)
PIECES = re.findall(r"\s?\w+|\W", PROSE)
ENDS = {1, 3, 7, 15, *range(31, 1_000, BATCH)}


def exact(*texts: str) -> int:
    """What they weigh, each by itself."""
    return sum(round(weigh(text) * THOUSAND) for text in texts)


def test_a_token_counts_as_soon_as_it_is_said() -> None:
    """After every word of prose it is what a stream is charged for whose client has left, give or take one."""
    gauge, said = Gauge(), ""
    for piece in PIECES:
        said += piece
        assert abs(tokens(gauge.add(piece)) - estimate(said)) <= 1, said
    assert len(PIECES) == 135


@given(st.lists(st.text("ab ,.7é漢🙂", min_size=1, max_size=SHORT), max_size=70))
def test_short_texts_weigh_what_they_weigh_alone(texts: list[str]) -> None:
    """Whichever they are, and however many."""
    gauge = Gauge()
    for number, text in enumerate(texts, 1):
        assert gauge.add(text) == gauge.weight == exact(*texts[:number])


@given(st.lists(st.text("ab ,.7é漢🙂", min_size=SHORT + 1), max_size=70))
def test_of_long_texts_nothing_is_guessed_once_a_batch_is_full(texts: list[str]) -> None:
    """Then all was weighed, in batches that grow up to their size, and their sum is the weight."""
    gauge = Gauge()
    known, batch = 0, list[str]()
    for number, text in enumerate(texts, 1):
        weight = gauge.add(text)
        batch.append(text)
        if number in ENDS:
            known += exact("".join(batch))
            batch.clear()
            assert weight == known
        assert weight == gauge.weight >= known


def test_long_texts_are_off_by_less_than_one_of_them() -> None:
    """Prose in pieces of thirty characters, at each of them."""
    gauge, said = Gauge(), ""
    for start in range(0, len(PROSE), 30):
        piece = PROSE[start : start + 30]
        said += piece
        assert abs(gauge.add(piece) - exact(said)) < THOUSAND * len(piece) / 4, said


def test_a_long_text_is_guessed_by_the_batch_before() -> None:
    """By its length: the second one by the first."""
    gauge = Gauge()
    first, second = "1, 2, 3, 4, 5, 6", "as many as there are"
    assert gauge.add(first) == exact(first)
    assert gauge.add(second) == exact(first) + len(second) * (exact(first) // len(first))


def test_a_part_of_a_token_is_one() -> None:
    """As an estimate rounds up."""
    assert [tokens(weight) for weight in (0, 1, 999, 1_000, 1_001)] == [0, 1, 1, 1, 2]
