"""Experiments and results as the tests need them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from farthing.domain.experiments.data import GROUPS, Cohort, Data, Followed
from farthing.domain.experiments.definition import Arm, Experiment, Phase

NAMES = ("control", "test", "third", "fourth")
USD = 1_000_000_000


def experiment(*, shares: Sequence[float] = (0.5, 0.5), **changed: Any) -> Experiment:
    """A running experiment of 100 results between arms called control, test, third and fourth."""
    arms = tuple(Arm(name, "complexity", share) for name, share in zip(NAMES, shares, strict=False))
    settings: dict[str, Any] = {
        "id": "exp-1",
        "tenant": "acme",
        "name": "sample",
        "arms": arms,
        "sample_size": 100,
        "salt": "exp-1",
        "phases": (Phase(tuple(shares), 1_000),),
        "created_us": 1_000,
    }
    return Experiment(**settings | changed)


def cohort(arm: str, costs: Sequence[float], *, requests: Sequence[int] | None = None, **changed: Any) -> Cohort:
    """Users with these costs in USD altogether, and one request each unless told otherwise; nothing fails."""
    users = len(costs)
    columns: dict[str, Any] = {
        "requests": array("q", requests or [1] * users),
        "cost": array("q", [round(cost * USD) for cost in costs]),
        "latency": array("q", [0] * users),
        "errors": array("q", [0] * users),
        "rated": array("q", [0] * users),
        "quality": array("d", [0.0] * users),
        "covariate": array("q", [0] * users),
        "latency_user": array("q"),
        "latency_us": array("q"),
    }
    given = {
        name: array("d" if name == "quality" else "q", value) if isinstance(value, list) else value
        for name, value in changed.items()
    }
    return Cohort(arm=arm, **columns | given)


def followed(requests: int, errors: int = 0) -> Followed:
    """An arm after a promotion: so many requests of all groups of users, at no cost and in no time."""
    found = Followed()
    for number in range(requests):
        found.add(number % GROUPS, cost=0, latency_us=0, is_error=number < errors)
    return found


def data(*cohorts: Cohort, **changed: Any) -> Data:
    """These cohorts, all of whose results count."""
    n = sum(sum(one.requests) for one in cohorts)
    settings: dict[str, Any] = {"n": n, "cohorts": cohorts}
    return Data(**settings | changed)
