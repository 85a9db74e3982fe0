"""Fits a router and the checks of first answers, each on what rows get from those that have not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from farthing.insight.evaluation.cascade import Foretold, Judged
from farthing.insight.evaluation.routers import Fit, Fitted
from farthing.insight.evaluation.sweep import hull
from farthing.insight.evaluation.table import Array, Table, alike
from farthing.insight.learning.labels import Labelled, fold_of, id_of

_FIRSTS = 2
"""As many of the cheapest models on the hull of single models may be asked first."""
_LEAST_PROMPTS = 25
_MOVES = 16
"""Samples of how an answer changes what is foretold."""


class Check(Protocol):
    """Has learned what an answer tells of the one who gave it, and of the prompt."""

    def revise(self, rows: Sequence[Labelled], quality: Array) -> Array:
        """The quality of all models, rows by models, now that the first model's answer is read."""
        ...


class FitCheck(Protocol):
    """Fits a check of one model's answers."""

    def __call__(self, rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array) -> Check:
        """Learns from rows, and from the quality, rows by models, that was foretold by who has not seen them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What routes before a first answer, and what judges it."""

    fit: Fit
    fit_check: FitCheck


@dataclass(frozen=True)
class Checked:
    """A router with the check of its first answers."""

    router: Fitted
    checks: Sequence[Check]

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """What the router says, once the answer of the first model that may be asked first is read."""
        quality, cost = self.router.predict(rows)
        return self.checks[0].revise(rows, quality), cost


@dataclass(frozen=True, kw_only=True)
class _Nest:
    """The rows that a part learns from, in folds of their own."""

    rows: Sequence[Labelled]
    folds: NDArray[np.int64]
    models: Sequence[str]

    def split(self) -> list[tuple[list[int], list[int]]]:
        """The places of the others, and of those within, for each fold."""
        return [
            (np.flatnonzero(self.folds != fold).tolist(), np.flatnonzero(self.folds == fold).tolist())
            for fold in np.unique(self.folds)
        ]

    def at(self, places: Sequence[int]) -> list[Labelled]:
        """The rows at these places."""
        return [self.rows[place] for place in places]


def firsts(table: Table, train: Sequence[Labelled]) -> list[int]:
    """The columns of models that may be asked first: cheap, on the hull, and with every answer recorded.

    None where there are too few different prompts for folds within folds.
    """
    learned = _whole(train, table)
    if len({alike(row.prompt) for row in learned}) < _LEAST_PROMPTS:
        return []
    rows = [*table.rows, *learned]
    return [
        column
        for column in hull(table)[:-1][:_FIRSTS]
        if all(row.outcomes[table.models[column]].response is not None for row in rows)
    ]


def foretell(
    learner: Learner, table: Table, columns: Sequence[int], train: Sequence[Labelled], places: Sequence[int]
) -> tuple[Foretold, Checked]:
    """What is foretold of the rows at these places, before and after a first answer, by what learned from others.

    The columns are those of the models that may be asked first.
    """
    scored = [table.rows[place] for place in places]
    router = learner.fit(train, table.models)
    quality, cost = router.predict(scored)
    rows = _whole(train, table)
    nest = _Nest(rows=rows, folds=np.array([_fold(row) for row in rows]), models=table.models)
    before = np.empty((len(rows), len(table.models)))
    for others, inside in nest.split():
        before[inside], _ = learner.fit(nest.at(others), table.models).predict(nest.at(inside))
    judged, checks = [], []
    for column in columns:
        check = learner.fit_check(rows, table.models, table.models[column], before)
        moves = _moves(learner.fit_check, column, nest, before)
        judged.append(Judged(first=column, quality=check.revise(scored, quality), moves=moves))
        checks.append(check)
    return Foretold(rows=np.array(places), quality=quality, cost=cost, judged=judged), Checked(router, checks)


def _moves(fit_check: FitCheck, column: int, nest: _Nest, before: Array) -> Array:
    """How much an answer moves what is foretold: evenly drawn from the rows, in the order of the first model's move."""
    after = np.empty_like(before)
    for others, inside in nest.split():
        check = fit_check(nest.at(others), nest.models, nest.models[column], before[others])
        after[inside] = check.revise(nest.at(inside), before[inside])
    moves = after - before
    order = moves[:, column].argsort(kind="stable")
    drawn: Array = moves[order[((np.arange(_MOVES) + 0.5) * len(order) / _MOVES).astype(np.int64)]]
    return drawn


def _whole(rows: Sequence[Labelled], table: Table) -> list[Labelled]:
    return [row for row in rows if all(model in row.outcomes for model in table.models)]


def _fold(row: Labelled) -> int:
    return fold_of(id_of(alike(row.prompt)))
