"""Recorded outcomes are read whole, or refused with the line and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.insight.learning.labels import (
    FOLDS,
    BadLabels,
    Labelled,
    Outcome,
    believed,
    fold_of,
    read_labels,
    tenth_of,
)
from farthing.ports import Source
from farthing.ports.learning import Rated

GOOD = '{"id": "c7565e39d20c47f7", "dataset": "d", "subset": "s", "prompt": "p", "models": {"m": {"quality": 1}}}'
WHOLE = (
    '{"prompt": "p", "models": {"m": {"quality": 0.5, "cost_usd": 0.25, "response": "r", "weight": 0.5}}, "other": 1}'
)


def written(folder: Path, text: str) -> Path:
    """A file of these lines."""
    path = folder / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_read_from_plain_and_gzipped_files(tmp_path: Path) -> None:
    """The same rows, whichever it is; empty lines and a byte order mark do not matter."""
    plain = written(tmp_path, f"\ufeff{GOOD}\n\n{WHOLE}\n")
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    rows = read_labels(plain)
    assert rows == read_labels(packed)
    assert rows == [
        Labelled(prompt="p", outcomes={"m": Outcome(1.0)}, id="c7565e39d20c47f7", dataset="d", subset="s"),
        Labelled(prompt="p", outcomes={"m": Outcome(0.5, 0.25, "r", 0.5)}, id="148de9c5a7a44d19"),
    ]
    assert [row.task for row in rows] == ["d/s", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rows.jsonl holds no rows: expected one JSON object a line, with prompt and models"),
        (f"{GOOD}\nnonsense", "rows.jsonl line 2 is not JSON: "),
        (f"{GOOD}\n\n[]", "rows.jsonl line 3: Expected `object`, got `array`; expected prompt and models"),
        ('{"prompt": "p"}', "rows.jsonl line 1: Object missing required field `models`"),
        ('{"prompt": "p", "models": {}}', "rows.jsonl line 1: models is empty; give the quality of at least one"),
        ('{"prompt": "p", "models": {"m": {}}}', "rows.jsonl line 1: Object missing required field `quality`"),
        (
            '{"prompt": "p", "models": {"m": {"quality": 7}}}',
            "rows.jsonl line 1: the quality of m is 7; scale it to 0..1",
        ),
        (
            '{"prompt": "p", "models": {"m": {"quality": 0, "cost_usd": -1}}}',
            "rows.jsonl line 1: cost_usd of m is -1; give dollars from 0, or leave it out",
        ),
        (
            '{"prompt": "p", "models": {"m": {"quality": 0, "weight": 0}}}',
            "rows.jsonl line 1: the weight of m is 0; give one above 0 and up to 1",
        ),
        ('{"prompt": 1, "models": {"m": {"quality": 1}}}', "rows.jsonl line 1: Expected `str`, got `int`"),
        ('{"prompt": "p", "models": {"m": {"quality": NaN}}}', "rows.jsonl line 1 is not JSON: "),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    """With its number, what is wrong and what to do."""
    with pytest.raises(BadLabels) as caught:
        read_labels(written(tmp_path, text))
    assert str(caught.value).startswith(said)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """As any other line that is not JSON."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"prompt": "\xff", "models": {"m": {"quality": 1}}}')
    with pytest.raises(BadLabels, match=r"rows.jsonl line 1 is not JSON"):
        read_labels(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Whether it is missing, a folder, or cut off in the middle."""
    with pytest.raises(BadLabels, match=r"none.jsonl cannot be read: No such file or directory"):
        read_labels(tmp_path / "none.jsonl")
    with pytest.raises(BadLabels, match=r"cannot be read: Is a directory"):
        read_labels(tmp_path)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(GOOD.encode())[:-12])
    with pytest.raises(BadLabels, match=r"cut.gz cannot be read: it is no whole gzip file"):
        read_labels(cut)


def test_a_fold_is_told_by_the_id() -> None:
    """By the first eight hexadecimal digits modulo five, as published splits do it."""
    assert [fold_of(row_id) for row_id in ("c7565e39d20c47f7", "256c51813e28c205", "00000007")] == [1, 0, 2]


def test_a_tenth_is_told_by_other_digits() -> None:
    """Rows of one fold are in all tenths."""
    assert [tenth_of(f"00000000{digits:08x}") for digits in (3, 10, 0x1F)] == [3, 0, 1]


@given(st.text())
def test_every_id_has_a_fold_and_a_tenth(row_id: str) -> None:
    """Also one that holds no hexadecimal digits."""
    assert 0 <= fold_of(row_id) < FOLDS
    assert 0 <= tenth_of(row_id) < 10


def rated(number: int, model: str, source: Source) -> Rated:
    """An answer."""
    return Rated(f"Question {number}?", model, 0.25, None, number, source)


def test_no_model_has_more_answers_asked_again_than_rated_ones() -> None:
    """The newest of them, and none where nobody has rated: they tell of bad answers only."""
    said = [rated(1, "small", "explicit"), rated(2, "large", "judge")]
    again = [rated(number, model, "implicit") for number in (3, 4) for model in ("small", "large", "unrated")]
    assert believed([*again, *said]) == [*again[3:5], *said]


def test_nothing_is_guessed_of_models_that_nobody_has_rated() -> None:
    """And no guess makes room for what was only asked again."""
    said, again = rated(1, "small", "explicit"), rated(2, "small", "implicit")
    guesses = [replace(rated(number, model, "explicit"), is_guess=True) for number, model in ((3, "small"), (4, "new"))]
    assert believed([again, *guesses, said]) == [again, guesses[0], said]
    assert believed([again, again, guesses[0], said]) == [again, guesses[0], said]
