"""Variants of the check of first answers, as `benchmarks.routing.checks` compares them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from benchmarks.routing.checks import RIDGES, line, remembered, variants
from farthing.insight.evaluation.evaluating import Standing
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.routers import BASELINES, Fitted
from farthing.insight.learning.labels import Labelled
from tests.unit.insight.evaluation.outcomes import halves

EXPECTED = np.tile([0.5, 1.0], (40, 1))


def answered() -> list[Labelled]:
    """Forty prompts with answers of the cheap model: a sum that comes out where it is right."""
    rows = []
    for row in halves(40):
        cheap = row.outcomes["a"]
        said = replace(cheap, response=f"1 + 1 = {2 if cheap.quality else 3}")
        rows.append(replace(row, outcomes={**row.outcomes, "a": said}))
    return rows


@pytest.mark.parametrize("name", [f"ridge {ridge}" for ridge in RIDGES])
def test_a_check_reads_what_the_answer_says(name: str) -> None:
    """The smaller its ridge, the more it trusts it."""
    rows = answered()
    found = variants()[name](rows, ("a", "b"), "a", EXPECTED).revise(rows, EXPECTED)
    assert (found[:5, 0] > 0.5).all()
    assert (found[5:10, 0] < 0.5).all()


def test_what_is_not_read_changes_nothing() -> None:
    """Without the answer what was expected stays; without that, a prompt's own expectation does not count."""
    rows = answered()
    unread = variants()["reads no answer"](rows, ("a", "b"), "a", EXPECTED)
    assert unread.revise(rows, EXPECTED).tolist() == EXPECTED.tolist()
    alone = variants()["signs alone"](rows, ("a", "b"), "a", EXPECTED)
    assert alone.revise(rows, EXPECTED).tolist() == alone.revise(rows, 0 * EXPECTED).tolist()


def test_rows_are_fitted_once() -> None:
    """The same router serves every variant."""
    calls: list[int] = []

    def fit(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
        calls.append(len(rows))
        return BASELINES["label"](rows, models)

    kept, rows = remembered(fit), halves(40)
    assert kept(rows, ("a", "b")) is kept(list(rows), ("a", "b"))
    assert kept(rows[:10], ("a", "b")) is not kept(rows, ("a", "b"))
    assert calls == [40, 10]


def test_a_line_has_a_dash_for_what_is_never_reached() -> None:
    """And the figures without their intervals."""
    names = ("cost@95", "cost@99", "cost@100", "op99", "op99_quality", "aiq", "apgr", "cpt50", "cpt80")
    figures = {name: Figure(None if name == "cost@100" else 0.5, None, None) for name in names}
    assert line("this", Standing(figures, None)) == ("this", "0.5", "0.5", "-", *["0.5"] * 6)
