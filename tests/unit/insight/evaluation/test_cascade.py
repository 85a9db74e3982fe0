"""A first answer that is read before another model is asked, and what may be known of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from farthing.insight.evaluation.cascade import Foretold, Judged, cascade
from farthing.insight.evaluation.evaluating import Question, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.nesting import Check, Learner, firsts, foretell
from farthing.insight.evaluation.report import as_json
from farthing.insight.evaluation.routers import Fitted
from farthing.insight.evaluation.table import Array, tabulate
from farthing.insight.learning.labels import Labelled
from tests.unit.insight.evaluation.outcomes import halves, row

MOVES = np.array([[-0.5, 0.0], [0.5, 0.0]])


def answered(rows: Sequence[Labelled]) -> list[Labelled]:
    """The rows with an answer of the cheap model that tells whether it is right."""
    found = []
    for one in rows:
        cheap = replace(one.outcomes["a"], response="right" if one.outcomes["a"].quality else "wrong")
        found.append(replace(one, outcomes={**one.outcomes, "a": cheap}))
    return found


class Blind:
    """Foretells the same of every prompt, unless it was shown that very one."""

    def __init__(self, rows: Sequence[Labelled], models: Sequence[str]) -> None:
        self.seen = {row.prompt for row in rows}

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """1 for what was seen, else that the cheap model is as likely right as not."""
        quality = np.array([[1.0, 1.0] if row.prompt in self.seen else [0.5, 1.0] for row in rows])
        return quality, np.tile([1.0, 10.0], (len(rows), 1))


class Reader:
    """Reads the answer, and keeps what it was fitted to."""

    def __init__(self, quality: Array) -> None:
        self.quality = quality

    def revise(self, rows: Sequence[Labelled], quality: Array) -> Array:
        """1 for an answer that says it is right."""
        right = [[float(row.outcomes["a"].response == "right"), 1.0] for row in rows]
        return np.array(right)


def blind(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
    """Fits a `Blind` router."""
    return Blind(rows, models)


def test_the_dear_model_is_asked_where_the_first_answer_is_wrong() -> None:
    """Both are paid for then; quality is full for the price of all cheap answers and half of the dear ones."""
    table = tabulate(halves(20))
    judged = Judged(first=0, quality=table.quality, moves=MOVES)
    part = Foretold(
        rows=np.arange(20), quality=np.tile([0.5, 1.0], (20, 1)), cost=np.tile([1.0, 10.0], (20, 1)), judged=[judged]
    )
    swept = cascade([part], table)
    means = sorted(zip(swept.cost.mean(axis=1).tolist(), swept.quality.mean(axis=1).tolist(), strict=True))
    assert means[0] == (1.0, 0.5)
    assert means[-1] == (6.0, 1.0)


def test_a_first_answer_that_tells_nothing_is_not_paid_for() -> None:
    """The dear model is asked at once where it is worth its price."""
    table = tabulate(halves(20))
    flat = np.tile([0.5, 1.0], (20, 1))
    judged = Judged(first=0, quality=flat, moves=np.zeros((2, 2)))
    part = Foretold(rows=np.arange(20), quality=flat, cost=np.tile([1.0, 10.0], (20, 1)), judged=[judged])
    swept = cascade([part], table)
    assert sorted(set(swept.cost.mean(axis=1).tolist())) == [1.0, 10.0]


def test_many_trade_offs_make_a_curve_of_few_points() -> None:
    """As many prompts as there are, each with its own."""
    chance = np.random.default_rng(1)
    table = tabulate([row(number, (0.0, 1.0), (1.0, 10.0)) for number in range(200)])
    quality = np.column_stack([chance.random(200) / 2, 0.5 + chance.random(200) / 2])
    part = Foretold(rows=np.arange(200), quality=quality, cost=np.tile([1.0, 10.0], (200, 1)), judged=[])
    swept = cascade([part], table)
    assert swept.cost.shape == (129, 200)
    assert swept.cost.mean(axis=1)[[0, -1]].tolist() == [1.0, 10.0]


def test_a_check_learns_from_what_was_foretold_of_unseen_rows() -> None:
    """Neither what it is fitted to nor what it is measured by comes from a router that was shown the row."""
    shown: list[Array] = []

    def fit_check(rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array) -> Check:
        assert (list(models), first) == (["a", "b"], "a")
        assert quality.shape == (len(rows), 2)
        shown.append(quality)
        return Reader(quality)

    rows = answered(halves(60))
    table = tabulate(rows)
    part, checked = foretell(Learner(fit=blind, fit_check=fit_check), table, [0], rows[:40], range(40, 60))
    assert part.rows.tolist() == list(range(40, 60))
    assert part.quality.tolist() == [[0.5, 1.0]] * 20
    assert {tuple(line) for quality in shown for line in quality.tolist()} == {(0.5, 1.0)}
    assert max(len(quality) for quality in shown) == 40
    assert len(shown) == 6
    assert part.judged[0].moves[:, 0].tolist() == [-0.5] * 8 + [0.5] * 8
    assert checked.predict(rows[:1])[0].tolist() == [[1.0, 1.0]]


def test_only_a_cheap_model_whose_every_answer_is_recorded_is_asked_first() -> None:
    """The best one is never first, one missing answer leaves a model out, and few prompts teach no check."""
    rows = answered(halves(40))
    assert firsts(tabulate(rows), rows) == [0]
    assert firsts(tabulate(rows), [*rows, row(99, (1.0, 1.0), (1.0, 10.0))]) == []
    assert firsts(tabulate(halves(40)), rows) == []
    assert firsts(tabulate(rows), [*rows[:24], *rows[:24]]) == []


@pytest.mark.parametrize("train", [(), answered(halves(120))[60:]])
def test_the_hybrid_is_the_result_where_answers_are_recorded(train: Sequence[Labelled]) -> None:
    """It is scored as every other router, and beside them, in parts or on rows of its own."""
    learner = Learner(fit=blind, fit_check=lambda _rows, _models, _first, quality: Reader(quality))
    rows = answered(halves(60))
    found = evaluate(Question(rows=rows, train=train, learners={"learning": blind}, cascades={"hybrid": learner}))
    cost = found.routers["hybrid"].figures["cost@100"]
    assert isinstance(cost, Figure)
    assert cost.value == pytest.approx(60.0, abs=0.01)
    result = as_json(found, "made-up")["result"]
    assert (result["router"], result["cpt50"]) == ("hybrid", 25.0)
    assert result["decision_us_p50"] > 0
    without = evaluate(Question(rows=halves(60), cascades={"hybrid": learner}))
    assert "hybrid" not in without.routers
