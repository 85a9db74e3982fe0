"""Notices that a budget nears its end, for every channel of alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from farthing.domain.alerts import Notice, budget_notices
from farthing.domain.budget import Budget, span
from farthing.domain.errands import ERRAND_BUDGET
from farthing.domain.errors import Unavailable
from farthing.insight.delivering import Pace, Postman
from farthing.ports import Channel, Outbox

PACE = Pace(at_once=20, lease_us=30_000_000, first_pause_us=1_000_000, longest_pause_us=30_000_000)
"""A channel that comes back has heard of everything within a minute."""


class Alerting:
    """Off the request path: nothing here is waited for by a request, and its failure changes none."""

    def __init__(self, *, outbox: Outbox, channels: Sequence[Channel]) -> None:
        self._postman = Postman("alerts", outbox=outbox, channels=channels, pace=PACE)
        self._announced: set[str] = set()

    def configure(self, channels: Sequence[Channel]) -> None:
        """Tells on these from now on. What a new one has missed of windows that are open now, it hears."""
        if {channel.name for channel in channels} - self._postman.channels:
            self._announced = set()
        self._postman.configure(channels)

    async def consider(
        self, budgets: Iterable[Budget], spent: Mapping[str, int], now_us: int, used_up: AbstractSet[str] = frozenset()
    ) -> None:
        """Announces every threshold that a budget has newly come to, but for those of errands: they are to be spent.

        `spent` in nano-dollars by budget id, and `used_up` the ids of budgets that refuse, for the windows around
        `now_us` (µs since 1970 UTC). While the database is away it is left for the next time.
        """
        if not self._postman.channels:
            return
        notices = [
            notice
            for budget in budgets
            if not budget.id.startswith(ERRAND_BUDGET)
            for notice in budget_notices(
                budget,
                span(budget.window, now_us),
                spent.get(budget.id, 0),
                now_us,
                is_used_up=budget.id in used_up,
            )
        ]
        new = [notice for notice in notices if notice.event_id not in self._announced]
        if not new:
            return
        try:
            await self._postman.announce(new)
        except Unavailable:
            return
        # What is not true any more, after a window's end, need not be remembered.
        self._announced = {notice.event_id for notice in notices}

    async def announce(self, notice: Notice) -> None:
        """Keeps a notice for every channel, once however often it is announced. Raises `Unavailable`."""
        await self._postman.announce([notice])

    async def deliver(self) -> None:
        """One round: hands what is due to its channels."""
        await self._postman.deliver()
