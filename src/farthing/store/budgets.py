"""Budgets as people make and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from farthing.domain.budget import Budget, Step
from farthing.domain.errands import ERRAND_BUDGET
from farthing.domain.errors import Conflict, NotFound
from farthing.domain.tenancy import PLAN_BUDGET
from farthing.store.engine import Engines
from farthing.store.leases import end
from farthing.store.queries.quality import of_tenant
from farthing.store.schema import budget_leases, budgets
from farthing.store.tenancy import note_change

COUNTER = "budgets"
"""Counts budgets that were made, so that of two who make the same at once one is refused."""

BROUGHT = (PLAN_BUDGET, ERRAND_BUDGET)
"""How the ids of budgets begin that come with plans and settings."""


class Budgets:
    """What may be spent. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def create(self, budget: Budget, *, created_at_us: int) -> None:
        """Adds a budget. Raises `Conflict` where there is one for the same and for windows of the same length."""
        same = [budgets.c.scope, budgets.c.tenant, budgets.c.subject, budgets.c.period]
        its = [column == value for column, value in zip(same, (*budget.key, budget.window), strict=True)]
        async with self._engines.writing() as connection:
            # Whoever makes one waits here for whoever did before, and then sees it.
            await note_change(self._engines, connection, COUNTER)
            if (await connection.execute(sa.select(budgets.c.budget_id).where(*its).limit(1))).first() is not None:
                raise Conflict("There is such a budget already: change that one.", param="scope")
            await connection.execute(sa.insert(budgets), _row(budget, created_at_us))

    async def change(self, budget: Budget, *, tenant: str | None = None, before: Budget | None = None) -> None:
        """Gives the budget of this id this one's limit, hardness, name and steps; the rest of it stays for good.

        Raises `NotFound`, also for a budget of another tenant than `tenant`, and `Conflict` for one that comes with a
        plan or the settings, or that is not any more what it was `before`.
        """
        _check_own(budget.id)
        mine = budgets.c.budget_id == budget.id, *of_tenant(budgets.c.tenant, tenant)
        async with self._engines.writing() as connection:
            row = (await connection.execute(sa.select(budgets).where(*mine).with_for_update())).one_or_none()
            if row is None:
                raise _unknown()
            if before is not None and _budget(row) != before:
                raise Conflict("Somebody else has changed this budget meanwhile. Look at it again.", param="budget_id")
            await connection.execute(sa.update(budgets).where(*mine).values(**_changeable(budget)))

    async def delete(self, budget_id: str, *, tenant: str | None = None) -> None:
        """Ends a budget and what workers had leased of it. Raises `NotFound`, and `Conflict` as `change`."""
        _check_own(budget_id)
        async with self._engines.writing() as connection:
            mine = sa.delete(budgets).where(budgets.c.budget_id == budget_id, *of_tenant(budgets.c.tenant, tenant))
            if (await connection.execute(mine)).rowcount == 0:
                raise _unknown()
            await end(connection, budget_leases.c.budget_id == budget_id)

    async def follow(self, wanted: Mapping[str, Budget], *, created_at_us: int) -> None:
        """Makes the budgets that come with plans and settings those of `wanted`, by id; others stay as they are."""
        async with self._engines.writing() as connection:
            await connection.execute(sa.delete(budgets).where(_gone(budgets.c.budget_id, wanted)))
            await end(connection, _gone(budget_leases.c.budget_id, wanted))
            for _, budget in sorted(wanted.items()):
                new = self._engines.backend.inserting(budgets).values(**_row(budget, created_at_us))
                latest = {name: new.excluded[name] for name in _changeable(budget)}
                await connection.execute(new.on_conflict_do_update(index_elements=["budget_id"], set_=latest))

    async def get(self, budget_id: str, *, tenant: str | None = None) -> Budget:
        """One of them. Raises `NotFound`."""
        statement = sa.select(budgets).where(budgets.c.budget_id == budget_id, *of_tenant(budgets.c.tenant, tenant))
        async with self._engines.reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise _unknown()
        return _budget(row)

    async def list(self, tenant: str | None = None) -> Sequence[Budget]:
        """Every budget, or a tenant's, the oldest first."""
        async with self._engines.reading() as connection:
            return [_budget(row) for row in await connection.execute(_all(tenant))]

    async def load(self) -> Sequence[Budget]:
        """Every budget, the oldest first, for those who hold money in them."""
        async with self._engines.reading("refresh") as connection:
            return [_budget(row) for row in await connection.execute(_EVERY)]


def _row(budget: Budget, created_at_us: int) -> dict[str, Any]:
    return {
        "budget_id": budget.id,
        "tenant": budget.tenant,
        "scope": budget.scope,
        "subject": budget.subject,
        "period": budget.window,
        "created_at": created_at_us,
        **_changeable(budget),
    }


def _gone(budget_id: sa.Column[Any], wanted: Mapping[str, Budget]) -> sa.ColumnElement[bool]:
    """Whether this came with a plan that no tenant is on any more, or with settings that are no more."""
    came = sa.or_(*(budget_id.startswith(prefix, autoescape=True) for prefix in BROUGHT))
    return came & budget_id.not_in(sorted(wanted))


def _check_own(budget_id: str) -> None:
    """Raises `Conflict` for a budget that comes with a plan or the settings, and would come back."""
    if budget_id.startswith(ERRAND_BUDGET):
        raise Conflict("This budget comes with the settings: change it in [learning] of farthing.toml.")
    if budget_id.startswith(PLAN_BUDGET):
        raise Conflict("This budget comes with the tenant's plan: change the plan, or put the tenant on another one.")


def _all(tenant: str | None) -> sa.Select[Any]:
    found = sa.select(budgets).where(*of_tenant(budgets.c.tenant, tenant))
    return found.order_by(budgets.c.created_at, budgets.c.budget_id)


_EVERY = _all(None)


def _changeable(budget: Budget) -> dict[str, Any]:
    return {
        "limit_nano": budget.limit,
        "is_hard": budget.is_hard,
        "name": budget.name,
        "degrade": msgspec.to_builtins(budget.degrade) if budget.degrade else None,
    }


def _budget(row: sa.Row[Any]) -> Budget:
    return Budget(
        id=row.budget_id,
        tenant=row.tenant,
        scope=row.scope,
        subject=row.subject,
        window=row.period,
        limit=row.limit_nano,
        is_hard=row.is_hard,
        name=row.name,
        degrade=msgspec.convert(row.degrade or (), tuple[Step, ...]),
    )


def _unknown() -> NotFound:
    return NotFound("There is no budget with this id.", param="budget_id")
