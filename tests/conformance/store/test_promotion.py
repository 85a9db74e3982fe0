"""A winner that is promoted is watched by counts, and gives way once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.assignment import group
from farthing.domain.experiments.definition import Arm
from farthing.ports.experiments import Kept
from farthing.store import Store
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.test_experiments import patient
from tests.conformance.store.trials import WINNER, counted, experiment, result, row


async def decided(store: Store, **fields: Any) -> Kept:
    """An experiment with a verdict after one result."""
    verdict = fields.pop("verdict", WINNER)
    await store.experiments.create(experiment(**fields))
    await store.experiments.record(None, "exp-1", result("r1"))
    assert await store.experiments.decide(await kept(store), verdict, at_us=NOON_US)
    return await kept(store)


async def kept(store: Store) -> Kept:
    """How it stands."""
    return await store.experiments.get(None, "exp-1")


async def test_a_promoted_winner_is_watched(store: Store) -> None:
    """From the verdict on, with nothing counted yet."""
    now = await decided(store, promote=True)
    assert (now.experiment.promoted, now.aftermath) == (Arm("test", "hybrid", 0.5), {})
    assert await store.experiments.watched() == [now]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"promote": True, "verdict": replace(WINNER, winner="control")},
        {"promote": True, "verdict": replace(WINNER, code="trade_off", winner=None)},
    ],
)
async def test_nothing_else_is(store: Store, fields: dict[str, Any]) -> None:
    """Its results go on being kept as late ones, and it cannot be rolled back."""
    now = await decided(store, **fields)
    assert (now.experiment.promoted, now.aftermath, await store.experiments.watched()) == (None, None, [])
    await store.ingest.write([row(1)])
    assert not await store.experiments.roll_back("exp-1", at_us=NOON_US, reason="it fails")
    stopped = await store.experiments.stop("acme", "exp-1", at_us=NOON_US)
    assert (stopped.experiment, stopped.tally.n) == (now.experiment, 2)


async def test_what_a_promoted_winner_answers_is_counted_and_not_kept(store: Store) -> None:
    """By arm, each row once, failures apart, of what began since; the frozen results stay as they are."""
    before = await decided(store, promote=True)
    await store.ingest.write([row(1, arm="test"), row(2, arm="test", status="error", cost=None), row(3)])
    await store.ingest.write([row(1, arm="test"), row(4, arm="test"), row(5, status="rejected"), row(6, tenant="x")])
    await store.ingest.write([row(7, arm="test", status="error", created_at_us=NOON_US - 1)])
    now = await kept(store)
    assert counted(now) == {"test": (3, 1), "control": (1, 0)}
    assert now.aftermath is not None
    test = now.aftermath["test"]
    assert (sum(test.priced), sum(test.cost), sum(test.latency)) == (2, 600, 7_500)
    assert test.requests[group("ann")] == 3
    assert replace(now, aftermath={}) == before
    assert await store.experiments.watched() == [now]


async def test_what_people_think_of_a_promoted_winner_is_counted(store: Store) -> None:
    """Each request once, by what all together think of it; not what was answered before, nor what the cache had."""
    await decided(store, promote=True)
    rows = [row(n, user, "test", created_at_us=NOON_US + n) for n, user in ((1, "bob"), (2, None))]
    before = row(3, "bob", "test", created_at_us=NOON_US - 1)
    await store.ingest.write([*rows, before, row(4, "bob", "test", status="cached")])
    opinions: tuple[tuple[int, float, str], ...] = (
        (1, 5, "k1"),
        (1, 2, "k2"),
        (1, 4, "k2"),
        (2, 3, "k1"),
        (3, 1, "k1"),
        (4, 1, "k1"),
    )
    for number, grade, principal in opinions:
        await store.feedback.rate(row(number).request_id, grade, tenant="acme", principal=principal)
    now = (await kept(store)).aftermath
    assert now is not None
    test, lone = now["test"], group(rows[1].request_id)
    assert (test.rated[group("bob")], test.quality[group("bob")]) == (1, 4_500_000)
    assert (test.rated[lone], test.quality[lone], sum(test.rated)) == (1, 3_000_000, 2)
    assert await store.experiments.roll_back("exp-1", at_us=NOON_US, reason="it is bad")


async def test_many_writers_count_every_request(store: Store) -> None:
    """At once, and again where others were in the way."""
    await decided(store, promote=True)
    batches = [[row(number * 10 + place, arm="test") for place in range(5)] for number in range(1, 7)]
    await asyncio.gather(*(patient(partial(store.ingest.write, batch)) for batch in batches))
    assert counted(await kept(store)) == {"test": (30, 0)}


async def test_of_many_who_roll_back_one_is_first(store: Store) -> None:
    """It is a change that all workers hear of; what was counted stays, and whoever comes later changes nothing."""
    await decided(store, promote=True)
    await store.ingest.write([row(1, arm="test")])
    start = await store.experiments.changes(None)
    assert start is not None
    tries = (store.experiments.roll_back("exp-1", at_us=NOON_US + n, reason=f"reason {n}") for n in range(4))
    assert sorted(await asyncio.gather(*tries)) == [False] * 3 + [True]
    changes = await store.experiments.changes(start.number)
    assert changes is not None
    (back,) = changes.experiments
    assert back.rolled_back_us is not None
    assert back.rolled_back_for == f"reason {back.rolled_back_us - NOON_US}"
    assert (back.promoted, await store.experiments.watched()) == (None, [])
    await store.experiments.stop("acme", "exp-1", at_us=NOON_US + 9)
    after = await kept(store)
    assert (after.experiment, counted(after)) == (back, {"test": (1, 0)})


async def test_stopping_takes_a_promoted_winner_back(store: Store) -> None:
    """It stays completed, with its verdict."""
    await decided(store, promote=True)
    back = (await store.experiments.stop("acme", "exp-1", at_us=NOON_US + 5)).experiment
    assert (back.status, back.verdict, back.completed_us) == ("completed", WINNER, NOON_US)
    assert (back.rolled_back_us, back.rolled_back_for) == (NOON_US + 5, "it was stopped by hand")
