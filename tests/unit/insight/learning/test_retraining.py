"""Learning anew: by hand or by the clock, one at a time, and never for the worse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Conflict, Unavailable
from farthing.insight.learning import retraining
from farthing.insight.learning.retraining import Retraining, Tell, TrainingFailed
from farthing.ports.learning import Opinions, Outcome, Run, Trained

NOW_US = 1_764_590_400_000_000
ENOUGH = {"small": 5, "large": 9}
BETTER = Trained(is_better=True, summary={"error_after": 0.1}, payload=b"weights")
WORSE = Trained(is_better=False, summary={"error_after": 0.4}, payload=b"worse weights")


class Books:
    """Lessons and trainings in memory; away when told to be."""

    def __init__(self) -> None:
        self.ratings: Mapping[str, int] = ENOUGH
        self.opinion: dict[int, Opinions] = {}
        self.known: list[Run] = []
        self.payload: bytes | None = None
        self.turn: int | None = None
        self.told: list[Mapping[str, Any]] = []
        self.has_told = asyncio.Event()
        self.is_away = False
        self.is_away_for = 0
        """Attempts to end a training."""

    async def counts(self) -> Mapping[str, int]:
        """Rated answers by model."""
        self._answer()
        return self.ratings

    async def opinions(self, from_us: int, to_us: int) -> Opinions:
        """By the end of their time."""
        self._answer()
        return self.opinion.get(to_us, Opinions(0, 0, 0))

    async def begin(self, run_id: str, *, at_us: int, summary: Mapping[str, Any]) -> int | None:
        """The turn, unless it is taken."""
        self._answer()
        if self.turn is not None:
            return None
        self.turn = 1
        self.known.insert(0, Run(id=run_id, created_us=at_us, outcome="running", summary=summary))
        return self.turn

    async def renew(self, run_id: str, turn: int, summary: Mapping[str, Any]) -> int | None:
        """The turn goes on, if it still is."""
        self._answer()
        assert run_id == self.known[0].id
        self.told.append({**summary})
        self.has_told.set()
        if turn != self.turn:
            return None
        self.turn = turn + 1
        return self.turn

    async def finish(
        self, run_id: str, turn: int, outcome: Outcome, summary: Mapping[str, Any], payload: bytes | None = None
    ) -> bool:
        """Writes down how it ended."""
        assert run_id == self.known[0].id
        if self.is_away_for:
            self.is_away_for -= 1
            raise Unavailable("away")
        if turn != self.turn:
            return False
        self.turn, self.payload = None, payload or self.payload
        self.known[0] = replace(self.known[0], outcome=outcome, summary=summary)
        return True

    async def runs(self) -> Sequence[Run]:
        """All of them."""
        self._answer()
        return self.known

    async def rollback(self) -> Run:
        """The first one again."""
        return self.known[-1]

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("away")


class Rig:
    """What is asked of learning, over books in memory and a training that ends as told."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.books = Books()
        self.clock = ManualClock(NOW_US)
        self.result: Trained | Exception = BETTER
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.notices: list[Notice] = []
        self.learning = Retraining(
            lessons=self.books,
            runs=self.books,
            train=self._train,
            announce=self._announce,
            clock=self.clock,
            new_id=lambda: f"run-{len(self.books.known) + 1}",
            spawn=supervisor.spawn,
        )

    async def _train(self, tell: Tell) -> Trained:
        tell("testing", 0.25)
        await self.goes_on.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def _announce(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def run(self, *, dry_run: bool = False) -> Run:
        """A training from its beginning to its end."""
        return await (await self.learning.start(dry_run=dry_run))

    async def tended(self, hours: int = 24) -> list[Outcome]:
        """What all trainings have come to after the clock was looked at."""
        await self.learning.tend(hours)
        for _ in range(20):
            await asyncio.sleep(0)
        return [run.outcome for run in self.books.known]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """With enough to learn from."""
    async with Supervisor(grace_s=0.1) as supervisor:
        yield Rig(supervisor)


async def test_what_is_better_is_kept(rig: Rig) -> None:
    """With its figures, and those of how it was begun."""
    run = await rig.run()
    assert (run.outcome, run.is_active, run.is_kept, rig.books.payload) == ("kept", True, True, b"weights")
    assert run.summary == {"dry_run": False, "by_hand": True, "labels": 14, "error_after": 0.1}
    assert (rig.books.known[0].outcome, rig.books.known[0].summary) == ("kept", run.summary)
    assert await rig.learning.rollback() == rig.books.known[0]


async def test_what_is_no_better_is_not(rig: Rig) -> None:
    """Its figures are, so that people see why."""
    rig.result = WORSE
    run = await rig.run()
    assert (run.outcome, run.is_active, run.is_kept, rig.books.payload) == ("not_better", False, False, None)
    assert run.summary["error_after"] == 0.4


async def test_a_dry_run_changes_nothing(rig: Rig) -> None:
    """It tells what would come of it."""
    run = await rig.run(dry_run=True)
    assert (run.outcome, run.is_active, rig.books.payload) == ("dry_run", False, None)
    assert run.summary["error_after"] == 0.1


@pytest.mark.parametrize(
    ("ratings", "there"),
    [({}, "there are: none."), ({"small": 90, "large": 4}, "there are: 4 of large, 90 of small.")],
)
async def test_too_little_teaches_nothing(rig: Rig, ratings: Mapping[str, int], there: str) -> None:
    """Who asks is told how much is missing; the clock waits."""
    rig.books.ratings = ratings
    with pytest.raises(Conflict, match="at least 5 rated answers of each of 2 models") as refusal:
        await rig.learning.start(dry_run=True)
    assert there in str(refusal.value)
    assert await rig.tended() == []


async def test_one_trains_at_a_time(rig: Rig) -> None:
    """Whoever comes second is told."""
    rig.goes_on.clear()
    task = await rig.learning.start(dry_run=False)
    with pytest.raises(Conflict, match="under way"):
        await rig.learning.start(dry_run=True)
    rig.goes_on.set()
    assert (await task).outcome == "kept"


async def test_a_long_training_tells_how_far_it_is(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And keeps its turn, also over a moment in which the database is away."""
    monkeypatch.setattr(retraining, "RENEW_EVERY_S", 0.001)
    rig.goes_on.clear()
    task = await rig.learning.start(dry_run=False)
    await rig.books.has_told.wait()
    rig.books.is_away = True
    await asyncio.sleep(0.005)
    rig.books.is_away = False
    rig.goes_on.set()
    assert (await task).outcome == "kept"
    assert (rig.books.told[0]["phase"], rig.books.told[0]["progress"]) == ("testing", 0.25)


@pytest.mark.parametrize("goes_on", [False, True])
async def test_who_has_lost_the_turn_changes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch, goes_on: bool) -> None:
    """Another worker may have learned something else meanwhile, whether that is noticed early or at the end."""
    monkeypatch.setattr(retraining, "RENEW_EVERY_S", 10.0 if goes_on else 0.001)
    rig.goes_on.clear()
    task = await rig.learning.start(dry_run=False)
    rig.books.turn = 99
    if goes_on:
        rig.goes_on.set()
    run = await task
    assert (run.outcome, run.is_active, rig.books.payload) == ("interrupted", False, None)
    assert "Another worker" in run.summary["reason"]


@pytest.mark.parametrize("error", [TrainingFailed("It broke."), Unavailable("It broke.")])
async def test_a_failed_training_says_why(rig: Rig, error: Exception) -> None:
    """And changes nothing."""
    rig.result = error
    run = await rig.run()
    assert (run.outcome, run.summary["reason"], rig.books.payload) == ("failed", "It broke.", None)


@pytest.mark.parametrize(("attempts", "outcome"), [(4, "kept"), (5, "interrupted")])
async def test_what_was_learned_outlives_a_moment_without_the_database(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, attempts: int, outcome: Outcome
) -> None:
    """As long as the turn may last; then nothing is changed, and whoever waits is told."""
    monkeypatch.setattr(retraining, "PAUSES_S", (0.0,) * 4)
    rig.books.is_away_for = attempts
    run = await rig.run()
    assert (run.outcome, run.is_active) == (outcome, outcome == "kept")
    assert ("was away" in run.summary.get("reason", "")) is (outcome == "interrupted")


async def test_a_training_that_was_cut_short_is_not_begun_again_at_once(rig: Rig) -> None:
    """Should it have ended its worker, the next one must not do so, too, as soon as that is back."""
    rig.books.known = [Run(id="cut", created_us=NOW_US, outcome="interrupted", summary={"dry_run": False})]
    assert await rig.tended() == ["interrupted"]
    rig.clock.advance(24 * 3_600)
    assert await rig.tended() == ["kept", "interrupted"]


async def test_the_end_of_the_gateway_gives_a_training_up(rig: Rig) -> None:
    """It does not wait for it."""
    rig.goes_on.clear()
    task = await rig.learning.start(dry_run=False)
    rig.learning.stop()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_clock_trains_when_it_is_due(rig: Rig) -> None:
    """So many hours after the last training that was none to try; 0 never does."""
    assert await rig.tended(0) == []
    assert await rig.tended() == ["kept"]
    assert rig.books.known[0].summary["by_hand"] is False
    rig.clock.advance(23 * 3_600)
    await rig.run(dry_run=True)
    assert await rig.tended() == ["dry_run", "kept"]
    rig.clock.advance(3_600)
    rig.result = WORSE
    assert await rig.tended() == ["not_better", "dry_run", "kept"]
    assert await rig.tended() == ["not_better", "dry_run", "kept"]


async def test_while_the_database_is_away_nothing_is_due(rig: Rig) -> None:
    """Nor is anybody told anything."""
    rig.books.is_away = True
    assert await rig.tended() == []
    await rig.learning.watch()
    assert rig.notices == []


async def test_status_tells_what_there_is_to_learn_from(rig: Rig) -> None:
    """And what was learned."""
    await rig.run()
    status = await rig.learning.status()
    assert (status.labels, [run.outcome for run in status.runs]) == (ENOUGH, ["kept"])


@pytest.mark.parametrize(
    ("day", "before", "is_told"),
    [
        (Opinions(100, 0.6, 0.04), Opinions(100, 0.8, 0.04), True),
        (Opinions(100, 0.73, 0.0001), Opinions(100, 0.8, 0.0001), False),
        (Opinions(100, 0.719, 0.0001), Opinions(100, 0.8, 0.0001), True),
        (Opinions(20, 0.7, 0.16), Opinions(20, 0.8, 0.16), False),
        (Opinions(19, 0.1, 0.04), Opinions(100, 0.8, 0.04), False),
        (Opinions(100, 0.1, 0.04), Opinions(19, 0.8, 0.04), False),
        (Opinions(100, 0.9, 0.04), Opinions(100, 0.8, 0.04), False),
    ],
)
async def test_a_fall_of_quality_is_told(rig: Rig, day: Opinions, before: Opinions, is_told: bool) -> None:
    """Of more than a tenth, against the week before, that chance does not explain."""
    rig.books.opinion = {NOW_US: day, NOW_US - DAY_US: before}
    await rig.learning.watch()
    assert bool(rig.notices) is is_told


async def test_what_is_told_says_how_far_it_fell(rig: Rig) -> None:
    """Once a day, whichever worker notices."""
    rig.books.opinion = {NOW_US: Opinions(100, 0.6, 0.04), NOW_US - DAY_US: Opinions(100, 0.8, 0.04)}
    await rig.learning.watch()
    (notice,) = rig.notices
    assert (notice.event_id, notice.kind) == (f"learning:quality:{NOW_US // DAY_US}", "quality.fell")
    assert notice.text.startswith(
        "Answers are rated 25% lower than in the week before: 0.60 of 1 on average in the last day (100 ratings), 0.80"
    )
    assert notice.data == {"mean": 0.6, "mean_before": 0.8, "ratings": 100}
