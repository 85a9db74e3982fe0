"""Of all workers one looks at an experiment with news, and all hear what speaks against it."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from farthing.domain.experiments.definition import Doubt
from farthing.domain.experiments.verdict import Verdict
from farthing.ports.experiments import Due
from farthing.store import Store
from farthing.store.schema import counters
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.test_experiments import kept, patient
from tests.conformance.store.trials import WINNER, experiment, result

LONG_S = 3_600.0
INVALID = Doubt(1, Verdict(code="invalid", reason="Users did not reach the arms.", caveats=("one",)))


@pytest.fixture
async def running(store: Store) -> Store:
    """A store with one experiment of two planned results, one of which is there."""
    await store.experiments.create(experiment(sample_size=2))
    await store.experiments.record("acme", "exp-1", result("r1"))
    return store


async def due(store: Store) -> Due:
    """The only one that somebody should look at."""
    (found,) = await store.experiments.pending()
    return found


async def test_running_experiments_with_news_are_pending(store: Store) -> None:
    """Not those without results, nor those that were looked at since, nor those that ended."""
    assert await store.experiments.pending() == []
    await store.experiments.create(experiment())
    assert await store.experiments.pending() == []
    await store.experiments.record("acme", "exp-1", result("r1"))
    found = await due(store)
    assert (found.experiment_id, found.sample_size, found.tally, found.is_full) == (
        "exp-1",
        100,
        (await kept(store)).tally,
        False,
    )
    await store.experiments.looked(found, is_done=True, rest_s=0)
    assert await store.experiments.pending() == []
    await store.experiments.refuse("acme", "exp-1")
    assert (await due(store)).tally.invalid == 1
    await store.experiments.stop(None, "exp-1", at_us=NOON_US)
    assert await store.experiments.pending() == []


async def test_of_many_who_would_look_one_does(running: Store) -> None:
    """Until its time is over, or it has looked and rested; what was not done is due again."""
    found = await due(running)
    claims = [patient(lambda: running.experiments.claim(found, seconds=LONG_S)) for _ in range(6)]
    assert sorted(await asyncio.gather(*claims)) == [False] * 5 + [True]
    assert await running.experiments.pending() == []
    await running.experiments.looked(found, is_done=False, rest_s=0)
    assert await due(running) == found
    assert await running.experiments.claim(found, seconds=-1)
    assert await running.experiments.claim(found, seconds=LONG_S)
    await running.experiments.looked(found, is_done=True, rest_s=LONG_S)
    await running.experiments.refuse("acme", "exp-1")
    assert await running.experiments.pending() == []


async def test_the_last_result_waits_for_no_rest(running: Store) -> None:
    """To decide is a turn of its own; nothing of turns stays behind after the verdict, or a stop."""
    found = await due(running)
    assert await running.experiments.claim(found, seconds=LONG_S)
    await running.experiments.record("acme", "exp-1", result("r2"))
    full = await due(running)
    assert full.is_full
    assert await running.experiments.claim(full, seconds=LONG_S)
    assert await running.experiments.decide(await kept(running), WINNER, at_us=NOON_US)
    await running.experiments.create(experiment(id="exp-2"))
    await running.experiments.record("acme", "exp-2", result("r1"))
    other = await due(running)
    await running.experiments.looked(other, is_done=True, rest_s=LONG_S)
    await running.experiments.stop(None, "exp-2", at_us=NOON_US)
    # A worker that was looking, or was about to, when another's verdict came.
    await running.experiments.looked(full, is_done=True, rest_s=LONG_S)
    assert not await running.experiments.claim(other, seconds=LONG_S)
    async with running.experiments._engines.reading() as connection:
        assert list((await connection.execute(sa.select(counters.c.name))).scalars()) == ["experiments"]


async def test_a_doubt_is_kept_for_all_until_the_end(running: Store) -> None:
    """It is no verdict, and a change like any other: who looked at what was before comes too late."""
    before = await kept(running)
    last = await running.experiments.changes(None)
    assert last is not None
    revision = await running.experiments.doubt(before, INVALID)
    now = await kept(running)
    assert (now.revision, now.experiment.doubt, now.experiment.verdict) == (revision, INVALID, None)
    changes = await running.experiments.changes(last.number)
    assert changes is not None
    assert [each.doubt for each in changes.experiments] == [INVALID]
    assert await running.experiments.doubt(before, None) is None
    assert not await running.experiments.decide(before, WINNER, at_us=NOON_US)
    assert await running.experiments.doubt(now, None) is not None
    assert (await kept(running)).experiment.doubt is None


async def test_what_has_ended_is_in_no_doubt(running: Store) -> None:
    """Stopped by hand, it has neither a verdict nor a doubt; with a verdict it has that alone."""
    await running.experiments.create(experiment(id="exp-2"))
    for name in ("exp-1", "exp-2"):
        await running.experiments.doubt(await kept(running, name), INVALID)
    stopped = await running.experiments.stop(None, "exp-1", at_us=NOON_US)
    assert (stopped.experiment.doubt, stopped.experiment.verdict) == (None, None)
    assert await running.experiments.doubt(stopped, INVALID) is None
    assert await running.experiments.decide(await kept(running, "exp-2"), WINNER, at_us=NOON_US)
    ended = (await kept(running, "exp-2")).experiment
    assert (ended.doubt, ended.verdict) == (None, WINNER)
