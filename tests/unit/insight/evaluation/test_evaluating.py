"""Whole evaluations, on outcomes whose figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from farthing.insight.evaluation.evaluating import Evaluation, Question, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.report import as_json, summary, tables
from farthing.insight.evaluation.routers import Fitted
from farthing.insight.evaluation.table import Array
from farthing.insight.learning.labels import BadLabels, Labelled
from tests.unit.insight.evaluation.outcomes import halves, row


class Memory:
    """A learner that remembers which prompts it was shown, and is right about no others."""

    def __init__(self, rows: Sequence[Labelled], models: Sequence[str]) -> None:
        self.seen = {row.prompt for row in rows}
        self.models = models

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """The dear model for prompts that were seen, and no difference for others."""
        quality = np.array([[0.0, 1.0 if row.prompt in self.seen else 0.0] for row in rows])
        return quality, np.tile([1.0, 10.0], (len(rows), 1))


def remembering(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
    """Fits a `Memory`."""
    return Memory(rows, models)


def values(found: Evaluation, router: str) -> Mapping[str, float | None]:
    """A router's figures without their intervals."""
    return {name: one.value for name, one in found.routers[router].figures.items() if isinstance(one, Figure)}


@pytest.fixture(scope="module")
def found() -> Evaluation:
    """Half of two hundred prompts are easy, and the label tells which."""
    return evaluate(Question(rows=halves(200), learners={"learning": remembering}, budgets=(1.0, 5.5)))


def test_zero_is_the_line_between_single_models(found: Evaluation) -> None:
    """Cost and calls follow by mixing the cheap model, right in half, with the dear one, right in all."""
    assert values(found, "zero") == {
        "cost@95": 91.0,
        "cost@99": 98.2,
        "cost@100": 100.0,
        "op99": 100.0,
        "op99_quality": 100.0,
        "aiq": 0.75,
        "apgr": 0.5,
        "cpt50": 50.0,
        "cpt80": 80.0,
    }


@pytest.mark.parametrize("router", ["oracle", "label"])
def test_who_knows_the_task_buys_the_dear_model_for_the_hard_half(found: Evaluation, router: str) -> None:
    """All of the quality for 55% of the cost: the best that there is, and what the label is worth here."""
    known = values(found, router)
    assert known["cost@100"] == pytest.approx(55.0, abs=0.01)
    assert (known["op99"], known["op99_quality"]) == (55.0, 100.0)
    assert (known["apgr"], known["cpt50"], known["cpt80"]) == (0.75, 25.0, 40.0)
    rewards = found.routers[router].figures["reward_at"]
    assert {budget: one.value for budget, one in rewards.items()} == {"1": 0.5, "5.5": 1.0}  # type: ignore[union-attr]


def test_a_learner_is_asked_only_what_it_has_not_seen(found: Evaluation) -> None:
    """One that knows nothing but what it was shown stays with the cheap model for ever."""
    known = values(found, "learning")
    assert (known["cost@95"], known["op99"], known["op99_quality"]) == (None, 10.0, 50.0)


def test_intervals_hold_their_figures_and_are_the_same_again(found: Evaluation) -> None:
    """Resamples are drawn from a fixed seed."""
    figure = found.routers["zero"].figures["cost@95"]
    assert isinstance(figure, Figure)
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 91.0 < figure.high
    shares: list[float] = []
    again = evaluate(Question(rows=halves(200), budgets=(1.0, 5.5)), shares.append)
    assert again.routers["zero"] == found.routers["zero"]
    assert shares == sorted({*shares})
    assert shares[-1] == 1


def test_rows_to_train_on_are_not_those_that_are_scored() -> None:
    """Their prompts are dropped and counted; the label router fitted on the others knows both tasks."""
    rows = halves(60)
    scored = evaluate(Question(rows=rows[:20], train=rows[10:]))
    assert (scored.folds, scored.train_rows, scored.train_dropped) == (0, 40, 10)
    assert values(scored, "label")["cost@100"] == 55.0


