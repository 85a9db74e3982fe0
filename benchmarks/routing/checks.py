"""Variants of the check of first answers that were tried, on the one public set whose answers are recorded.

Run as `python -m benchmarks.routing.checks [DATA]`; the result is kept in benchmarks/results.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.machine import store
from benchmarks.routing.sets import DATA, path_of
from benchmarks.tables import aligned
from farthing.insight.evaluation.evaluating import Question, Standing, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.learners import Checked, learning
from farthing.insight.evaluation.nesting import FitCheck, Learner
from farthing.insight.evaluation.routers import Fit, Fitted
from farthing.insight.evaluation.table import Array
from farthing.insight.learning.checking import fit_check
from farthing.insight.learning.labels import Labelled, read_labels

SET = "gsm8k_gpt4_mixtral"
RIDGES = (3, 10, 30, 100, 200, 500)
COLUMNS = ("cost@95", "cost@99", "cost@100", "op99", "op99_quality", "aiq", "apgr", "cpt50", "cpt80")


def main() -> None:
    """Prints and keeps a line for each variant."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    fit = remembered(learning)
    cascades = {name: Learner(fit=fit, fit_check=check) for name, check in variants().items()}
    found = evaluate(Question(rows=read_labels(path_of(data, SET)), learners={"learning": fit}, cascades=cascades))
    lines = [("", *COLUMNS), *(line(name, found.routers[name]) for name in ("learning", *cascades, "oracle"))]
    text = "\n".join([f"{SET}: {found.rows} prompts, cross-fitted in {found.folds} parts", "", *aligned(lines)])
    print(text)
    store("routing-checks", text)


def variants() -> Mapping[str, FitCheck]:
    """Ridges, and what a check is without one of its two kinds of inputs."""
    ridges: dict[str, FitCheck] = {f"ridge {ridge}": partial(checked, ridge=ridge) for ridge in RIDGES}
    return {**ridges, "signs alone": signs_alone, "reads no answer": unread}


def checked(rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array, *, ridge: float) -> Checked:
    """The shipped check with another ridge."""
    return Checked(fit_check(rows, models, first, quality, ridge=ridge))


class SignsAlone:
    """A check that is not told what was expected of the prompt: the mean of all rows stands for it."""

    def __init__(self, rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array) -> None:
        self.mean = quality.mean(axis=0)
        self.check = Checked(fit_check(rows, models, first, self.flat(rows)))

    def flat(self, rows: Sequence[Labelled]) -> Array:
        """The same for every row."""
        return np.tile(self.mean, (len(rows), 1))

    def revise(self, rows: Sequence[Labelled], quality: Array) -> Array:  # noqa: ARG002 (what is not to be used)
        """What the answer alone says."""
        return self.check.revise(rows, self.flat(rows))


class Unread:
    """A check that reads no answer: the cascade without anything to go by."""

    def revise(self, rows: Sequence[Labelled], quality: Array) -> Array:  # noqa: ARG002 (the protocol's)
        """What was expected before."""
        return quality


signs_alone: FitCheck = SignsAlone


def unread(rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array) -> Unread:  # noqa: ARG001
    """Nothing to fit."""
    return Unread()


def remembered(fit: Fit) -> Fit:
    """Fits the same rows once."""
    kept: dict[tuple[str, ...], Fitted] = {}

    def fitted(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
        key = tuple(row.id for row in rows)
        if key not in kept:
            kept[key] = fit(rows, models)
        return kept[key]

    return fitted


def line(name: str, standing: Standing) -> tuple[str, ...]:
    """A variant and its figures."""
    figures = [standing.figures[column] for column in COLUMNS]
    values = [figure.value for figure in figures if isinstance(figure, Figure)]
    return name, *("-" if value is None else f"{value:g}" for value in values)


if __name__ == "__main__":
    main()
