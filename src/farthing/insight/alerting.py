"""Notices that a budget nears its end, and sees that every channel takes what there is to tell, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from farthing.domain.alerts import NotDelivered, Notice, budget_notices
from farthing.domain.budget import Budget, span
from farthing.domain.errands import ERRAND_BUDGET
from farthing.domain.errors import Unavailable
from farthing.ports import Channel, Delivery, Outbox

logger = logging.getLogger(__name__)

AT_ONCE = 20
"""Deliveries under way at a time; none waits for another channel's silence."""
LEASE_US = 30_000_000
"""Longer than any channel waits, so that two workers never carry the same notice."""
FIRST_PAUSE_US = 1_000_000
LONGEST_PAUSE_US = 30_000_000
"""A channel that comes back has heard of everything within a minute."""
UNKNOWN_ATTEMPTS = 120
"""An hour of looking for a worker that knows a channel: by then all run with the same settings."""


class Alerting:
    """Off the request path: nothing here is waited for by a request, and its failure changes none."""

    def __init__(self, *, outbox: Outbox, channels: Sequence[Channel]) -> None:
        self._outbox = outbox
        self._channels = {channel.name: channel for channel in channels}
        self._announced: set[str] = set()
        self._silent: set[str] = set()
        """Channels that did not take their last notice: said once in the log, not at every try."""

    def configure(self, channels: Sequence[Channel]) -> None:
        """Tells on these from now on. What a new one has missed of windows that are open now, it hears."""
        if {channel.name for channel in channels} - self._channels.keys():
            self._announced = set()
        self._channels = {channel.name: channel for channel in channels}
        self._silent = set()

    async def consider(
        self, budgets: Iterable[Budget], spent: Mapping[str, int], now_us: int, used_up: AbstractSet[str] = frozenset()
    ) -> None:
        """Announces every threshold that a budget has newly come to, but for those of errands: they are to be spent.

        `spent` in nano-dollars by budget id, and `used_up` the ids of budgets that refuse, for the windows around
        `now_us` (µs since 1970 UTC). While the database is away it is left for the next time.
        """
        if not self._channels:
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
            await self._outbox.announce(new, list(self._channels))
        except Unavailable:
            return
        # What is not true any more, after a window's end, need not be remembered.
        self._announced = {notice.event_id for notice in notices}

    async def announce(self, notice: Notice) -> None:
        """Keeps a notice for every channel, once however often it is announced. Raises `Unavailable`."""
        if self._channels:
            await self._outbox.announce([notice], list(self._channels))

    async def deliver(self) -> None:
        """One round: hands what is due to its channels."""
        if not self._channels:
            return
        try:
            due = await self._outbox.claim(limit=AT_ONCE, lease_us=LEASE_US)
            await asyncio.gather(*map(self._hand_over, due))
        except Unavailable:
            return

    async def _hand_over(self, delivery: Delivery) -> None:
        channel = self._channels.get(delivery.channel)
        if channel is None:
            await self._leave(delivery)
            return
        try:
            await channel.send(delivery.notice)
        except NotDelivered as error:
            if channel.name not in self._silent:
                logger.warning("alerts wait: %s", error)
                self._silent.add(channel.name)
            pause = min(LONGEST_PAUSE_US, FIRST_PAUSE_US * 2 ** min(delivery.attempts, 10))
            await self._outbox.postpone(delivery, pause)
            return
        if channel.name in self._silent:
            logger.info("%s takes alerts again", channel.name)
            self._silent.discard(channel.name)
        await self._outbox.delivered(delivery)

    async def _leave(self, delivery: Delivery) -> None:
        """For a worker that knows the channel, as this one may have before a reload; in the end for nobody."""
        if delivery.attempts < UNKNOWN_ATTEMPTS:
            await self._outbox.postpone(delivery, LONGEST_PAUSE_US)
            return
        logger.warning("an alert is dropped: %s is a channel no more (%s)", delivery.channel, delivery.notice.text)
        await self._outbox.drop(delivery)