def test_a_router_in_tenths_learns_from_nine_of_them() -> None:
    """Ten times, from all but what it then scores; where other rows are given it learns from these."""
    seen: list[int] = []

    def fit(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
        seen.append(len(rows))
        return Memory(rows, models)

    rows = halves(200)
    scored = evaluate(Question(rows=rows, learners={"few": fit}, in_tenths={"many": fit}))
    assert list(scored.routers) == ["zero", "length", "label", "complexity", "few", "many", "oracle"]
    assert (seen[:5], len(seen[5:]), sum(seen[5:])) == ([160] * 5, 10, 9 * 200)
    assert (values(scored, "many")["cost@95"], values(scored, "many")["op99"]) == (None, 10.0)
    evaluate(Question(rows=rows[:20], train=rows[20:], in_tenths={"many": fit}))
    assert seen[15:] == [180]


def test_where_nothing_else_is_left_the_rows_are_cross_fitted() -> None:
    """As when a file is given as its own training file."""
    rows = halves(60)
    scored = evaluate(Question(rows=rows, train=rows))
    assert (scored.folds, scored.train_rows, scored.train_dropped) == (5, 0, 60)


def test_a_single_prompt_teaches_nothing() -> None:
    """It cannot be scored by what has not seen it."""
    with pytest.raises(BadLabels, match="nothing is left to learn from: give more rows"):
        evaluate(Question(rows=[row(1, (1, 1), (1, 1))]))


def test_models_that_nothing_is_known_of_are_named() -> None:
    """Rows of other models teach nothing about these."""
    rows = [row(number, (1, 1, 1), (1, 2, 3)) for number in range(9)]
    with pytest.raises(BadLabels, match="the rows to train on hold no outcome of c, which is to be scored"):
        evaluate(Question(rows=rows, train=halves(20)[10:]))


def test_what_is_nothing_has_no_percentage() -> None:
    """Where the best model costs nothing, or none is ever right."""
    free = values(evaluate(Question(rows=[row(number, (0.5, 1.0), (0.0, 0.0)) for number in range(20)])), "zero")
    assert (free["cost@99"], free["op99"], free["op99_quality"], free["aiq"]) == (None, None, 100.0, 1.0)
    wrong = values(evaluate(Question(rows=[row(number, (0.0, 0.0), (1.0, 2.0)) for number in range(20)])), "zero")
    assert (wrong["cost@99"], wrong["op99"], wrong["op99_quality"], wrong["apgr"]) == (100.0, 100.0, None, None)


def test_a_trade_off_cannot_be_fixed_on_other_prompts_where_there_are_none() -> None:
    """One prompt, scored by routers that were fitted on others."""
    known = values(evaluate(Question(rows=halves(1), train=halves(60)[5:])), "label")
    assert (known["op99"], known["op99_quality"], known["cost@99"]) == (None, None, 100.0)


def test_where_the_cheapest_is_the_best_no_gap_is_there_to_recover() -> None:
    """RouteLLM's figures are not defined, and the cheapest alone has all of the quality."""
    rows = [row(number, (1.0, 0.5), (1.0, 2.0)) for number in range(20)]
    known = values(evaluate(Question(rows=rows)), "zero")
    assert (known["apgr"], known["cpt50"], known["cpt80"], known["cost@100"]) == (None, None, None, 100.0)


def test_json_tells_all_with_intervals_and_the_result_plainly(found: Evaluation) -> None:
    """The result is the router that counts; without one it is null."""
    shown = as_json(found, "made-up")
    assert [shown[name] for name in ("dataset", "rows", "left_out", "folds", "best_single")] == [
        "made-up",
        200,
        0,
        5,
        "b",
    ]
    assert shown["models"] == {"a": {"quality": 0.5, "cost_usd": 1.0}, "b": {"quality": 1.0, "cost_usd": 10.0}}
    assert list(shown["routers"]) == ["zero", "length", "label", "complexity", "learning", "oracle"]
    assert shown["routers"]["zero"]["apgr"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert shown["routers"]["zero"]["decision_us_p50"] is None
    result = shown["result"]
    assert result["decision_us_p50"] > 0
    assert {name: result[name] for name in ("router", "cost@95", "op99", "reward_at")} == {
        "router": "learning",
        "cost@95": None,
        "op99": 10.0,
        "reward_at": {"1": 0.5, "5.5": 0.5},
    }
    assert as_json(evaluate(Question(rows=halves(20))), "none")["result"] is None


def test_tables_show_each_router_in_a_row(found: Evaluation) -> None:
    """Figures with their intervals, and a dash for what is never reached."""
    costs, compared, bought = tables(found)
    assert costs[0] == ["router", "cost@95", "cost@99", "cost@100", "op99", "op99_quality"]
    assert costs[1][4] == ["learning", "-", "-", "-", "10.0 (10.0..10.0)", "50.0 (43.5..56.5)"]
    assert compared[1][0][2] == "0.500 (0.500..0.500)"
    assert bought[0] == ["router", "at $1", "at $5.5", "µs"]
    assert bought[1][0][3] == "-"


def test_the_summary_says_how_it_was_scored(found: Evaluation) -> None:
    """And what was left out."""
    assert summary(found) == [
        "200 prompts, 2 models, cross-fitted in 5 parts",
        "best single model b: quality 1.000 for $10.000000 a request",
    ]
    rows = halves(60)
    scored = evaluate(Question(rows=[*rows[:20], row(99, (1,), (1,))], train=rows[10:]))
    assert summary(scored)[0] == "20 prompts, 2 models, routers fitted on 40 other rows"
    assert summary(scored)[2:] == [
        "1 rows lack one of these models and are not scored",
        "10 rows were not trained on, as their prompts are scored",
    ]
