"""What an analysis is fed says what the results say: by user, in the order of arrival, and bounded."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import Any

import pytest

from farthing.domain.experiments.data import Moves
from farthing.store import Store
from farthing.store.queries import results
from tests.conformance.store.samples import DAY_US, NOON_US
from tests.conformance.store.trials import experiment, result, row

EMPTY: dict[str, Any] = {name: array("q") for name in ("checkpoint", "user", "arm", "requests", "cost")} | {"ends": ()}


SAID: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("bob", "test", 5, {"quality": 4.25, "covariate": 3}),
    ("ann", "control", 1, {"is_error": True}),
    ("bob", "test", 7, {"quality": 3.5, "latency_us": 9}),
    ("ann", "test", 1_000, {}),
    ("cid", "test", 2, {"covariate": 4}),
    ("dan", "gone", 2, {}),
)


@pytest.fixture
async def running(store: Store) -> Store:
    """A store with one experiment."""
    await store.experiments.create(experiment())
    return store


async def test_an_experiment_without_results_has_empty_data(running: Store) -> None:
    """No cohort, no line."""
    _, data = await running.experiments.data("acme", "exp-1", moves=True)
    assert (data.n, data.cohorts, data.moves) == (0, (), Moves(**EMPTY))


async def test_sums_are_by_user_in_the_order_of_first_arrival(running: Store) -> None:
    """A user belongs to the arm of his first result; what he has in another is left out, and he is counted."""
    for number, (user, arm, cost, facts) in enumerate(SAID):
        await running.experiments.record("acme", "exp-1", result(f"r{number}", user, arm, cost=cost, **facts))
    _, data = await running.experiments.data("acme", "exp-1", moves=True)
    control, test = data.cohorts
    assert (data.n, data.crossovers, control.arm, test.arm) == (6, 1, "control", "test")
    assert (list(control.requests), list(control.cost), list(control.errors)) == ([1], [1], [1])
    assert (list(test.requests), list(test.cost), list(test.latency)) == ([2, 1], [12, 2], [500_009, 500_000])
    assert (list(test.rated), list(test.quality), list(test.covariate)) == ([2, 0], [7.75, 0.0], [3, 4])
    assert (list(test.latency_user), list(test.latency_us)) == ([0, 0, 1], [500_000, 9, 500_000])
    moves = data.moves
    assert moves is not None
    lines = list(zip(moves.checkpoint, moves.user, moves.arm, moves.requests, moves.cost, strict=True))
    assert lines == [(0, 0, 1, 1, 5), (1, 1, 0, 1, 1), (2, 0, 1, 1, 7), (4, 2, 1, 1, 2)]
    assert moves.ends == (1, 2, 3, 4, 5, 6)


async def test_single_latencies_are_taken_evenly(running: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many of an arm, though the arms take turns; no lines for the chart where there are too many."""
    monkeypatch.setattr(results, "LATENCIES", 20)
    monkeypatch.setattr(results, "MOVES", 79)
    monkeypatch.setattr(results, "PORTION", 7)
    rows = [row(n, f"u{n}", ("control", "test")[n % 2], duration_us=n) for n in range(80)]
    await running.ingest.write(rows)
    _, data = await running.experiments.data("acme", "exp-1", moves=True)
    assert data.moves is None
    for cohort in data.cohorts:
        assert len(cohort.requests) == 40
        assert 17 <= len(cohort.latency_us) <= 20
        users = [rows[cohort_index].duration_us for cohort_index in cohort.latency_us]
        assert list(cohort.latency_us) == users
        assert max(later - former for former, later in pairwise(users)) <= 12


async def test_a_small_arm_gives_all_its_latencies(running: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of them a large one leaves out."""
    monkeypatch.setattr(results, "LATENCIES", 20)
    await running.ingest.write([row(n, f"u{n}", "control" if n % 8 else "test", duration_us=n) for n in range(96)])
    _, data = await running.experiments.data("acme", "exp-1")
    control, test = data.cohorts
    assert (len(control.requests), len(test.latency_us), len(test.requests)) == (84, 12, 12)
    assert 10 <= len(control.latency_us) <= 20


async def test_the_chart_has_so_many_points(running: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the number of results up to it; beyond the plan there are none."""
    monkeypatch.setattr(results, "CHECKPOINTS", 8)
    await running.ingest.write([row(n, f"u{n % 30}", ("control", "test")[n % 2]) for n in range(120)])
    _, data = await running.experiments.data("acme", "exp-1", moves=True)
    assert data.moves is not None
    assert data.moves.ends == (13, 25, 38, 50, 63, 75, 88, 100)
    assert sum(data.moves.requests) == data.n == 100
    assert list(data.moves.checkpoint) == sorted(data.moves.checkpoint)


async def test_the_ledger_tells_how_costs_vary(running: Store) -> None:
    """Between users, around what one request costs; of the tenant, model, strategy and route that are asked for."""
    await running.ingest.write(
        [
            row(1, "ann", cost=10),
            row(2, "ann", cost=20, created_at_us=NOON_US + DAY_US),
            row(3, "bob", cost=60),
            row(4, "bob", cost=9, tenant="other"),
            row(5, "bob", cost=9, model="large"),
            row(6, "bob", cost=None),
            row(7, "bob", status="rejected"),
            row(8, "bob", created_at_us=NOON_US - 1),
            row(9, "bob", status="cached", cost=0),
            row(10, "bob", dialect="embeddings", cost=1),
            row(11, "bob", dialect="count_tokens", cost=0),
        ]
    )
    wanted = {"model": "small", "strategy": "complexity", "route": "/v1/chat/completions"}
    found = await running.experiments.spread("acme", since_us=NOON_US, **wanted)
    assert (found.users, found.requests, found.days, found.mean) == (2, 3, 1.0, 30.0)
    assert found.variance == (30 - 30 * 2) ** 2 + (60 - 30) ** 2
    all_tenants = await running.experiments.spread(None, since_us=NOON_US)
    assert (all_tenants.users, all_tenants.requests) == (3, 5)
    alone = await running.experiments.spread("acme", since_us=NOON_US, model="large")
    assert (alone.users, alone.mean, alone.variance) == (1, 9.0, 0.0)
    nothing = await running.experiments.spread("acme", since_us=NOON_US, model="none")
    assert (nothing.users, nothing.days, nothing.mean, nothing.variance) == (0, 0.0, 0.0, 0.0)
