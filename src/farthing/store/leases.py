"""Parts of budgets that workers have set aside for themselves. What is spent and leased together stays in the limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import Budget, Place, Span, Standing
from farthing.domain.exchange import Exchange
from farthing.store.clock import NOW_US
from farthing.store.engine import Engines
from farthing.store.queries.spend import standing
from farthing.store.schema import budget_leases, budgets

_LEASE = budget_leases.c
_NOW: Mapping[str, sa.ColumnElement[Any]] = {
    "postgresql": sa.func.clock_timestamp(),
    "sqlite": NOW_US["sqlite"],
}
"""The database's own clock: workers' clocks may differ by more than a lease lasts."""
_AGO: Mapping[str, Callable[[float], sa.ColumnElement[Any]]] = {
    "postgresql": lambda seconds: sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds),
    "sqlite": lambda seconds: _NOW["sqlite"] - round(seconds * 1_000_000),
}


class Leases:
    """Implements `farthing.money.leases.Lessor`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._now = _NOW[engines.backend.name]

    async def grant(
        self,
        worker: str,
        places: Mapping[Place, tuple[Budget, Span]],
        choose: Callable[[Mapping[Place, Standing]], Mapping[Place, int]],
    ) -> None:
        """Adds to the worker's leases what `choose` makes of how the places stand; nobody else can in between."""
        async with self._engines.writing("refresh") as connection:
            ids = {place.budget_id for place in places}
            locked = sa.select(budgets.c.budget_id, budgets.c.limit_nano).where(
                budgets.c.budget_id.in_(ids), budgets.c.is_hard.is_(True)
            )
            rows = await connection.execute(locked.order_by(budgets.c.budget_id).with_for_update())
            limits = {row.budget_id: row.limit_nano for row in rows}
            found = {place: window for place, window in places.items() if place.budget_id in limits}
            standings = await standing(connection, found, limits) if found else {}
            if added := choose(standings):
                await self._add(connection, worker, added)

    async def _add(self, connection: AsyncConnection, worker: str, amounts: Mapping[Place, int]) -> None:
        new = self._engines.backend.inserting(budget_leases)
        upsert = new.values(renewed_at=self._now).on_conflict_do_update(
            index_elements=list(budget_leases.primary_key),
            set_={"amount": _LEASE.amount + new.excluded.amount, "renewed_at": self._now},
        )
        # In the order in which the writers of rows lower them: they wait for one another but never deadlock.
        for place, amount in sorted(amounts.items()):
            values = {"budget_id": place.budget_id, "starts_at": place.starts_us, "worker": worker, "amount": amount}
            await connection.execute(upsert, values)

    async def give_back(self, worker: str, amounts: Mapping[Place, int]) -> None:
        """Takes so much off the worker's leases."""
        async with self._engines.writing("refresh") as connection:
            await lower(connection, worker, amounts)

    async def own(self, worker: str, *, renew: bool) -> Mapping[Place, int]:
        """The worker's leases; `renew` says that it lives, and drops those that are used up."""
        mine = sa.select(_LEASE.budget_id, _LEASE.starts_at, _LEASE.amount).where(_LEASE.worker == worker)
        if not renew:
            async with self._engines.reading("refresh") as connection:
                return _amounts(await connection.execute(mine))
        async with self._engines.writing("refresh") as connection:
            # Locked in their order first, as by the writers of rows.
            await connection.execute(mine.order_by(_LEASE.budget_id, _LEASE.starts_at).with_for_update())
            await connection.execute(sa.delete(budget_leases).where(_LEASE.worker == worker, _LEASE.amount == 0))
            renewed = sa.update(budget_leases).where(_LEASE.worker == worker).values(renewed_at=self._now)
            await connection.execute(renewed)
            return _amounts(await connection.execute(mine))

    async def drop(self, worker: str) -> None:
        """Ends all of the worker's leases."""
        async with self._engines.writing("refresh") as connection:
            await end(connection, _LEASE.worker == worker)

    async def reap(self, after_s: float) -> int:
        """Ends the leases that were not renewed for so many seconds; how many there were."""
        old = _LEASE.renewed_at < sa.type_coerce(_AGO[self._engines.backend.name](after_s), sa.types.NullType)
        async with self._engines.writing("refresh") as connection:
            return await end(connection, old)

    async def held(self) -> Mapping[Place, int]:
        """Nano-dollars that all workers together have leased."""
        sums = sa.select(_LEASE.budget_id, _LEASE.starts_at, sa.cast(sa.func.sum(_LEASE.amount), sa.BigInteger))
        async with self._engines.reading() as connection:
            return _amounts(await connection.execute(sums.group_by(_LEASE.budget_id, _LEASE.starts_at)))


class Lessee(Struct, frozen=True):
    """Whose leases pay for a batch of rows, and how much of each."""

    worker: str
    charges: Callable[[Sequence[Exchange]], Mapping[Place, int]]

    async def settle(self, connection: AsyncConnection, rows: Sequence[Exchange]) -> None:
        """Takes off what these rows cost, in the transaction that adds them."""
        if owed := self.charges(rows):
            await lower(connection, self.worker, owed)


async def end(connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> int:
    """Ends these leases, locked in their order first as by the writers of rows; how many there were."""
    order = sa.select(_LEASE.worker).where(*where).order_by(_LEASE.budget_id, _LEASE.starts_at, _LEASE.worker)
    await connection.execute(order.with_for_update())
    return (await connection.execute(sa.delete(budget_leases).where(*where))).rowcount


async def lower(connection: AsyncConnection, worker: str, amounts: Mapping[Place, int]) -> None:
    """Takes so much off the worker's leases, but leaves none below zero."""
    less = sa.bindparam("less", type_=sa.BigInteger)
    statement = (
        sa.update(budget_leases)
        .where(
            _LEASE.budget_id == sa.bindparam("its"),
            _LEASE.starts_at == sa.bindparam("start", type_=_LEASE.starts_at.type),
            _LEASE.worker == worker,
        )
        .values(amount=sa.case((_LEASE.amount > less, _LEASE.amount - less), else_=0))
    )
    rows = [
        {"its": place.budget_id, "start": place.starts_us, "less": amount} for place, amount in sorted(amounts.items())
    ]
    await connection.execute(statement, rows)


def _amounts(rows: Iterable[Any]) -> Mapping[Place, int]:
    return {Place(budget_id, starts_us): int(amount) for budget_id, starts_us, amount in rows}
