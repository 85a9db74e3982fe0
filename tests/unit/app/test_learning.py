"""From rated requests to strategies that have learned, in every worker, over a restart and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from farthing.app import snapshots, training
from farthing.app.gateway import Gateway
from farthing.app.learned import FollowedLearning
from farthing.app.learning import Learning
from farthing.app.ratings import FollowedRatings
from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.app.training import Trainer
from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.domain.alerts import Notice
from farthing.domain.errors import Unavailable
from farthing.domain.routing import STRATEGIES
from farthing.domain.secrecy import Secret
from farthing.insight.learning.retraining import Tell, TrainingFailed
from farthing.money.ledger import Ledger
from farthing.ports.learning import Learned, Run, Trained
from farthing.providers.fake import FakeTransport
from farthing.store import open_store
from tests.conformance.store.samples import NOON_US
from tests.unit.app.conftest import SettingsOf
from tests.unit.app.lessons import MODELS, teach
from tests.unit.domain.routing.samples import THREE, ask

# Trainings give way to everything else that the machine does.
pytestmark = pytest.mark.timeout(300)

OFF = "[learning]\nkeep_prompts = false\n"


async def ignore(_: Notice) -> None:
    """Nobody listens."""


class Worker:
    """One worker's part of learning."""

    def __init__(self, settings_of: SettingsOf, supervisor: Supervisor) -> None:
        self.clock = ManualClock(NOON_US)
        settings = settings_of()
        self.storage = Storage(settings, self.clock)
        self.refresher = Refresher(
            settings=settings,
            storage=self.storage,
            ledger=Ledger(self.clock),
            transport=FakeTransport(),
            clock=self.clock,
        )
        self.ids = 0
        self.learning = Learning(
            settings=settings,
            storage=self.storage,
            clock=self.clock,
            new_id=self._new_id,
            spawn=supervisor.spawn,
            announce=ignore,
            is_lost=lambda: self.refresher.has_lost_what_was_learned,
            in_force=lambda: ((), None),
        )
        supervisor.keep(self.refresher.learn, "learning")

    def _new_id(self) -> str:
        self.ids += 1
        return f"run-{self.ids}"

    async def run(self, *, dry_run: bool = False) -> Run:
        """A training in a process of its own, from its beginning to its end."""
        return await (await self.learning.retraining.start(dry_run=dry_run))

    async def knows(self, *, much: bool = True) -> bool:
        """Whether requests are soon decided by what was learned, or by nothing, in less than the promised second."""
        began = time.monotonic()
        while time.monotonic() - began < 10:
            await self.refresher.refresh()
            if (self.refresher.snapshots.current.strategies is not STRATEGIES) is much:
                return True
            await asyncio.sleep(0.01)
        return False

    def expected(self, text: str) -> dict[str, float]:
        """The quality of each model for a prompt, as requests are decided by it now."""
        plan = self.refresher.snapshots.current.strategies["learning"].plan(ask(text), THREE)
        found: dict[str, float] = plan.metadata["expected"]
        return found


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    """Of what runs beside."""
    async with Supervisor(grace_s=5) as supervisor:
        yield supervisor


@pytest.fixture
async def workers(settings_of: SettingsOf, supervisor: Supervisor) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two that share a database, in which rated requests are."""
    pair = Worker(settings_of, supervisor), Worker(settings_of, supervisor)
    await pair[0].storage.prepare()
    await teach(pair[0].storage.store, from_us=NOON_US)
    yield pair
    for worker in pair:
        worker.learning.retraining.stop()
    await supervisor.stop()
    for worker in pair:
        await worker.storage.aclose()


@pytest.fixture
def trained_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, to which what it needs is known already."""

    async def train(trainer: Trainer, tell: Tell) -> Trained:
        store = open_store(trainer._url, clock=ManualClock(NOON_US), secret=trainer._secret)
        try:
            return await training.train(store, tell)
        finally:
            await store.aclose()

    monkeypatch.setattr(Trainer, "__call__", train)


