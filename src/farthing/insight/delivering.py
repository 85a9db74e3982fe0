"""Sees that every channel takes the notices that wait for it, whatever fails in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.errors import Unavailable
from farthing.ports import Channel, Delivery, Outbox

logger = logging.getLogger(__name__)

UNKNOWN_PAUSE_US = 30_000_000
UNKNOWN_ATTEMPTS = 120
"""An hour of looking for a worker that knows a channel: by then all run with the same settings."""


class Pace(Struct, frozen=True, kw_only=True):
    """How deliveries are tried; times in microseconds."""

    at_once: int
    """Deliveries under way at a time; none waits for another channel's silence."""
    lease_us: int
    """Longer than any channel takes, so that two workers never carry the same notice."""
    first_pause_us: int
    """After the first failure twice this, and twice as long after each further one."""
    longest_pause_us: int


class Postman:
    """Carries what waits in an outbox to its channels."""

    def __init__(self, what: str, *, outbox: Outbox, channels: Iterable[Channel], pace: Pace) -> None:
        """`what` is how the log calls the notices, such as `alerts`."""
        self._what = what
        self._outbox = outbox
        self._pace = pace
        self.configure(channels)

    def configure(self, channels: Iterable[Channel]) -> None:
        """Carries to these from now on."""
        self._channels = {channel.name: channel for channel in channels}
        self._silent: set[str] = set()
        """Channels that did not take their last notice: said once in the log, not at every try."""

    @property
    def channels(self) -> AbstractSet[str]:
        """The names of those it carries to."""
        return self._channels.keys()

    async def announce(self, notices: Sequence[Notice], channels: Iterable[str] | None = None) -> None:
        """Keeps notices for these channels, or all, once however often they are announced. Raises `Unavailable`."""
        if self._channels:
            await self._outbox.announce(notices, [*(self._channels if channels is None else channels)])

    async def deliver(self) -> int:
        """One round: hands what is due to its channels; how many notices that were."""
        if not self._channels:
            return 0
        try:
            due = await self._outbox.claim(limit=self._pace.at_once, lease_us=self._pace.lease_us)
            await asyncio.gather(*map(self._hand_over, due))
        except Unavailable:
            return 0
        return len(due)

    async def _hand_over(self, delivery: Delivery) -> None:
        channel = self._channels.get(delivery.channel)
        if channel is None:
            await self._leave(delivery)
            return
        try:
            await channel.send(delivery.notice)
        except NotDelivered as error:
            if channel.name not in self._silent:
                logger.warning("%s wait: %s", self._what, error)
                self._silent.add(channel.name)
            pace = self._pace
            pause = min(pace.longest_pause_us, pace.first_pause_us * 2 ** min(delivery.attempts, 10))
            await self._outbox.postpone(delivery, pause, str(error))
            return
        if channel.name in self._silent:
            logger.info("%s takes %s again", channel.name, self._what)
            self._silent.discard(channel.name)
        await self._outbox.delivered(delivery)

    async def _leave(self, delivery: Delivery) -> None:
        """For a worker that knows the channel, as this one may have before a reload; in the end for nobody."""
        if delivery.attempts < UNKNOWN_ATTEMPTS:
            await self._outbox.postpone(delivery, UNKNOWN_PAUSE_US, "the settings name no such channel")
            return
        logger.warning(
            "one of the %s is dropped: %s is a channel no more (%s)", self._what, delivery.channel, delivery.notice.text
        )
        await self._outbox.drop(delivery)
