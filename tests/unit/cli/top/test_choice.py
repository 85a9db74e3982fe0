"""What keys choose at `farthing top`."""

from __future__ import annotations

from functools import reduce

import pytest

from farthing.cli.top.choice import LONGEST, Choice


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", Choice()),
        ("m", Choice(only="models")),
        ("mt", Choice(only="teams")),
        ("ea", Choice()),
        ("rx?", Choice(only="requests")),
        ("t/sup", Choice(only="teams", text="sup", is_typing=True)),
        ("/sup\nm", Choice(only="models", text="sup")),
        ("/ab\x7fc\b\r", Choice(text="a")),
        ("/a\x1bm", Choice(only="models")),
        ("/a\n\x1b", Choice()),
        ("/a\n/b\n", Choice(text="ab")),
        ("/\t\ufffd \n", Choice(text=" ")),
        ("/" + "x" * 99, Choice(text="x" * LONGEST, is_typing=True)),
    ],
)
def test_keys_choose(keys: str, expected: Choice) -> None:
    """A table by its letter, all by `a`; after `/` letters are a text, which Enter keeps and Escape drops."""
    assert reduce(Choice.after, keys, Choice()) == expected


def test_no_key_changes_nothing() -> None:
    """Whether or not a text is typed."""
    for choice in (Choice(only="teams"), Choice(text="a", is_typing=True)):
        assert choice.after("") == choice


def test_a_row_is_shown_by_any_cell() -> None:
    """Whatever the case; an empty text shows every row."""
    assert Choice(text="SMA").shows(["x", "demo/small"])
    assert not Choice(text="large").shows(["x", "demo/small"])
    assert Choice().shows(["x"])
