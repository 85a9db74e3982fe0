"""Learns anew from what was rated: by hand or by the clock, one at a time over all hosts, and never for the worse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from math import sqrt
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Conflict, Unavailable
from farthing.ports import Clock, Spawn
from farthing.ports.learning import LessonStore, Outcome, Run, RunStore, Trained

logger = logging.getLogger(__name__)

FEWEST_ANSWERS, FEWEST_MODELS = 5, 2
"""So many rated answers of so many models are learned from; fewer tell nothing."""
RENEW_EVERY_S = 1.0
"""How often it is told how far a training has come, and that it goes on."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Between attempts to write down how a training has ended."""
HOUR_US = 3_600_000_000
BEFORE_US = 7 * DAY_US
"""The time with which the last day is compared."""
WORSE = 0.1
"""The share of its mean by which quality may fall before people are told."""
FEWEST_OPINIONS = 20
SURE = 2.0
"""Standard errors: a fall that a few bad ratings could make by chance is not told."""


class TrainingFailed(Exception):
    """It came to no end; the message says why."""


Tell = Callable[[str, float], None]
"""Is told what is done now, and how much of all is done, from 0 to 1."""
Train = Callable[[Tell], Coroutine[Any, Any, Trained]]
"""Trains away from requests, and tells what it does and how much is done. Raises `TrainingFailed`, `Unavailable`."""


class Status(Struct, frozen=True):
    """What was learned, and what there is to learn from."""

    labels: Mapping[str, int]
    """Rated answers by model."""
    runs: tuple[Run, ...]
    """The newest first."""


class Retraining:
    """All that people and the clock ask of learning."""

    def __init__(
        self,
        *,
        lessons: LessonStore,
        runs: RunStore,
        train: Train,
        announce: Callable[[Notice], Awaitable[None]],
        clock: Clock,
        new_id: Callable[[], str],
        spawn: Spawn,
    ) -> None:
        """`train` does the work; `announce` tells people of a fall of quality, once however often it is called."""
        self._lessons = lessons
        self._runs = runs
        self._train = train
        self._announce = announce
        self._clock = clock
        self._new_id = new_id
        self._spawn = spawn
        self._under_way: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """Gives up a training that is under way: the gateway ends."""
        for task in self._under_way:
            task.cancel()

    async def status(self) -> Status:
        """What was learned, and from how much. Raises `Unavailable`."""
        return Status(await self._lessons.counts(), tuple(await self._runs.runs()))

    async def start(self, *, dry_run: bool, by_hand: bool = True) -> asyncio.Task[Run]:
        """Begins a training; the task ends with what came of it. A dry run changes nothing.

        Raises `Conflict` where one is under way or too little is rated, and `Unavailable`.
        """
        counts = await self._lessons.counts()
        if not is_enough(counts):
            raise Conflict(_too_little(counts), code="too_few_ratings")
        begun = Run(
            id=self._new_id(),
            created_us=self._clock.now_us(),
            outcome="running",
            summary={"dry_run": dry_run, "by_hand": by_hand, "labels": sum(counts.values())},
        )
        turn = await self._runs.begin(begun.id, at_us=begun.created_us, summary=begun.summary)
        if turn is None:
            raise Conflict("A training is under way. Wait until it has ended.", code="training_under_way")
        task: asyncio.Task[Run] = self._spawn(self._run(begun, turn), "training")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def rollback(self) -> Run:
        """What was in force before is so again. Raises `Conflict` where nothing earlier is kept, `Unavailable`."""
        return await self._runs.rollback()

    async def tend(self, every_hours: int) -> None:
        """Trains where that is due and there is enough to learn from. While the database is away it is left."""
        if not every_hours:
            return
        with suppress(Unavailable, Conflict):
            runs = await self._runs.runs()
            last = max((run.created_us for run in runs if _counts(run)), default=0)
            if self._clock.now_us() - last >= every_hours * HOUR_US and is_enough(await self._lessons.counts()):
                await self.start(dry_run=False, by_hand=False)

    async def watch(self) -> None:
        """Tells people where ratings have fallen. While the database is away it is left for the next time."""
        now_us = self._clock.now_us()
        with suppress(Unavailable):
            day = await self._lessons.opinions(now_us - DAY_US, now_us)
            if day.count < FEWEST_OPINIONS:
                return
            before = await self._lessons.opinions(now_us - DAY_US - BEFORE_US, now_us - DAY_US)
            if before.count < FEWEST_OPINIONS:
                return
            fall = before.mean - day.mean
            error = sqrt(day.variance / day.count + before.variance / before.count)
            if fall > WORSE * before.mean and fall > SURE * error:
                await self._announce(_notice(day.mean, before.mean, day.count, now_us))

    async def _run(self, begun: Run, turn: int) -> Run:
        """Keeps the turn while it trains, and the result where it is better and the turn was kept."""
        now: dict[str, Any] = {**begun.summary, "phase": "reading", "progress": 0.0}

        def tell(phase: str, progress: float) -> None:
            now.update(phase=phase, progress=round(progress, 3))

        training = self._spawn(self._train(tell), "learning from ratings")
        try:
            held: int | None = turn
            while held is not None and not (await asyncio.wait([training], timeout=RENEW_EVERY_S))[0]:
                held = await self._renewed(begun.id, held, now)
            if held is None:
                return replace(begun, outcome="interrupted", summary={**begun.summary, "reason": _LOST})
            return await self._end(begun, held, training)
        finally:
            training.cancel()

    async def _renewed(self, run_id: str, turn: int, summary: Mapping[str, Any]) -> int | None:
        try:
            return await self._runs.renew(run_id, turn, summary)
        except Unavailable:
            # It may be back before the turn is over.
            return turn

    async def _end(self, begun: Run, turn: int, training: asyncio.Future[Trained]) -> Run:
        outcome: Outcome = "failed"
        payload = None
        try:
            found = training.result()
        except (TrainingFailed, Unavailable) as error:
            logger.warning("nothing was learned: %s", error)
            summary = {**begun.summary, "reason": str(error)}
        else:
            outcome, summary = _outcome(found, begun), {**begun.summary, **found.summary}
            payload = found.payload if outcome == "kept" else None
        ended = replace(begun, outcome=outcome, is_active=payload is not None, summary=summary)
        lost = await self._lost(begun.id, turn, ended, payload)
        if lost is not None:
            return replace(ended, outcome="interrupted", is_active=False, summary={**summary, "reason": lost})
        return replace(ended, is_kept=payload is not None)

    async def _lost(self, run_id: str, turn: int, ended: Run, payload: bytes | None) -> str | None:
        """Writes down how it ended; None, or why that was in vain. Who is away may come back while the turn lasts."""
        for pause_s in (*PAUSES_S, None):
            try:
                is_ours = await self._runs.finish(run_id, turn, ended.outcome, ended.summary, payload)
            except Unavailable:
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                return None if is_ours else _LOST
        return "The database was away when it ended: nothing was changed."


