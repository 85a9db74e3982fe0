"""What tenants pay since when: rows are added and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.plans import PriceList, Terms
from farthing.store.engine import Engines
from farthing.store.schema import plan_terms, tenants

PORTION = 500
"""Tenants at a time."""


class PlanTerms:
    """The record of terms. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def of(self, tenant: str) -> Sequence[Terms]:
        """All that a tenant ever had, the oldest first."""
        statement = sa.select(plan_terms).where(plan_terms.c.tenant == tenant).order_by(plan_terms.c.since)
        async with self._engines.reading() as connection:
            return [_terms(row) for row in await connection.execute(statement)]

    async def latest(self) -> Mapping[str, Terms]:
        """What stands last in the record, by tenant."""
        async with self._engines.reading("refresh") as connection:
            return await _latest(connection)

    async def add(self, found: Mapping[str, Terms]) -> None:
        """Puts on record what tenants are found to pay, unless it stands there last or they are on another plan now."""
        names = sorted(found)
        for start in range(0, len(names), PORTION):
            portion = names[start : start + PORTION]
            mine = sa.select(tenants.c.tenant, tenants.c.plan).where(tenants.c.tenant.in_(portion))
            async with self._engines.writing() as connection:
                # Of all who find the same, one at a time.
                locked = await connection.execute(mine.order_by(tenants.c.tenant).with_for_update())
                plans = {row.tenant: row.plan for row in locked}
                known = await _latest(connection, plan_terms.c.tenant.in_(portion))
                stays = {tenant for tenant, plan in plans.items() if plan == found[tenant].plan}
                told = {tenant for tenant, last in known.items() if last.charge == found[tenant].charge}
                await _write(self._engines, connection, {tenant: found[tenant] for tenant in sorted(stays - told)})


async def note_plan(
    engines: Engines, connection: AsyncConnection, tenant: str, plans: tuple[str | None, str | None], prices: PriceList
) -> None:
    """Puts on record that a tenant was moved from the first of these plans to the second.

    So too what it had been on until then, where nothing is on record.
    """
    before, after = plans
    there = sa.select(sa.literal(1)).where(plan_terms.c.tenant == tenant).limit(1)
    if before is not None and (await connection.execute(there)).first() is None:
        await _write(engines, connection, {tenant: prices.terms(before, since_us=0)})
    await _write(engines, connection, {tenant: prices.terms(after)})


async def _write(engines: Engines, connection: AsyncConnection, found: Mapping[str, Terms]) -> None:
    """Adds rows, one for each tenant. Of two for the same moment the later counts."""
    rows = [
        {
            "tenant": tenant,
            "since": terms.since_us,
            "plan": terms.plan,
            "price": terms.price,
            "markup": terms.markup_basis_points,
        }
        for tenant, terms in found.items()
    ]
    if rows:
        new = engines.backend.inserting(plan_terms).values(rows)
        latest = {name: new.excluded[name] for name in ("plan", "price", "markup")}
        await connection.execute(new.on_conflict_do_update(index_elements=["tenant", "since"], set_=latest))


async def _latest(connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> Mapping[str, Terms]:
    newest = sa.select(plan_terms.c.tenant, sa.func.max(plan_terms.c.since).label("since")).where(*where)
    last = newest.group_by(plan_terms.c.tenant).subquery()
    same = (plan_terms.c.tenant == last.c.tenant) & (plan_terms.c.since == last.c.since)
    found = await connection.execute(sa.select(plan_terms).join(last, same))
    return {row.tenant: _terms(row) for row in found}


def _terms(row: sa.Row[Any]) -> Terms:
    return Terms(since_us=row.since, plan=row.plan, price=row.price, markup_basis_points=row.markup)
