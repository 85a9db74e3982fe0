"""Limits that all workers count together in the database, by its own clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import InvalidRequest, Unavailable
from farthing.domain.limits import Round, Verdict, corrected, judge
from farthing.ports import Clock
from farthing.store.clock import NOW_US
from farthing.store.engine import Engines
from farthing.store.schema import rates, slots

LEASE_US = 60_000_000
"""After which the places of a worker that is not heard of are free again."""
FORGOTTEN_US = 3_600_000_000
ATTENDANCE = ""
"""The name under which every worker holds a place."""
MOST_SEEN = 100_000


class SqlLimits:
    """One short transaction for a round, which locks the rows of its names in order. Implements `ports.SharedLimits`.

    A name has a row in `rates`, which for requests under way is nothing but the lock.
    """

    patience_s = 1.0
    """A database that is there may be busy; one that is not says so at once, or after this time once."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._engines = engines
        self._clock = clock
        self._seen: set[str] = set()
        self._keep_rate = _upsert(engines, rates, "name")
        self._keep_slot = _upsert(engines, slots, "name", "worker")

    async def round(self, worker: str, asked: Round) -> Sequence[Verdict] | None:
        """Everything in one transaction."""
        try:
            async with self._engines.writing("requests") as connection:
                return await self._judged(connection, worker, asked)
        except (Unavailable, InvalidRequest):
            self._seen.clear()
            return None

    async def attend(self, worker: str, held: Mapping[str, int]) -> int | None:
        """Renews what this worker holds, and counts those that have attended within a minute."""
        alive = sa.select(sa.func.count()).where(slots.c.name == ATTENDANCE)
        try:
            async with self._engines.writing("requests") as connection:
                now = await self._now(connection)
                await self._hold(connection, worker, {ATTENDANCE: 1, **held}, now)
                return (await connection.execute(alive.where(slots.c.renewed_at > now - LEASE_US))).scalar_one()
        except (Unavailable, InvalidRequest):
            return None

    async def sweep(self) -> None:
        """Forgets what has drained or been given up long ago. Raises `Unavailable`."""
        async with self._engines.writing() as connection:
            before = await self._now(connection) - FORGOTTEN_US
            await connection.execute(sa.delete(slots).where(slots.c.renewed_at < before))
            await connection.execute(sa.delete(rates).where(rates.c.arrival_us < before))
        self._seen.clear()

    async def _judged(self, connection: AsyncConnection, worker: str, asked: Round) -> Sequence[Verdict]:
        bounds = [bound for wanted in asked.wishes for bound in wanted.bounds]
        names = sorted({*asked.corrections, *asked.held, *(bound.name for bound in bounds)})
        arrivals, now = await self._lock(connection, names)
        levels = {name: max(0, arrival - now) or asked.known.get(name, 0) for name, arrival in arrivals.items()}
        for name, more in asked.corrections.items():
            levels[name] = corrected(levels[name], more)
        others = await _held_by_others(connection, worker, asked.held, now)
        levels |= {name: others.get(name, 0) + number for name, number in asked.held.items()}
        verdicts = [judge(wanted, levels) for wanted in asked.wishes]
        moments = [{"name": name, "arrival_us": now + levels[name]} for name in names if name not in asked.held]
        if moments:
            await connection.execute(self._keep_rate, moments)
        await self._hold(connection, worker, {name: levels[name] - others.get(name, 0) for name in asked.held}, now)
        return verdicts

    async def _lock(self, connection: AsyncConnection, names: Sequence[str]) -> tuple[Mapping[str, int], int]:
        """When each rate has drained, and the time. Transactions never wait in a circle, for all lock in one order."""
        columns = rates.c.name, rates.c.arrival_us, self._time().label("now_us")
        statement = sa.select(*columns).where(rates.c.name.in_(names)).order_by(rates.c.name)
        new = [name for name in names if name not in self._seen]
        while True:
            if new:
                await self._add(connection, new)
            rows = (await connection.execute(statement.with_for_update())).all()
            found = {row.name: row.arrival_us for row in rows}
            if len(found) == len(names):
                return found, max((row.now_us for row in rows), default=0)
            new = [name for name in names if name not in found]

    async def _add(self, connection: AsyncConnection, names: Sequence[str]) -> None:
        rows = [{"name": name, "arrival_us": 0} for name in names]
        await connection.execute(self._engines.backend.inserting(rates).on_conflict_do_nothing(), rows)
        if len(self._seen) > MOST_SEEN:
            self._seen.clear()
        self._seen.update(names)

    async def _hold(self, connection: AsyncConnection, worker: str, held: Mapping[str, int], now: int) -> None:
        if held:
            rows = [{"name": name, "worker": worker, "taken": held[name], "renewed_at": now} for name in sorted(held)]
            await connection.execute(self._keep_slot, rows)

    async def _now(self, connection: AsyncConnection) -> int:
        return (await connection.execute(sa.select(self._time()))).scalar_one()

    def _time(self) -> sa.ColumnElement[int]:
        """The database's time in µs since 1970; SQLite has none but this machine's."""
        if self._engines.backend.name == "sqlite":
            return sa.literal(self._clock.now_us(), sa.BigInteger)
        return NOW_US["postgresql"]


async def _held_by_others(
    connection: AsyncConnection, worker: str, names: Iterable[str], now: int
) -> Mapping[str, int]:
    if not (wanted := list(names)):
        return {}
    statement = (
        sa.select(slots.c.name, sa.cast(sa.func.sum(slots.c.taken), sa.BigInteger).label("taken"))
        .where(slots.c.name.in_(wanted), slots.c.worker != worker, slots.c.renewed_at > now - LEASE_US)
        .group_by(slots.c.name)
    )
    return {row.name: row.taken for row in await connection.execute(statement)}


def _upsert(engines: Engines, table: sa.Table, *keys: str) -> sa.sql.expression.UpdateBase:
    new = engines.backend.inserting(table)
    fresh = {column.name: new.excluded[column.name] for column in table.columns if column.name not in keys}
    statement: sa.sql.expression.UpdateBase = new.on_conflict_do_update(index_elements=list(keys), set_=fresh)
    return statement
