"""Requests meet the experiments that the database has, soon after they change, and while it is away the last ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.app.trials import FollowedTrials
from farthing.background.clock import ManualClock
from farthing.domain.errors import NotFound, Unavailable
from farthing.money.ledger import Ledger
from farthing.providers.fake import FakeTransport
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.trials import WINNER, experiment, result
from tests.unit.app.conftest import SettingsOf


@pytest.fixture
async def storage(settings_of: SettingsOf) -> AsyncIterator[Storage]:
    """With an empty database."""
    storage = Storage(settings_of(), ManualClock(NOON_US))
    await storage.prepare()
    yield storage
    await storage.aclose()


def ids(followed: FollowedTrials) -> list[str]:
    """The experiments that requests meet."""
    return [each.id for each in followed.trials.experiments]


async def test_changes_are_taken_over_and_nothing_else_is(storage: Storage) -> None:
    """A new experiment, one that ended, and none of their results."""
    store = storage.store.experiments
    followed = FollowedTrials(store)
    assert not followed.is_known
    assert followed.trials.named("exp-1", tenant="acme", user="ann") is None
    assert await followed.refresh()
    with pytest.raises(NotFound):
        followed.trials.named("exp-1", tenant="acme", user="ann")
    await store.create(experiment())
    await store.create(experiment(id="exp-2"))
    assert await followed.refresh()
    assert ids(followed) == ["exp-1", "exp-2"]
    before = followed.trials
    await store.record("acme", "exp-1", result("r1"))
    assert not await followed.refresh()
    assert followed.trials is before
    assert await store.decide(await store.get(None, "exp-2"), WINNER, at_us=5)
    assert await followed.refresh()
    assert [(each.id, each.status) for each in followed.trials.experiments] == [
        ("exp-1", "running"),
        ("exp-2", "completed"),
    ]


async def test_while_the_database_is_away_the_last_ones_stay(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """And before it was ever there nothing is known."""
    store = storage.store.experiments
    await store.create(experiment())
    followed, late = FollowedTrials(store), FollowedTrials(store)
    await followed.refresh()

    async def away(_: int | None) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(store, "changes", away)
    assert not await followed.refresh()
    assert not await late.refresh()
    assert (ids(followed), late.is_known) == (["exp-1"], False)


def refresher_of(storage: Storage, settings_of: SettingsOf) -> Refresher:
    """What keeps the snapshot of a gateway with this database."""
    return Refresher(
        settings=settings_of(),
        storage=storage,
        ledger=Ledger(ManualClock(NOON_US)),
        transport=FakeTransport(),
        clock=ManualClock(NOON_US),
    )


async def test_of_two_looks_at_once_none_brings_back_the_past(
    storage: Storage, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one asks when the first one's answer is in force, however long that took."""
    store = storage.store.experiments
    await store.create(experiment())
    refresher = refresher_of(storage, settings_of)
    read, asked = store.changes, []

    async def slowly(since: int | None) -> Any:
        asked.append(since)
        found = await read(since)
        for _ in range(50 if len(asked) == 1 else 0):
            await asyncio.sleep(0)
        return found

    monkeypatch.setattr(store, "changes", slowly)
    await asyncio.gather(refresher.refresh(), refresher.refresh())
    assert asked == [None, 1]
    assert [each.id for each in refresher.snapshots.current.trials.experiments] == ["exp-1"]


async def test_the_next_request_meets_a_new_experiment(storage: Storage, settings_of: SettingsOf) -> None:
    """As soon as the snapshot was refreshed."""
    refresher = refresher_of(storage, settings_of)
    await refresher.first_refresh()
    await storage.store.experiments.create(experiment())
    await refresher.refresh()
    part = refresher.snapshots.current.trials.named("exp-1", tenant="acme", user="ann")
    assert part is not None
    assert part.experiment == experiment()
