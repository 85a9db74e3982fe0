"""What checked answers were worth, as it decides how much a check counts: every worker reads the same answers."""

from __future__ import annotations

import asyncio

from farthing.domain.errors import Unavailable
from farthing.domain.routing.weighing import Weights, weights_of
from farthing.ports import Clock
from farthing.ports.learning import CheckStore

EVERY_US = 600_000_000
"""Between two looks."""


class FollowedChecks:
    """Looks now and then, where a route rule has answers checked."""

    def __init__(self, source: CheckStore, clock: Clock) -> None:
        self.weights = Weights()
        self._source = source
        self._clock = clock
        self._next_us = 0

    async def refresh(self, *, is_wanted: bool) -> bool:
        """Whether they are others now. While the database is away the last ones stay."""
        now_us = self._clock.now_us()
        if not is_wanted or now_us < self._next_us:
            return False
        try:
            tried = await self._source.tried()
        except Unavailable:
            return False
        self._next_us = now_us + EVERY_US
        before, self.weights = self.weights, await asyncio.to_thread(weights_of, tried)
        return self.weights != before
