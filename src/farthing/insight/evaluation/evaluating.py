"""Scores every router on recorded outcomes that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from time import thread_time_ns
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from farthing.insight.evaluation.cascade import cascade
from farthing.insight.evaluation.costs import priced
from farthing.insight.evaluation.figures import PUBLISHED_BUDGETS, Figure, Sample, Scored, figures, sample
from farthing.insight.evaluation.nesting import Learner, firsts, foretell
from farthing.insight.evaluation.routers import BASELINES, RANKS, Fit, Fitted, knowing
from farthing.insight.evaluation.sweep import singles, sweep
from farthing.insight.evaluation.table import Array, Table, alike, folds, tabulate
from farthing.insight.learning.labels import BadLabels, Labelled, tenth_of

_TIMED = 200
"""Decisions that are timed, each for one prompt alone."""


_Parts: TypeAlias = Sequence[tuple[Sequence[Labelled], list[int]]]
"""Of each what is learned from, and the places of the rows that are then scored."""


class Single(Struct, frozen=True):
    """A model that answers everything."""

    quality: float
    cost_usd: float
    """Per request."""


class Standing(Struct, frozen=True):
    """How one router did."""

    figures: Mapping[str, Figure | Mapping[str, Figure]]
    decision_us_p50: float | None
    """Microseconds of processor time for one prompt; `None` where nothing is decided."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """All routers on one file."""

    rows: int
    left_out: int
    """Rows that lack a model of the pool."""
    folds: int
    """As many parts the rows were cross-fitted in; 0 where the routers were fitted on other files."""
    train_rows: int
    train_dropped: int
    """Rows of the other files that were not trained on, because their prompts are scored."""
    models: Mapping[str, Single]
    best_single: str
    routers: Mapping[str, Standing]


class Question(Struct, frozen=True, kw_only=True):
    """What is scored, and how."""

    rows: Sequence[Labelled]
    train: Sequence[Labelled] = ()
    """What the routers learn from, but for prompts that are scored; if none are left, the rows themselves, in parts."""
    learners: Mapping[str, Fit] = {}
    """Routers beside the baselines."""
    in_tenths: Mapping[str, Fit] = {}
    """More of them, each row scored by one that learned from nine tenths of all; with `train` they learn from that."""
    cascades: Mapping[str, Learner] = {}
    """Routers that may ask a first model before they decide; scored where its answers are recorded."""
    prices: Mapping[str, float] = {}
    """US dollars per million tokens, for outcomes without a cost."""
    budgets: Sequence[float] = PUBLISHED_BUDGETS
    """US dollars per request, for `reward_at`."""


class _Trial(Struct, frozen=True, kw_only=True):
    """What is scored, in parts."""

    table: Table
    parts: _Parts
    tenths: _Parts


def evaluate(question: Question, advance: Callable[[float], None] = lambda _: None) -> Evaluation:
    """Fits and scores ZERO, the baselines, the learners and ORACLE. Raises `BadLabels`.

    `advance` is told after each router which share of them is done.
    """
    rows = priced(question.rows, question.prices)
    table, place = tabulate(rows), folds(rows)
    train = [row for row in priced(question.train, question.prices) if alike(row.prompt) not in place]
    parts = len(set(place.values()))
    if not train and parts == 1:
        raise BadLabels("nothing is left to learn from: give more rows, or others with --train")
    if train and (lacking := sorted(set(table.models) - {model for row in train for model in row.outcomes})):
        raise BadLabels(f"the rows to train on hold no outcome of {', '.join(lacking)}, which is to be scored")
    whole = [(train, list(range(len(table.rows))))] if train else None
    trial = _Trial(
        table=table,
        parts=whole or _crossed(rows, table.rows, place),
        tenths=whole or _crossed(rows, table.rows, folds(rows, tenth_of)),
    )
    of = sample(table, [place[alike(row.prompt)] for row in table.rows])
    return Evaluation(
        rows=len(table.rows),
        left_out=table.left_out,
        folds=0 if train else parts,
        train_rows=len(train),
        train_dropped=len(question.train) - len(train),
        models=_singles(table),
        best_single=table.models[table.best],
        routers=_standings(trial, of, question, advance),
    )


def _singles(table: Table) -> dict[str, Single]:
    means = zip(table.models, table.quality.mean(axis=0), table.cost.mean(axis=0), strict=True)
    return {model: Single(round(float(quality), 6), round(float(cost), 9)) for model, quality, cost in means}


def _standings(trial: _Trial, of: Sample, question: Question, advance: Callable[[float], None]) -> dict[str, Standing]:
    zero = Scored(sweep=singles(trial.table), gain=np.zeros(len(trial.table.rows)))
    found = {"zero": Standing(figures(zero, of, question.budgets), None)}
    learners = {**BASELINES, **question.learners, **question.in_tenths}
    count = 1 + len(learners) + len(question.cascades)
    for name, fit in learners.items():
        parts = trial.tenths if name in question.in_tenths else trial.parts
        quality, cost, fitted = _predicted(fit, trial.table, parts)
        scored = _scored(quality, cost, trial.table)
        if name in RANKS:
            scored = replace(scored, gain=RANKS[name](trial.table.rows))
        found[name] = Standing(figures(scored, of, question.budgets), _decision_us(fitted, trial.table.rows))
        advance(len(found) / count)
    known = _scored(*knowing((), trial.table.models).predict(trial.table.rows), trial.table)
    columns = _firsts(trial)
    for name, learner in question.cascades.items() if columns else ():
        scored, checked = _cascaded(learner, trial, columns)
        found[name] = Standing(figures(scored, of, question.budgets), _decision_us(checked, trial.table.rows))
        advance(len(found) / count)
    return found | {"oracle": Standing(figures(known, of, question.budgets), None)}


def _scored(quality: Array, cost: Array, table: Table) -> Scored:
    return Scored(sweep=sweep(quality, cost, table), gain=quality[:, table.best] - quality[:, 0])


def _predicted(fit: Fit, table: Table, parts: _Parts) -> tuple[Array, Array, Fitted]:
    """Quality and cost of every scored row by a router that has not seen it, and such a router."""
    quality, cost = np.empty(table.quality.shape), np.empty(table.cost.shape)
    each = []
    for train, places in parts:
        fitted = fit(train, table.models)
        quality[places], cost[places] = fitted.predict([table.rows[place] for place in places])
        each.append(fitted)
    return quality, cost, each[0]


def _firsts(trial: _Trial) -> list[int]:
    """The columns of models that may be asked first, whatever is learned from."""
    each = [set(firsts(trial.table, train)) for train, _ in trial.parts]
    return sorted(set.intersection(*each))


def _cascaded(learner: Learner, trial: _Trial, columns: Sequence[int]) -> tuple[Scored, Fitted]:
    """The curve of a router that judges first answers, and such a router."""
    found = [foretell(learner, trial.table, columns, train, places) for train, places in trial.parts]
    gain = np.empty(len(trial.table.rows))
    for part, _ in found:
        after = part.judged[0].quality
        gain[part.rows] = after[:, trial.table.best] - after[:, part.judged[0].first]
    return Scored(sweep=cascade([part for part, _ in found], trial.table), gain=gain), found[0][1]


def _crossed(rows: Sequence[Labelled], scored: Sequence[Labelled], fold_by_prompt: Mapping[str, int]) -> _Parts:
    """Each fold of the scored rows, and all rows of the others, those too that are not scored."""
    every, own = ([fold_by_prompt[alike(row.prompt)] for row in those] for those in (rows, scored))
    return [
        (
            [row for row, its in zip(rows, every, strict=True) if its != fold],
            [place for place, its in enumerate(own) if its == fold],
        )
        for fold in sorted(set(own))
    ]


def _decision_us(fitted: Fitted, rows: Sequence[Labelled]) -> float:
    """The median processor time of a decision, in microseconds."""
    taken = []
    for row in rows[:_TIMED]:
        began = thread_time_ns()
        fitted.predict([row])
        taken.append((thread_time_ns() - began) / 1000)
    return round(median(taken), 1)