_LOST = "Another worker took this one's place, which had said nothing for too long: nothing was changed."


def is_enough(counts: Mapping[str, int]) -> bool:
    """Whether so much is rated, by model, that something can be learned."""
    return sum(count >= FEWEST_ANSWERS for count in counts.values()) >= FEWEST_MODELS


def _counts(run: Run) -> bool:
    """Whether the next training is so many hours after this one."""
    # One that was cut short counts: it may have ended the process that began it, as it would the next.
    return not run.summary.get("dry_run")


def _too_little(counts: Mapping[str, int]) -> str:
    found = ", ".join(f"{count} of {model}" for model, count in sorted(counts.items())) or "none"
    return (
        f"Learning needs at least {FEWEST_ANSWERS} rated answers of each of {FEWEST_MODELS} models; there are: "
        f"{found}. Rate answers with POST /feedback."
    )


def _outcome(found: Trained, begun: Run) -> Outcome:
    if begun.summary["dry_run"]:
        return "dry_run"
    return "kept" if found.is_better else "not_better"


def _notice(now: float, before: float, count: int, now_us: int) -> Notice:
    return Notice(
        event_id=f"learning:quality:{now_us // DAY_US}",
        kind="quality.fell",
        text=(
            f"Answers are rated {1 - now / before:.0%} lower than in the week before: {now:.2f} of 1 on average in the "
            f"last day ({count} ratings), {before:.2f} before. farthing learning rollback goes back to what was "
            "learned earlier."
        ),
        occurred_at_us=now_us,
        data={"mean": round(now, 4), "mean_before": round(before, 4), "ratings": count},
    )
