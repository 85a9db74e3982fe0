"""Notices that wait for their channels, each kept once however many workers noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.ports import Clock, Delivery
from farthing.store.engine import Engines
from farthing.store.schema import alerts

KEPT_US = 400 * DAY_US
"""Notices are remembered for longer than any window but the total one lasts."""


class SqlOutbox:
    """Implements `farthing.ports.Outbox`."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._engines = engines
        self._clock = clock

    async def announce(self, notices: Sequence[Notice], channels: Sequence[str]) -> None:
        """Keeps the notices for these channels; one that was announced before changes nothing."""
        now_us = self._clock.now_us()
        # In one order, so that workers that announce the same wait for one another but never deadlock.
        rows = [
            {
                "event_id": notice.event_id,
                "channel": channel,
                "payload": msgspec.to_builtins(notice),
                "created_at": now_us,
                "due_at": now_us,
                "attempts": 0,
            }
            for notice in sorted(notices, key=lambda notice: notice.event_id)
            for channel in sorted(channels)
        ]
        if rows:
            async with self._engines.writing() as connection:
                await connection.execute(self._engines.backend.inserting(alerts).on_conflict_do_nothing(), rows)

    async def claim(self, *, limit: int, lease_us: int) -> Sequence[Delivery]:
        """The deliveries that have been due for longest, not to be given out again for `lease_us`."""
        now_us = self._clock.now_us()
        due = (
            sa.select(alerts)
            .where(alerts.c.delivered_at.is_(None), alerts.c.due_at <= now_us)
            .order_by(alerts.c.due_at)
            .limit(limit)
        )
        async with self._engines.reading() as connection:
            # Mostly there is none, and a look keeps nobody from writing.
            if (await connection.execute(due.limit(1))).first() is None:
                return []
        async with self._engines.writing() as connection:
            rows = (await connection.execute(due.with_for_update(skip_locked=True))).all()
            for row in rows:
                await connection.execute(
                    _one(row.event_id, row.channel).values(due_at=now_us + lease_us, attempts=row.attempts + 1)
                )
        return [Delivery(msgspec.convert(row.payload, Notice), row.channel, row.attempts + 1) for row in rows]

    async def delivered(self, delivery: Delivery) -> None:
        """It was taken, and is never claimed again."""
        await self._change(delivery, delivered_at=self._clock.now_us())

    async def postpone(self, delivery: Delivery, pause_us: int) -> None:
        """It was not taken: due again after `pause_us` microseconds."""
        await self._change(delivery, due_at=self._clock.now_us() + pause_us)

    async def drop(self, delivery: Delivery) -> None:
        """Nobody will take it: it is as if it had not been announced on this channel."""
        one = sa.delete(alerts).where(*_is(delivery.notice.event_id, delivery.channel))
        async with self._engines.writing() as connection:
            await connection.execute(one)

    async def sweep(self) -> None:
        """Forgets what happened long ago, whether anybody took it or not."""
        old = alerts.c.created_at < self._clock.now_us() - KEPT_US
        async with self._engines.writing() as connection:
            await connection.execute(sa.delete(alerts).where(old))

    async def _change(self, delivery: Delivery, **values: Any) -> None:  # noqa: ANN401 (columns)
        async with self._engines.writing() as connection:
            await connection.execute(_one(delivery.notice.event_id, delivery.channel).values(**values))


def _one(event_id: str, channel: str) -> sa.Update:
    return sa.update(alerts).where(*_is(event_id, channel))


def _is(event_id: str, channel: str) -> tuple[sa.ColumnElement[bool], ...]:
    return alerts.c.event_id == event_id, alerts.c.channel == channel
