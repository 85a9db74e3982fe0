"""Notices that wait for their channels, each kept once however many workers noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.ports import Clock, Delivery, Tracked
from farthing.store.engine import Engines

KEPT_US = 400 * DAY_US
"""Notices are remembered for longer than any window but the total one lasts."""


class SqlOutbox:
    """Implements `farthing.ports.Outbox` and `Tracker`."""

    def __init__(self, engines: Engines, clock: Clock, table: sa.Table) -> None:
        """`table` is one of the schema's outboxes."""
        self._engines = engines
        self._clock = clock
        self._table = table

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
                await connection.execute(self._engines.backend.inserting(self._table).on_conflict_do_nothing(), rows)

    async def claim(self, *, limit: int, lease_us: int) -> Sequence[Delivery]:
        """The deliveries that have been due for longest, not to be given out again for `lease_us`."""
        now_us = self._clock.now_us()
        its = self._table.c
        due = (
            sa.select(self._table)
            .where(its.delivered_at.is_(None), its.due_at <= now_us)
            .order_by(its.due_at)
            .limit(limit)
        )
        async with self._engines.reading() as connection:
            # Mostly there is none, and a look keeps nobody from writing.
            if (await connection.execute(due.limit(1))).first() is None:
                return []
        async with self._engines.writing() as connection:
            rows = (await connection.execute(due.with_for_update(skip_locked=True))).all()
            for row in rows:
                taken = sa.update(self._table).where(*self._is(row.event_id, row.channel))
                await connection.execute(taken.values(due_at=now_us + lease_us, attempts=row.attempts + 1))
        return [Delivery(msgspec.convert(row.payload, Notice), row.channel, row.attempts + 1) for row in rows]

    async def delivered(self, delivery: Delivery) -> None:
        """It was taken, and is never claimed again."""
        await self._change(delivery, delivered_at=self._clock.now_us(), failure=None)

    async def postpone(self, delivery: Delivery, pause_us: int, failure: str) -> None:
        """It was not taken, and `failure` tells why: due again after `pause_us` microseconds."""
        await self._change(delivery, due_at=self._clock.now_us() + pause_us, failure=failure)

    async def drop(self, delivery: Delivery) -> None:
        """Nobody will take it: it is as if it had not been announced on this channel."""
        one = sa.delete(self._table).where(*self._is(delivery.notice.event_id, delivery.channel))
        async with self._engines.writing() as connection:
            await connection.execute(one)

    async def sweep(self) -> None:
        """Forgets what happened long ago, whether anybody took it or not."""
        old = self._table.c.created_at < self._clock.now_us() - KEPT_US
        async with self._engines.writing() as connection:
            await connection.execute(sa.delete(self._table).where(old))

    async def track(self, tenant: str | None, limit: int) -> Sequence[Tracked]:
        """How the last announced ones of a tenant, or with None of all, stand, the newest first."""
        its = self._table.c
        theirs = [] if tenant is None else [its.payload["data"]["tenant"].as_string() == tenant]
        newest = sa.select(self._table).where(*theirs)
        newest = newest.order_by(its.created_at.desc(), its.event_id, its.channel).limit(limit)
        async with self._engines.reading() as connection:
            rows = (await connection.execute(newest)).all()
        return [
            Tracked(
                notice=msgspec.convert(row.payload, Notice),
                channel=row.channel,
                announced_us=row.created_at,
                attempts=row.attempts,
                due_us=row.due_at,
                delivered_us=row.delivered_at,
                failure=row.failure,
            )
            for row in rows
        ]

    async def _change(self, delivery: Delivery, **values: Any) -> None:  # noqa: ANN401 (columns)
        changed = sa.update(self._table).where(*self._is(delivery.notice.event_id, delivery.channel))
        async with self._engines.writing() as connection:
            await connection.execute(changed.values(**values))

    def _is(self, event_id: str, channel: str) -> tuple[sa.ColumnElement[bool], ...]:
        return self._table.c.event_id == event_id, self._table.c.channel == channel
