"""Answers and rows of the ledger are compared one by one."""

import pytest

from benchmarks.scenario.ledger import compare


@pytest.mark.parametrize(
    ("answered", "rows", "missing", "doubled"),
    [
        (["a", "b"], ["b", "a"], [], []),
        (["a", "b"], ["b", "a", "c"], [], []),
        (["a", "b", "c"], ["b"], ["a", "c"], []),
        (["a"], ["a", "a"], [], ["a"]),
        (["a", "a"], ["a"], [], ["a"]),
    ],
)
def test_every_answer_needs_its_one_row(
    answered: list[str], rows: list[str], missing: list[str], doubled: list[str]
) -> None:
    """A missing row, a doubled one and an id given out twice are named; rows of others do not matter."""
    finding = compare(answered, rows)
    assert (finding.answered, finding.rows) == (len(answered), len(rows))
    assert (finding.missing, finding.doubled) == (missing, doubled)
    assert finding.is_good == (not missing and not doubled)


def test_what_is_missing_is_told() -> None:
    """Some of the ids stand in the line for people."""
    assert "1 without a row ['a']" in compare(["a"], []).told()
    assert "1 questions were answered, and each has its row" in compare(["a"], ["a"]).told()


def test_no_answer_at_all_is_no_success() -> None:
    """A run in which nothing was answered proves nothing."""
    assert not compare([], []).is_good
