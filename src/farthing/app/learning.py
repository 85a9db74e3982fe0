"""What the gateway learns from its own requests: noted, kept, trained on and watched."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from farthing.app.embedding import embeds
from farthing.app.storage import Storage
from farthing.app.training import Trainer
from farthing.domain.alerts import Notice
from farthing.domain.errors import NotFound, Unavailable
from farthing.domain.routing.rules import Rule
from farthing.gateway.comparing import Comparing
from farthing.gateway.errand import Errands
from farthing.gateway.lessons import Lessons
from farthing.gateway.remarks import Remarks
from farthing.gateway.shadows import Shadows
from farthing.gateway.snapshot import Snapshots
from farthing.insight.learning.asking import WITHIN_US, asked_again
from farthing.insight.learning.promising import Promising
from farthing.insight.learning.retraining import Retraining
from farthing.ports import Clock, Spawn
from farthing.ports.learning import Lesson
from farthing.settings import Settings

logger = logging.getLogger(__name__)

TEND_EVERY_S = 60.0
WATCH_EVERY_S = 3_600.0
LOST_HOURS = 1
"""What a new release cannot read, or what is signed otherwise, need not wait for the next day."""


class Learning:
    """All of it, for one worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        clock: Clock,
        new_id: Callable[[], str],
        spawn: Spawn,
        announce: Callable[[Notice], Awaitable[None]],
        is_lost: Callable[[], bool],
        in_force: Callable[[], tuple[Sequence[Rule], str | None]],
    ) -> None:
        """`is_lost` says whether what was learned cannot be used, `in_force` the route rules and the baseline."""
        self._settings = settings
        self._is_lost = is_lost
        self._kept = storage.store.lessons
        self._compared = storage.store.comparisons
        self._feedback = storage.store.feedback
        self.lessons = Lessons()
        """Questions that were answered and wait to be written."""
        self.remarks = Remarks()
        """What is thought of earlier answers and waits to be written."""
        self.shadows = Shadows()
        """Requests whose answers wait to be compared."""
        self._trainer = Trainer(settings.database.url.get_secret_value(), storage.secret, embeds=embeds(settings))
        self.retraining = Retraining(
            lessons=storage.store.lessons,
            runs=storage.store.runs,
            train=self._trainer,
            announce=announce,
            clock=clock,
            new_id=new_id,
            spawn=spawn,
        )
        self.promising = Promising(
            pairs=storage.store.comparisons,
            tests=storage.store.promises,
            in_force=in_force,
            announce=announce,
            clock=clock,
        )

    def configure(self, settings: Settings) -> None:
        """Takes over changed settings."""
        self._settings = settings
        self._trainer.embeds = embeds(settings)

    def comparing(self, *, snapshots: Snapshots, errands: Errands, flush: Callable[[], Awaitable[None]]) -> Comparing:
        """Who compares what is drawn; `flush` brings to the database what was bought."""
        return Comparing(
            snapshots=snapshots,
            shadows=self.shadows,
            errands=errands,
            lessons=self.lessons,
            comparisons=self._compared,
            feedback=self._feedback,
            flush=flush,
        )

    async def keep(self) -> None:
        """Writes what was noted; while the database is away it waits."""
        noted = self.lessons.take()
        try:
            await self._kept.keep(noted)
        except Unavailable:
            self.lessons.give_back(noted)
        else:
            if self._settings.learning.implicit_feedback:
                await self._look_back([lesson for lesson in noted if lesson.asker])

    async def _look_back(self, asked: Sequence[Lesson]) -> None:
        """Takes down which earlier answers the new questions speak against."""
        if asked:
            since_us = min(lesson.created_at_us for lesson in asked) - WITHIN_US
            with suppress(Unavailable):
                known = await self._kept.asked((lesson.asker or "" for lesson in asked), since_us)
                for remark in asked_again(asked, known):
                    self.remarks.add(remark)

    async def rate(self) -> None:
        """Writes what is thought of earlier answers; while the database is away it waits."""
        waiting = deque(self.remarks.take())
        while waiting:
            remark, tried = waiting.popleft()
            try:
                await self._feedback.rate(
                    remark.request_id,
                    remark.grade,
                    tenant=remark.tenant,
                    principal=remark.principal,
                    details={"is_correct": remark.is_correct},
                    source=remark.source,
                )
            except NotFound:
                self.remarks.add(remark, tried + 1)
            except Unavailable:
                for each in ((remark, tried), *waiting):
                    self.remarks.add(*each)
                return

    async def sweep(self) -> None:
        """Deletes questions and comparisons that are not to be kept any longer."""
        try:
            await self._compared.sweep()
            await self._kept.sweep(keep_prompts=self._settings.learning.keep_prompts)
        except Unavailable:
            logger.info("old questions are swept when the database is back")

    async def tend(self) -> None:
        """Trains where that is due."""
        hours = self._settings.learning.retrain_every_hours
        await self.retraining.tend(min(hours, LOST_HOURS) if self._is_lost() else hours)