async def test_what_one_learns_all_know(
    workers: tuple[Worker, Worker], settings_of: SettingsOf, supervisor: Supervisor
) -> None:
    """A dry run changes nothing; what is kept is in force everywhere, and after a restart."""
    one, other = workers
    await one.refresher.first_refresh()
    tried = await one.run(dry_run=True)
    assert (tried.outcome, tried.summary["labels"], tried.summary["compared_with"]) == ("dry_run", 40, "mean")
    assert tried.summary["error_after"] < tried.summary["error_before"]
    assert await one.storage.store.runs.number() == 0
    assert one.refresher.snapshots.current.strategies is STRATEGIES
    assert (await one.run()).outcome == "kept"
    assert await one.knows()
    assert await other.knows()
    restarted = Worker(settings_of, supervisor)
    await restarted.refresher.first_refresh()
    assert await restarted.knows()
    await supervisor.stop()
    await restarted.storage.aclose()


@pytest.mark.usefixtures("trained_here")
async def test_the_first_request_is_decided_by_what_was_learned(
    workers: tuple[Worker, Worker], settings_of: SettingsOf
) -> None:
    """A start waits for it."""
    one, _ = workers
    assert (await one.run()).outcome == "kept"
    settings = settings_of(f'{MODELS}[database]\nurl = "{one.storage._url}"\n')
    async with Gateway(settings, "1").running() as services:
        assert services.snapshots.current.strategies is not STRATEGIES


@pytest.mark.usefixtures("trained_here")
async def test_a_start_waits_for_no_more_than_it_must(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing where nothing is learned, and no longer than some hundred ms for a database that takes its time."""
    one, other = workers
    await one.refresher.first_refresh()
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "FIRST_LEARN_S", float("inf"))
        await one.refresher.first_learn()
    await one.run()
    runs, is_there = other.storage.store.runs, asyncio.Event()
    active = runs.active

    async def late() -> Learned | None:
        await is_there.wait()
        return await active()

    monkeypatch.setattr(runs, "active", late)
    monkeypatch.setattr(snapshots, "FIRST_LEARN_S", 0.01)
    await other.refresher.first_refresh()
    await other.refresher.first_learn()
    assert other.refresher.snapshots.current.strategies is STRATEGIES
    is_there.set()
    assert await other.knows()


@pytest.mark.usefixtures("trained_here")
async def test_a_training_has_to_be_better_than_what_is_in_force(workers: tuple[Worker, Worker]) -> None:
    """On ratings that are newer; and what is in force can be gone back from."""
    one, other = workers
    assert (await one.run()).outcome == "kept"
    assert (await one.run()).outcome == "not_better"
    one.clock.advance(3_600)
    assert (await other.learning.retraining.status()).labels == {"large": 20, "small": 20}
    turn = await other.storage.store.runs.begin("by-hand", at_us=one.clock.now_us(), summary={})
    assert turn is not None
    assert await other.storage.store.runs.finish("by-hand", turn, "kept", {"models": {}}, b"no predictor")
    assert await one.knows(much=False)
    assert (await one.learning.retraining.rollback()).id == "run-1"
    assert await one.knows()
    assert await other.knows()


@pytest.mark.usefixtures("trained_here")
async def test_the_floor_of_the_settings_holds_for_what_was_learned(workers: tuple[Worker, Worker]) -> None:
    """As soon as it changes; the same strategies go on while nothing does."""
    one, _ = workers
    followed = FollowedLearning(one.storage.store.runs, FollowedRatings(one.storage.store.lessons))
    assert followed.strategies(0.02) is STRATEGIES
    await one.run()
    await followed.look()
    assert await followed.load()
    assert followed.rated == {"large": 20, "small": 20}
    assert followed.strategies(0.02) is followed.strategies(0.02)
    assert followed.strategies(0.02) is not followed.strategies(0.05)


@pytest.mark.usefixtures("trained_here")
async def test_ratings_count_before_the_next_training(workers: tuple[Worker, Worker]) -> None:
    """A model whose poems are no good any more is expected to be worse by every worker, by the same."""
    one, other = workers
    await one.run()
    assert await one.knows()
    assert await other.knows()
    before = one.expected("Write a poem about shore 3.")
    one.clock.advance(60)
    await teach(one.storage.store, 40, from_us=NOON_US + 60_000_500, large=1)
    for worker in (one, other):
        await worker.refresher.refresh()
        await worker.refresher.refresh()
    after = one.expected("Write a poem about shore 3.")
    assert after == other.expected("Write a poem about shore 3.")
    assert after["large"] < before["large"] - 0.2
    assert after["small"] > after["large"]


@pytest.mark.usefixtures("trained_here")
async def test_while_the_database_is_away_what_was_learned_stays(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it goes before it is asked for news or before it has told them: the next look asks again."""
    one, _ = workers
    runs = one.storage.store.runs
    followed = FollowedLearning(runs, FollowedRatings(one.storage.store.lessons))
    await one.run()

    async def away() -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "number", away)
        await followed.look()
    await followed.look()
    with monkeypatch.context() as patch:
        patch.setattr(runs, "active", away)
        assert not await followed.load()
    assert followed.predictor is None
    await followed.look()
    assert await followed.load()
    assert followed.predictor is not None


