"""A promise over simulated traffic: requests, pairs, tests and workers that follow, on every database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.ids import uuid7
from farthing.insight.learning.promising import Promising
from farthing.money.ledger import Ledger
from farthing.ports.learning import Pair
from farthing.providers.fake import answer
from farthing.settings import load
from tests.unit.gateway.rig import Rig, chat, completion

NOW_US = 1_795_219_200_000_000
DAY_S = 86_400.0
FILE = """
[routing]
strategy = "complexity"
baseline = "large"
[providers.local]
dialect = "openai"
base_url = "http://127.0.0.1:1/v1"
[[models]]
name = "small"
provider = "local"
tier = "simple"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
[[models]]
name = "large"
provider = "local"
tier = "complex"
input_usd_per_mtok = 10
output_usd_per_mtok = 20
[[routes]]
name = "support"
where = "tag"
value = "team=support"
promise_points = 0.1
[learning]
shadow_share = 0.5
judge = "large"
"""


class World:
    """Two workers over one database, of whom the first tests promises, and models of a known quality."""

    def __init__(self, url: str, folder: Path) -> None:
        path = folder / "farthing.toml"
        path.write_text(FILE)
        settings = load(path, {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "DATABASE_URL": url})
        self.clock = ManualClock(NOW_US)
        self.rig = Rig(lambda _: answer(completion()))
        self.storage = Storage(settings, self.clock)
        self.workers = [
            Refresher(
                settings=settings,
                storage=self.storage,
                ledger=Ledger(self.clock),
                transport=self.rig.transport,
                clock=self.clock,
            )
            for _ in range(2)
        ]
        self.pipeline = replace(self.rig.pipeline, snapshots=self.workers[1].snapshots)
        self.notices: list[Notice] = []
        self.promising = Promising(
            pairs=self.storage.store.comparisons,
            tests=self.storage.store.promises,
            in_force=self.workers[0].in_force,
            announce=self._announce,
            clock=self.clock,
        )

    async def _announce(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def asked(self, count: int, *, loss: float) -> set[str | None]:
        """The models that answer so many requests, each of which is compared: the small one loses so much."""
        before = len(self.rig.journal.settled)
        for number in range(count):
            self.clock.advance(1)
            await self.pipeline.run(self.rig.call(chat(model="auto"), key=None, tags={"team": "support"}))
            exchange = self.rig.journal.settled[-1]
            told = json.loads(str(exchange.decision))["metadata"]["promise"]
            served = str(exchange.model)
            worth = {"small": 0.9 - loss, "large": 0.9}
            other = told["challenger"] if served == "large" else "large"
            await self.storage.store.comparisons.keep(
                Pair(
                    request_id=uuid7(self.clock.now_us(), 2 * number),
                    other_request_id=uuid7(self.clock.now_us(), 2 * number + 1),
                    created_at_us=self.clock.now_us(),
                    tenant="local",
                    rule=told["rule"],
                    pattern="general",
                    served_model=served,
                    other_model=other,
                    baseline_model="large",
                    served_quality=worth[served],
                    other_quality=worth[other],
                    short=told["short"],
                    cost=1,
                )
            )
        return {exchange.model for exchange in self.rig.journal.settled[before:]}

    async def tested(self) -> None:
        """The promise is tested where that is due, and both workers look at the database once."""
        await self.promising.tend()
        for worker in self.workers:
            await worker.refresh()


@pytest.fixture(params=["sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """With an empty database of each kind."""
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'farthing.db'}" if is_file else request.getfixturevalue("postgres_database")
    world = World(url, tmp_path)
    await world.storage.prepare()
    for worker in world.workers:
        await worker.first_refresh()
    yield world
    await world.storage.aclose()


async def test_a_route_falls_back_to_the_baseline_and_returns(world: World) -> None:
    """Too few pairs, enough of them, a cheap model that gets worse, and one that is good again."""
    assert await world.asked(21, loss=0.0) == {"large"}
    await world.tested()
    assert await world.asked(20, loss=0.0) == {"large"}
    await world.tested()
    assert await world.asked(20, loss=0.5) == {"small"}
    await world.tested()
    assert await world.asked(5, loss=0.5) == {"large"}
    world.clock.advance(31 * DAY_S)
    assert await world.asked(30, loss=0.0) == {"large"}
    await world.tested()
    assert await world.asked(5, loss=0.0) == {"small"}
    assert [notice.kind for notice in world.notices] == ["promise.kept", "promise.unmet", "promise.kept"]
