"""What was spent in a window: for budgets, and for today's total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import Budget, Scope, Window, span
from farthing.ports import Stretch
from farthing.store.aggregates import LONGEST_VALUE, TOTAL
from farthing.store.queries.sums import covered, pieces

_DIMENSIONS: dict[Scope, str] = {"key": "key", "team": "team", "tenant": TOTAL}


async def spent_today(connection: AsyncConnection, now_us: int) -> Mapping[str, int]:
    """Nano-dollars since midnight UTC by tenant."""
    today = span("day", now_us)
    costs = await _costs(connection, TOTAL, Stretch(today.start_us, today.end_us), [""])
    return {tenant: cost for (tenant, _), cost in costs.items()}


async def spent(connection: AsyncConnection, budgets: Iterable[Budget], now_us: int) -> Mapping[str, int]:
    """Nano-dollars spent in each budget's present window, by the budget's id."""
    groups: dict[tuple[Scope, Window], list[Budget]] = {}
    for budget in budgets:
        groups.setdefault((budget.scope, budget.window), []).append(budget)
    found: dict[str, int] = {}
    for (scope, window), members in groups.items():
        present = span(window, now_us)
        stretch = Stretch(present.start_us, present.end_us)
        costs = await _costs(connection, _DIMENSIONS[scope], stretch, {_value(budget) for budget in members})
        found |= {budget.id: costs.get((budget.tenant, _value(budget)), 0) for budget in members}
    return found


def _value(budget: Budget) -> str:
    return "" if budget.scope == "tenant" else budget.subject[:LONGEST_VALUE]


async def _costs(
    connection: AsyncConnection, dimension: str, stretch: Stretch, values: Iterable[str]
) -> Mapping[tuple[str, str], int]:
    rows = covered([dimension], None, pieces(stretch)).c
    statement = (
        sa.select(rows.tenant, rows.value, sa.cast(sa.func.sum(rows.cost), sa.BigInteger))
        .where(rows.value.in_(list(values)))
        .group_by(rows.tenant, rows.value)
    )
    return {(tenant, value): cost for tenant, value, cost in await connection.execute(statement)}
