"""Routers to be compared: what each predicts of a prompt, and what it must be told for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

import numpy as np

from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.routing.complexity import score
from farthing.domain.routing.features import read_features
from farthing.domain.tokens import estimate
from farthing.insight.evaluation.table import Array
from farthing.insight.learning.labels import Labelled

_PSEUDO_ROWS = 5.0
"""As many rows of all groups speak for a group beside its own."""
_LEAST_COST = 0.1
"""Of the mean: a straight line would end below nothing."""


class Fitted(Protocol):
    """A router that has seen its training rows."""

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """Quality and cost in US dollars, rows by models; what is recorded of these rows is not looked at."""
        ...


Fit = Callable[[Sequence[Labelled], Sequence[str]], Fitted]
"""Fits a router to rows, for the models of a pool."""


@dataclass(frozen=True)
class Grouped:
    """Knows the mean quality and cost of each model in each group of prompts."""

    group: Callable[[Labelled], str]
    means: Mapping[str, tuple[Array, Array]]
    """By group; under the empty name those of all rows."""

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """The means of each row's group."""
        found = [self.means.get(self.group(row), self.means[""]) for row in rows]
        return np.array([quality for quality, _ in found]), np.array([cost for _, cost in found])


def grouping(group: Callable[[Labelled], str]) -> Fit:
    """Fits a `Grouped` router."""

    def fit(rows: Sequence[Labelled], models: Sequence[str]) -> Grouped:
        members: dict[str, list[Labelled]] = defaultdict(list)
        for row in rows:
            members[group(row)].append(row)
        overall = _means(rows, models, None)
        return Grouped(group, {name: _means(those, models, overall) for name, those in members.items()} | {"": overall})

    return fit


def _means(rows: Sequence[Labelled], models: Sequence[str], overall: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """Mean quality and cost of each model, drawn to those of all rows where these are few."""
    quality, cost = np.zeros(len(models)), np.zeros(len(models))
    for place, model in enumerate(models):
        outcomes = [row.outcomes[model] for row in rows if model in row.outcomes]
        weight = 0.0 if overall is None else _PSEUDO_ROWS
        count = max(len(outcomes) + weight, 1.0)
        before = (0.0, 0.0) if overall is None else (overall[0][place], overall[1][place])
        quality[place] = (sum(outcome.quality for outcome in outcomes) + weight * before[0]) / count
        cost[place] = (sum(outcome.cost or 0.0 for outcome in outcomes) + weight * before[1]) / count
    return quality, cost


@dataclass(frozen=True)
class Lined:
    """Knows how quality and cost of each model go with the prompt's length, by straight lines."""

    quality: Array
    """At no length and per doubling of the tokens, by models."""
    cost: Array
    """US dollars for no token and per token, by models."""
    least: Array
    """US dollars that no prediction falls below, by models."""

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """What the lines say."""
        tokens = lengths(rows)
        quality, cost = _design(np.log2(tokens)) @ self.quality, _design(tokens) @ self.cost
        return quality, np.maximum(cost, self.least)


def lining(rows: Sequence[Labelled], models: Sequence[str]) -> Lined:
    """Fits a `Lined` router by least squares."""
    quality, cost = np.zeros((2, len(models))), np.zeros((2, len(models)))
    for place, model in enumerate(models):
        those = [row for row in rows if model in row.outcomes]
        tokens = lengths(those)
        qualities = np.array([row.outcomes[model].quality for row in those])
        costs = np.array([row.outcomes[model].cost or 0.0 for row in those])
        quality[:, place] = np.linalg.lstsq(_design(np.log2(tokens)), qualities)[0]
        cost[:, place] = np.linalg.lstsq(_design(tokens), costs)[0]
    return Lined(quality, cost, _LEAST_COST * _means(rows, models, None)[1])


def lengths(rows: Sequence[Labelled]) -> Array:
    """Tokens of each prompt, at least 1."""
    return np.array([max(estimate(row.prompt), 1) for row in rows], dtype=np.float64)


def _design(values: Array) -> Array:
    return np.column_stack([np.ones_like(values), values])


@dataclass(frozen=True)
class Priced:
    """Knows how demanding a prompt is: a dearer model is taken to fail less, the more so the more it is."""

    cost: Array
    """Mean cost of each model, US dollars."""

    demand: Callable[[str], float]
    """0..1, of a prompt."""

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """1 - demand · (1 - the model's place by price, from 0 to 1), and the model's mean cost."""
        place = self.cost.argsort(kind="stable").argsort(kind="stable") / max(len(self.cost) - 1, 1)
        demands = np.array([self.demand(row.prompt) for row in rows])
        return 1 - demands[:, None] * (1 - place), np.tile(self.cost, (len(rows), 1))


def demanding(demand: Callable[[str], float]) -> Fit:
    """Fits a `Priced` router: prices are all that it needs to know of the rows."""

    def fit(rows: Sequence[Labelled], models: Sequence[str]) -> Priced:
        return Priced(_means(rows, models, None)[1], demand)

    return fit


def complexity_of(prompt: str) -> float:
    """The documented complexity score, 0..1."""
    parts, _ = read_features(ChatRequest(model="auto", messages=(Message("user", (Text(prompt),)),)))
    return score(parts.values())


@dataclass(frozen=True)
class Knowing:
    """ORACLE: knows what every model will make of a prompt."""

    models: Sequence[str]

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """What is recorded."""
        quality = [[row.outcomes[model].quality for model in self.models] for row in rows]
        return np.array(quality), np.array([[row.outcomes[model].cost or 0.0 for model in self.models] for row in rows])


def knowing(_rows: Sequence[Labelled], models: Sequence[str]) -> Knowing:
    """Nothing to fit."""
    return Knowing(models)


BASELINES: Mapping[str, Fit] = {
    "length": lining,
    "label": grouping(attrgetter("task")),
    "complexity": demanding(complexity_of),
}
"""What every table compares with, beside ZERO and ORACLE, which need no fitting."""

RANKS: Mapping[str, Callable[[Sequence[Labelled]], Array]] = {"length": lengths}
"""What orders the prompts for figures by calls, where the published row orders them by no prediction."""
