"""The sieve before the database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farthing.store.sieve import Sieve


@given(st.sets(st.text()))
def test_what_was_added_is_never_lacking(keys: set[str]) -> None:
    """A sieve may let strangers pass, but holds no friend back."""
    sieve = Sieve()
    for key in keys:
        sieve.add(key)
    assert not [key for key in keys if sieve.lacks(key)]


def test_strangers_hardly_ever_pass() -> None:
    """Of a hundred thousand beside a hundred thousand, eleven are to be expected."""
    sieve = Sieve()
    for number in range(100_000):
        sieve.add(f"friend {number}")
    assert sum(not sieve.lacks(f"stranger {number}") for number in range(100_000)) <= 40


def test_an_empty_sieve_lacks_everything() -> None:
    """Even the empty text."""
    assert Sieve().lacks("")
