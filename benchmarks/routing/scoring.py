"""One set scored by the shipped evaluator, beside what was published of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from benchmarks.routing.published import GOALS, LABELS, NEARLY_ALL, NOTES, PUBLISHED, Row
from benchmarks.tables import aligned
from farthing.insight.evaluation.costs import priced
from farthing.insight.evaluation.evaluating import Evaluation, Question, Standing, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.learners import CASCADES, LEARNERS, cold
from farthing.insight.evaluation.report import summary, tables
from farthing.insight.evaluation.routers import Fit, Fitted
from farthing.insight.learning.labels import Labelled, read_labels


class Scoring(NamedTuple):
    """What was found on a set."""

    name: str
    found: Evaluation


def scored(name: str, path: Path, others: Sequence[Path]) -> Scoring:
    """All routers, the predictor fitted to fewer and to more rows, and the cold one, which knows other tasks."""
    rows, elsewhere = read_labels(path), [row for other in others for row in priced(read_labels(other), {})]
    few = {f"{count:,} labels": fewer(LEARNERS["learning"], count) for count in LABELS.get(name, ())}
    learners = {**LEARNERS, **few, "cold": cold(elsewhere, rows)}
    nearly_all = {NEARLY_ALL: LEARNERS["learning"]}
    return Scoring(name, evaluate(Question(rows=rows, learners=learners, in_tenths=nearly_all, cascades=CASCADES)))


def fewer(fit: Fit, count: int) -> Fit:
    """Fits the same router to so many rows, drawn by their ids."""

    def fitted(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
        drawn = sorted(rows, key=lambda row: sha256(row.id.encode()).digest())
        return fit(drawn[:count], models)

    return fitted


def shown(scoring: Scoring) -> str:
    """The tables of a set, with the published rows under ours."""
    lines = [f"== {scoring.name}", *summary(scoring.found)]
    for columns, rows in tables(scoring.found):
        others = [row for row in PUBLISHED[scoring.name] if set(row.figures) & set(columns)]
        published = [_cells(row, columns) for row in others]
        if published:
            published.insert(0, ["published:", *[""] * (len(columns) - 1)])
        lines += ["", *aligned([columns, *rows, *published])]
    if note := NOTES.get(scoring.name):
        lines += ["", note]
    return "\n".join(lines)


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    figures = [row.figures.get(column) for column in columns[1:]]
    return [f"  {row.router}", *("" if figure is None else f"{figure:g}" for figure in figures)]


def reached(scoring: Scoring) -> Iterator[tuple[str, str, str, str]]:
    """A line for each goal of the set: what, how much is wanted and seen, and whether it is missed."""
    for goal in GOALS:
        if goal.dataset == scoring.name:
            standing = scoring.found.routers.get(goal.router)
            seen = None if standing is None else _plain(standing).get(goal.figure)
            is_met = seen is not None and (seen >= goal.bound if goal.is_least else seen <= goal.bound)
            wanted = f"{'≥' if goal.is_least else '≤'} {goal.bound:g}"
            what = f"{goal.dataset}, {goal.router}: {goal.figure}"
            yield what, wanted, "never" if seen is None else f"{seen:g}", "" if is_met else "MISSED"


def _plain(standing: Standing) -> Mapping[str, float | None]:
    """Every figure by the name of its column, without its interval."""
    found: dict[str, float | None] = {"µs": standing.decision_us_p50}
    for name, figure in standing.figures.items():
        if isinstance(figure, Figure):
            found[name] = figure.value
        else:
            found |= {f"at ${budget}": one.value for budget, one in figure.items()}
    return found
