"""A promise over simulated traffic: requests, a judge, tests and workers that follow, on every database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.background.supervisor import Supervisor
from farthing.domain.alerts import Notice
from farthing.domain.ids import uuid7
from farthing.gateway.comparing import Comparing
from farthing.gateway.errand import Errands
from farthing.gateway.shadows import Shadows
from farthing.insight.learning.promising import Promising
from farthing.ports import UpstreamRequest
from farthing.providers.fake import Behaviour, answer
from farthing.settings import load
from tests.unit.gateway.rig import Rig, chat, completion

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
[[models]]
name = "referee"
provider = "local"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
[[routes]]
name = "support"
where = "tag"
value = "team=support"
promise_points = 0.1
[learning]
shadow_share = 0.5
judge = "referee"
"""


class World:
    """Two workers over one database, the first of whom tests promises; the second's answers are all compared."""

    def __init__(self, url: str, folder: Path) -> None:
        path = folder / "farthing.toml"
        path.write_text(FILE)
        settings = load(path, {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "DATABASE_URL": url})
        self.worse = False
        """Whether the judge finds the small model's answers worse than the large one's."""
        self.rig = Rig(self._answer)
        self.clock = self.rig.clock
        self.storage = Storage(settings, self.clock)
        self.workers = [
            Refresher(
                settings=settings,
                storage=self.storage,
                ledger=self.rig.ledger,
                transport=self.rig.transport,
                clock=self.clock,
            )
            for _ in range(2)
        ]
        shadows, snapshots = Shadows(lambda: 0.0), self.workers[1].snapshots
        self.pipeline = replace(self.rig.pipeline, snapshots=snapshots, shadows=shadows)
        self.comparing = Comparing(
            snapshots=snapshots,
            shadows=shadows,
            errands=Errands(recorder=self.rig.recorder, dispatch=self.pipeline.dispatch, new_id=self._new_id),
            lessons=self.pipeline.lessons,
            comparisons=self.storage.store.comparisons,
            feedback=self.storage.store.feedback,
            flush=self._flush,
        )
        self.ids = 0
        self.notices: list[Notice] = []
        self.promising = Promising(
            pairs=self.storage.store.comparisons,
            tests=self.storage.store.promises,
            in_force=self.workers[0].in_force,
            announce=self._announce,
            clock=self.clock,
        )

    def _answer(self, request: UpstreamRequest) -> Behaviour:
        body = json.loads(request.body)
        if body["model"] != "referee":
            return answer(completion(f"By {body['model']}.", model=body["model"]))
        shown = json.loads(body["messages"][-1]["content"])
        grades = {name: 2 if self.worse and "small" in shown[f"{name} answer"] else 5 for name in ("first", "second")}
        return answer(completion(json.dumps(grades), model="referee"))

    def _new_id(self) -> str:
        self.ids += 1
        return uuid7(self.clock.now_us(), self.ids)

    async def _flush(self) -> None:
        """What was bought is in no ledger here."""

    async def _announce(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def asked(self, count: int, *, worse: bool = False) -> set[str | None]:
        """The models that answer so many requests, each of which is compared."""
        self.worse = worse
        found = set()
        for _ in range(count):
            self.clock.advance(1)
            call = self.rig.call(chat("What is a farthing?", model="auto"), key=None, tags={"team": "support"})
            reply = await self.pipeline.run(replace(call, request_id=self._new_id()))
            found.add(reply.draft.answered_by[0])
            for _ in range(50):
                await asyncio.sleep(0)
        await self.comparing.keep()
        return found

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
        await worker.first_refresh_spending()
        await worker.refresh()
    async with Supervisor(grace_s=1) as supervisor:
        supervisor.keep(world.comparing.work, "comparing")
        yield world
    await world.storage.aclose()


async def test_a_route_falls_back_to_the_baseline_and_returns(world: World) -> None:
    """Too few pairs, enough of them, a cheap model that gets worse, and one that is good again."""
    assert await world.asked(21) == {"large"}
    await world.tested()
    assert await world.asked(20) == {"large"}
    await world.tested()
    assert await world.asked(20, worse=True) == {"small"}
    await world.tested()
    assert await world.asked(5, worse=True) == {"large"}
    world.clock.advance(31 * DAY_S)
    assert await world.asked(30) == {"large"}
    await world.tested()
    assert await world.asked(5) == {"small"}
    assert [notice.kind for notice in world.notices] == ["promise.kept", "promise.unmet", "promise.kept"]
