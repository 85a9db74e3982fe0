"""What experiments' results say: worked out once, decided once, told once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.errors import NotFound, Unavailable
from farthing.domain.experiments.data import Data
from farthing.domain.experiments.definition import Arm, Doubt, Experiment, Phase
from farthing.domain.experiments.results import Facts, Ratio, Results
from farthing.domain.experiments.verdict import Code, Verdict
from farthing.insight.experiments import MOST_KNOWN, TRIES, Analyses
from farthing.ports.experiments import Due, Kept, Tally

SIZE = 100
ARMS = (Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5))


def experiment(name: str = "e1", **fields: Any) -> Experiment:
    """One of the tenant acme, running."""
    return Experiment(
        id=name,
        tenant="acme",
        name=f"Trial {name}",
        arms=ARMS,
        sample_size=SIZE,
        salt=name,
        phases=(Phase((0.5, 0.5), 0),),
        created_us=1,
        **fields,
    )


class Shelf:
    """A store that counts how often all results are read."""

    def __init__(self, *experiments: Experiment, clock: ManualClock) -> None:
        self.clock = clock
        self.turns: dict[tuple[str, bool], float] = {}
        self.seen: dict[str, int] = {}
        self.kept = {one.id: Kept(experiment=one) for one in experiments}
        self.reads: list[tuple[str, bool]] = []
        self.decisions = 0
        self.is_away = False
        self.is_being_rated = False
        self.is_read_only = False

    def count(self, n: int, name: str = "e1") -> None:
        """From now on it has so many results."""
        self.kept[name] = replace(self.kept[name], tally=Tally(n=n))

    def stop(self, name: str = "e1") -> None:
        """From now on it is cancelled."""
        ended = replace(self.kept[name].experiment, status="cancelled", doubt=None)
        self.kept[name] = replace(self.kept[name], experiment=ended)

    async def get(self, tenant: str | None, experiment_id: str) -> Kept:
        """As the port."""
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("away")
        if experiment_id not in self.kept or tenant == "other":
            raise NotFound("none")
        return self.kept[experiment_id]

    async def data(self, tenant: str | None, experiment_id: str, *, moves: bool = False) -> tuple[Kept, Data]:
        """As the port."""
        self.reads.append((experiment_id, moves))
        kept = await self.get(tenant, experiment_id)
        return kept, Data(n=min(kept.tally.n, kept.experiment.horizon), cohorts=())

    async def pending(self) -> Sequence[Due]:
        """As the port."""
        if self.is_away:
            raise Unavailable("away")
        found = [
            Due(experiment_id=name, sample_size=SIZE, tally=kept.tally)
            for name, kept in self.kept.items()
            if kept.experiment.status == "running" and self.seen.get(name, 0) < kept.tally.serial
        ]
        return [due for due in found if self._until(due) <= self.clock.monotonic()]

    async def claim(self, due: Due, *, seconds: float) -> bool:
        """As the port."""
        is_free = self._until(due) <= self.clock.monotonic()
        if is_free:
            self.turns[due.experiment_id, due.is_full] = self.clock.monotonic() + seconds
        await asyncio.sleep(0)
        return is_free

    async def looked(self, due: Due, *, is_done: bool, rest_s: float) -> None:
        """As the port."""
        self.turns[due.experiment_id, due.is_full] = self.clock.monotonic() + rest_s
        if is_done:
            self.seen[due.experiment_id] = due.tally.serial

    async def doubt(self, kept: Kept, doubt: Doubt | None) -> int | None:
        """As the port."""
        now = self.kept[kept.experiment.id]
        if now.revision != kept.revision:
            return None
        self.kept[kept.experiment.id] = replace(
            now, experiment=replace(now.experiment, doubt=doubt), revision=now.revision + 1
        )
        return now.revision + 1

    def _until(self, due: Due) -> float:
        return self.turns.get((due.experiment_id, due.is_full), 0.0)

    async def watched(self) -> Sequence[Kept]:
        """As the port."""
        return [kept for kept in self.kept.values() if kept.experiment.promoted is not None]

    async def roll_back(self, experiment_id: str, *, at_us: int, reason: str) -> bool:
        """As the port."""
        kept = self.kept[experiment_id]
        if self.is_read_only:
            raise Unavailable("away")
        if kept.experiment.promoted is None:
            return False
        ended = replace(kept.experiment, rolled_back_us=at_us, rolled_back_for=reason)
        self.kept[experiment_id] = replace(kept, experiment=ended)
        return True

    async def decide(self, kept: Kept, verdict: Verdict, *, at_us: int) -> bool:
        """As the port."""
        now = self.kept[kept.experiment.id]
        if self.is_being_rated or now.experiment.status != "running":
            return False
        self.decisions += 1
        ended = replace(now.experiment, status="completed", completed_us=at_us, verdict=verdict, decided_n=kept.tally.n)
        ended = replace(ended, doubt=None)
        self.kept[ended.id] = replace(now, experiment=ended, revision=1)
        return True


class World:
    """One or more workers over one store."""

    def __init__(self, *experiments: Experiment) -> None:
        self.clock = ManualClock()
        self.shelf = Shelf(*experiments, clock=self.clock)
        self.values: dict[str, bytes] = {}
        self.announced: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.codes: dict[int, Code] = {SIZE: "winner"}
        self.is_deaf = False
        self.seconds = 0.0

    def worker(self, *, shared: bool = False) -> Analyses:
        """Another worker."""
        return Analyses(
            store=self.shelf,  # type: ignore[arg-type]
            shared=self if shared else None,
            announce=self.announce,
            tell=lambda tenant, event: self.told.append((tenant, event.get("code", event["type"]))),
            clock=self.clock,
            analyse=self.analyse,
        )

    def analyse(self, about: Experiment, data: Data) -> Results:
        """A verdict by the number of results alone."""
        self.clock.advance(self.seconds)
        code = self.codes.get(data.n, "collecting")
        is_final = code not in {"collecting", "invalid"}
        verdict = about.verdict or Verdict(code=code, reason=f"{code}.", is_final=is_final)
        facts = Facts(
            id=about.id,
            status=about.status,
            phase=0,
            planned_n=SIZE,
            n=data.n,
            late=0,
            duplicates=0,
            dropped={},
            invalid_values=0,
            crossovers=0,
            decided_at=about.completed_us,
            data_hash="",
        )
        srm = Ratio(e_value=None, p_chi2=None, blocked=False)
        return Results(experiment=facts, srm=srm, arms={}, metrics=(), verdict=verdict)

    async def announce(self, notice: Notice) -> None:
        """As the outbox, which keeps a notice once."""
        if self.is_deaf:
            raise Unavailable("away")
        if notice.event_id not in self.announced:
            self.announced.append(notice.event_id)

    async def get(self, name: str) -> bytes | None:
        """As Redis."""
        return self.values.get(name)

    async def put(self, name: str, value: bytes, _: int) -> None:
        """As Redis."""
        self.values[name] = value


async def test_whoever_reads_after_the_last_result_decides() -> None:
    """At once and once, however many read; before it nothing is decided however often they do."""
    world = World(experiment())
    worker = world.worker()
    worker.follow([])
    for n in range(0, SIZE, 10):
        world.shelf.count(n)
        assert (await worker.told("acme", "e1"))[1].verdict.code == "collecting"
    assert world.shelf.decisions == 0
    world.shelf.count(SIZE)
    found = await asyncio.gather(*(worker.told("acme", "e1") for _ in range(20)))
    assert {(kept.experiment.status, results.experiment.status) for kept, results in found} == {("completed",) * 2}
    assert world.shelf.decisions == 1
    assert world.told == [("acme", "winner")]


async def test_the_same_results_are_worked_out_once() -> None:
    """By all who ask together, and anew for one more result."""
    world = World(experiment())
    worker = world.worker()
    world.shelf.count(10)
    await asyncio.gather(*(worker.told("acme", "e1") for _ in range(20)))
    await worker.told(None, "e1")
    assert world.shelf.reads == [("e1", True)]
    world.shelf.count(11)
    await worker.told(None, "e1")
    assert len(world.shelf.reads) == 2


async def test_what_one_worker_made_serves_the_others() -> None:
    """Where they have a place in common; what stands there and is none is passed over."""
    world = World(experiment())
    world.shelf.count(10)
    one, other, third = (world.worker(shared=True) for _ in range(3))
    assert await one.told(None, "e1") == await other.told(None, "e1")
    assert len(world.shelf.reads) == 1
    world.values = dict.fromkeys(world.values, b'{"verdict": {"code": "winner"}}')
    assert (await third.told(None, "e1"))[1].verdict.code == "collecting"
    assert len(world.shelf.reads) == 2


async def test_an_experiment_is_decided_though_nobody_asks() -> None:
    """By one of all workers, within a look of its last result; all who watch are told once, and one notice is kept."""
    world = World(experiment())
    workers = [world.worker() for _ in range(3)]
    for worker in workers:
        worker.follow([world.shelf.kept["e1"].experiment])
    world.shelf.count(SIZE)
    for _ in range(3):
        for worker in workers:
            await worker.look()
            worker.follow([kept.experiment for kept in world.shelf.kept.values()])
    assert world.shelf.decisions == 1
    assert world.announced == ["experiment:e1:winner"]
    assert world.told == [("acme", "winner")] * len(workers)


async def test_a_look_takes_what_is_new_and_no_chart() -> None:
    """Nothing is read twice, and a dear analysis rests for long, but for the last result."""
    world = World(experiment())
    worker = world.worker()
    world.seconds = 0.5
    world.shelf.count(10)
    await worker.look()
    await worker.look()
    assert world.shelf.reads == [("e1", False)]
    world.shelf.count(11)
    world.clock.advance(9.0)
    await worker.look()
    assert len(world.shelf.reads) == 1
    world.clock.advance(1.1)
    await worker.look()
    assert len(world.shelf.reads) == 2
    world.shelf.count(SIZE)
    await worker.look()
    assert world.shelf.decisions == 1


async def test_a_worker_that_starts_announces_the_latest_verdicts() -> None:
    """In case that who decided died before it could; nobody watches it yet, and old ones are known."""
    verdict = Verdict(code="winner", reason="Cheaper.", is_final=True)
    world = World()
    now_us = world.clock.now_us()
    late = experiment("late", status="completed", completed_us=now_us - 60_000_000, verdict=verdict)
    old = experiment("old", status="completed", completed_us=now_us - 7_200_000_000, verdict=verdict)
    worker = world.worker()
    worker.follow([late, old])
    await worker.look()
    assert world.announced == ["experiment:late:winner"]
    assert world.told == []


async def test_an_announcement_waits_for_the_database() -> None:
    """And is made once."""
    world = World(experiment())
    worker = world.worker()
    world.shelf.count(SIZE)
    world.is_deaf = True
    await worker.look()
    world.shelf.is_away = True
    await worker.look()
    assert world.announced == []
    world.shelf.is_away = world.is_deaf = False
    await worker.look()
    assert world.announced == ["experiment:e1:winner"]


async def test_what_is_not_followed_any_more_is_forgotten() -> None:
    """A worker's memory does not grow with all experiments that there ever were."""
    world = World(experiment())
    world.codes |= {10: "invalid"}
    worker = world.worker()
    worker.follow([experiment()])
    world.shelf.count(10)
    await worker.look()
    for named in ([world.shelf.kept["e1"].experiment], [experiment("e2")], [world.shelf.kept["e1"].experiment]):
        worker.follow(named)
    assert world.told == [("acme", "invalid")] * 2


async def test_few_results_are_kept() -> None:
    """Those that were asked for last."""
    names = [f"e{number}" for number in range(MOST_KNOWN + 1)]
    world = World(*map(experiment, names))
    worker = world.worker()
    for name in [*names, names[-1], names[0]]:
        await worker.told(None, name)
    assert len(world.shelf.reads) == MOST_KNOWN + 2


async def test_ratings_without_end_put_a_decision_off() -> None:
    """It says so, and the next look tries again."""
    world = World(experiment())
    worker = world.worker()
    world.shelf.count(SIZE)
    world.shelf.is_being_rated = True
    with pytest.raises(Unavailable, match="rated faster"):
        await worker.told("acme", "e1")
    assert len(world.shelf.reads) == TRIES
    await worker.look()
    world.shelf.is_being_rated = False
    await worker.look()
    assert world.shelf.decisions == 1


async def test_another_tenants_experiment_is_not_there() -> None:
    """Not even where its results are known."""
    world = World(experiment())
    worker = world.worker()
    await worker.told("acme", "e1")
    with pytest.raises(NotFound):
        await worker.told("other", "e1")
