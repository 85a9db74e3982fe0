"""What routed requests have cost, as it decides how dear quality is: every worker reads the same minutes."""

from __future__ import annotations

from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.domain.routing.pace import Pace
from farthing.ports import Clock
from farthing.store.queries import Queries

MINUTE_US = 60_000_000
SETTLED_US = 10_000_000
"""After its end what a minute has cost stands in the database on all hosts."""


class FollowedPace:
    """Looks once a minute at the last day."""

    def __init__(self, source: Queries, clock: Clock) -> None:
        self.pace: Pace | None = None
        """None where no target is set, or the database has not told yet."""
        self._source = source
        self._clock = clock
        self._seen: tuple[float | None, int] = None, 0

    async def refresh(self, target_usd: float | None) -> bool:
        """Whether it is another now. While the database is away the last one stays."""
        settled_us = self._clock.now_us() - SETTLED_US
        end_us = 0 if target_usd is None else settled_us - settled_us % MINUTE_US
        if self._seen == (target_usd, end_us):
            return False
        before, self.pace = self.pace, None if target_usd is None else self.pace
        if target_usd is not None:
            try:
                minutes = await self._source.routed_minutes(end_us - DAY_US, end_us)
            except Unavailable:
                return False
            self.pace = Pace.of(minutes, target_usd)
        self._seen = target_usd, end_us
        return self.pace != before
