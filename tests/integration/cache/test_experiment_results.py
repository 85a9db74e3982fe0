"""What an experiment's results say is kept in a real Redis for all workers, until there is one more."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from farthing.background.clock import ManualClock
from farthing.cache import RedisLink, RedisValues
from farthing.domain.alerts import Notice
from farthing.domain.experiments.data import Data
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.results import Results
from farthing.insight.experiments import KEPT_S, Analyses, analysed
from farthing.store import Store, open_store
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.trials import experiment, result
from tests.servers.redis import Redis


class Worker:
    """One that counts what it has to work out itself."""

    def __init__(self, store: Store, link: RedisLink) -> None:
        self.analysed = 0
        self.analyses = Analyses(
            store=store.experiments,
            shared=RedisValues(link),
            announce=self.announce,
            tell=self.tell,
            clock=ManualClock(NOON_US),
            analyse=self.analyse,
        )

    def analyse(self, about: Experiment, data: Data) -> Results:
        """As it is done."""
        self.analysed += 1
        return analysed(about, data)

    async def announce(self, notice: Notice) -> None:
        """Nobody is told."""

    def tell(self, tenant: str, event: Mapping[str, Any]) -> None:
        """Nobody watches."""

    async def n(self) -> int:
        """How many results it tells of."""
        _, results = await self.analyses.told("acme", "exp-1")
        return results.experiment.n


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """With one experiment."""
    shutil.copy(migrated_file, tmp_path / "farthing.db")
    store = open_store(f"sqlite:///{tmp_path / 'farthing.db'}", clock=ManualClock(NOON_US))
    await store.experiments.create(experiment())
    yield store
    await store.aclose()


@pytest.fixture
async def link(redis_database: str) -> AsyncIterator[RedisLink]:
    """To an empty Redis."""
    link = RedisLink(redis_database, clock=ManualClock(NOON_US), prefix="test:")
    yield link
    await link.aclose()


async def test_what_one_worker_worked_out_serves_all_until_the_next_result(store: Store, link: RedisLink) -> None:
    """In full, with the chart, for some minutes; one more result, or a change of the experiment, is worked out anew."""
    one, other = Worker(store, link), Worker(store, link)
    for number, (user, arm) in enumerate((("ann", "control"), ("bob", "test"), ("cid", "control"))):
        await store.experiments.record("acme", "exp-1", result(f"r{number}", user, arm))
    first = await one.analyses.told("acme", "exp-1")
    assert await other.analyses.told("acme", "exp-1") == first
    assert (one.analysed, other.analysed, first[1].experiment.n) == (1, 0, 3)
    (key,) = await link.client.keys("test:experiment:exp-1:*")
    assert 0 < await link.client.ttl(key) <= KEPT_S
    await store.experiments.record("acme", "exp-1", result("r3", "dan", "test"))
    assert [await other.n(), await one.n()] == [4, 4]
    assert (one.analysed, other.analysed) == (1, 1)
    await store.experiments.stop("acme", "exp-1", at_us=NOON_US)
    assert (await one.analyses.told("acme", "exp-1"))[1].experiment.status == "cancelled"
    assert await other.n() == 4
    assert (one.analysed, other.analysed) == (2, 1)


async def test_without_redis_every_worker_works_out_its_own(store: Store, link: RedisLink, redis_server: Redis) -> None:
    """Nobody waits for it, and nobody hears of it."""
    one, other = Worker(store, link), Worker(store, link)
    await store.experiments.record("acme", "exp-1", result("r1"))
    assert await one.n() == 1
    redis_server.kill()
    assert [await other.n(), await one.n()] == [1, 1]
    assert (one.analysed, other.analysed) == (1, 1)