@pytest.mark.usefixtures("trained_here")
async def test_what_is_not_ours_cannot_be_compared_with(workers: tuple[Worker, Worker]) -> None:
    """A gateway whose secret has changed learns as if it had learned nothing."""
    one, _ = workers
    await one.run()
    trainer = Trainer(one.storage._url, Secret(b"another secret"))
    told: list[str] = []
    found = await trainer(lambda phase, _: told.append(phase))
    assert (found.is_better, found.summary["compared_with"]) == (True, "mean")
    assert told == ["testing"] * 5 + ["learning"]


async def test_a_process_that_breaks_is_told_of(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that takes for ever is ended."""
    one, _ = workers
    monkeypatch.setattr(training, "_PROGRAM", "import sys; sys.exit(7)")
    found = await one.run()
    assert (found.outcome, found.summary["reason"]) == ("failed", "The process that trains ended with status 7.")
    monkeypatch.setattr(training, "_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(training, "LONGEST_S", 0.1)
    with pytest.raises(TrainingFailed, match="It took more than 0 minutes"):
        await Trainer(one.storage._url, Secret(b"secret"))(lambda *_: None)


async def test_a_database_that_is_away_ends_a_training() -> None:
    """With the reason."""
    with pytest.raises(TrainingFailed, match="went away"):
        await Trainer("sqlite:////nowhere/at/all.db", Secret(b"secret"))(lambda *_: None)


async def test_questions_are_written_and_swept(
    workers: tuple[Worker, Worker], settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written waits; who wants none kept has none."""
    one, _ = workers
    store, noted = one.storage.store.lessons, one.learning.lessons

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    await teach(one.storage.store, 1, from_us=NOON_US + 1)
    (first, *_), kept = await store.rated(), len(await store.rated())
    with monkeypatch.context() as patch:
        patch.setattr(store, "keep", away)
        patch.setattr(store, "sweep", away)
        noted.give_back([])
        await one.learning.keep()
        await one.learning.sweep()
    assert first.prompt.startswith("Write")
    await one.learning.sweep()
    assert len(await store.rated()) == kept
    one.learning.configure(settings_of(OFF))
    await one.learning.sweep()
    assert await store.rated() == []


@pytest.mark.usefixtures("trained_here")
async def test_the_clock_of_the_settings_trains(workers: tuple[Worker, Worker], settings_of: SettingsOf) -> None:
    """Where it is to."""
    one, _ = workers
    one.learning.configure(settings_of("[learning]\nretrain_every_hours = 0\n"))
    await one.learning.tend()
    assert await one.storage.store.runs.runs() == []
    one.learning.configure(settings_of())
    await one.learning.tend()
    assert [run.summary["by_hand"] for run in await one.storage.store.runs.runs()] == [False]


@pytest.mark.usefixtures("trained_here")
async def test_what_cannot_be_read_is_learned_anew(workers: tuple[Worker, Worker]) -> None:
    """Within the hour, not within the day."""
    one, _ = workers
    runs = one.storage.store.runs
    turn = await runs.begin("other", at_us=one.clock.now_us(), summary={})
    assert turn is not None
    assert await runs.finish("other", turn, "kept", {}, b"of another release")
    await one.refresher.first_refresh()
    for _ in range(1_000):
        if one.refresher.has_lost_what_was_learned:
            break
        await asyncio.sleep(0.005)
    one.clock.advance(3_599)
    await one.learning.tend()
    assert [run.id for run in await runs.runs()] == ["other"]
    one.clock.advance(1)
    await one.learning.tend()
    assert await one.knows()
    assert not one.refresher.has_lost_what_was_learned
