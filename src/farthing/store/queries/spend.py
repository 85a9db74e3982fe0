"""What was spent in a window: for budgets, and for today's total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import DAY_US, LONGEST_SUBJECT, Budget, Place, Scope, Span, Standing, Window, span
from farthing.ports import Stretch
from farthing.store.aggregates import TOTAL
from farthing.store.columns import Moment
from farthing.store.queries.sums import DAY_MINUTES, LAST_US, covered, pieces
from farthing.store.schema import budget_leases, value_metrics

_DIMENSIONS: dict[Scope, str] = {
    "key": "key",
    "team": "team",
    "user": "user",
    "tag": "tag",
    "model": "model",
    "tenant": TOTAL,
    "gateway": TOTAL,
}
_MOST_DAYS = 31
"""Days of a window that are looked up one by one: among all subjects' days the database would read them all."""


_OF_DAY = sa.select(value_metrics.c.tenant, value_metrics.c.cost, value_metrics.c.requests).where(
    value_metrics.c.dimension == TOTAL,
    value_metrics.c.grain == DAY_MINUTES,
    value_metrics.c.bucket == sa.bindparam("day"),
    value_metrics.c.value == "",
)
"""A tenant's whole day is one row. It is asked for twice a second: to put the question together takes as long."""


async def spent_today(connection: AsyncConnection, now_us: int) -> Mapping[str, int]:
    """Nano-dollars since midnight UTC by tenant."""
    day = span("day", now_us)
    return {row.tenant: row.cost for row in await connection.execute(_OF_DAY, {"day": day.start_us})}


async def requests_today(connection: AsyncConnection, now_us: int) -> Mapping[str, int]:
    """Requests since midnight UTC by tenant."""
    day = span("day", now_us)
    return {row.tenant: row.requests for row in await connection.execute(_OF_DAY, {"day": day.start_us})}


async def spent(connection: AsyncConnection, budgets: Iterable[Budget], now_us: int) -> Mapping[str, int]:
    """Nano-dollars spent in each budget's present window, by the budget's id."""
    groups: dict[tuple[str, Window], list[Budget]] = {}
    for budget in budgets:
        groups.setdefault((_dimension(budget), budget.window), []).append(budget)
    found: dict[str, int] = {}
    for (dimension, window), members in groups.items():
        present = span(window, now_us)
        stretch = Stretch(present.start_us, present.end_us)
        costs = await _costs(connection, dimension, stretch, {_value(budget) for budget in members})
        found |= {
            budget.id: _everybodys(costs, budget)
            if budget.scope == "gateway"
            else costs.get((budget.tenant, _value(budget)), 0)
            for budget in members
        }
    return found


async def daily_of(
    connection: AsyncConnection, budgets: Iterable[Budget], stretch: Stretch
) -> Mapping[str, Mapping[int, int]]:
    """Nano-dollars of each day (its start in µs) in the stretch, which is of whole days, by budget id."""
    groups: dict[str, list[Budget]] = {}
    for budget in budgets:
        groups.setdefault(_dimension(budget), []).append(budget)
    found: dict[str, Mapping[int, int]] = {}
    for dimension, members in groups.items():
        rows = covered([dimension], None, pieces(stretch, [DAY_MINUTES])).c
        statement = (
            sa.select(rows.tenant, rows.value, rows.bucket, sa.cast(sa.func.sum(rows.cost), sa.BigInteger))
            .where(rows.value.in_({_value(budget) for budget in members}))
            .group_by(rows.tenant, rows.value, rows.bucket)
        )
        costs: dict[tuple[str, str], dict[int, int]] = {}
        for tenant, value, day, cost in await connection.execute(statement):
            costs.setdefault((tenant, value), {})[day] = cost
        found |= {
            budget.id: _everybodys_days(costs, budget)
            if budget.scope == "gateway"
            else costs.get((budget.tenant, _value(budget)), {})
            for budget in members
        }
    return found


def _everybodys(costs: Mapping[tuple[str, str], int], budget: Budget) -> int:
    return sum(cost for (_, value), cost in costs.items() if value == _value(budget))


def _everybodys_days(costs: Mapping[tuple[str, str], Mapping[int, int]], budget: Budget) -> Mapping[int, int]:
    found = Counter[int]()
    for (_, value), days in costs.items():
        if value == _value(budget):
            found.update(days)
    return found


async def standing(
    connection: AsyncConnection, places: Mapping[Place, tuple[Budget, Span]], limits: Mapping[str, int]
) -> Mapping[Place, Standing]:
    """How each place stands, all seen at one moment: a row that reaches the ledger leaves its lease at that moment.

    `limits` by budget id.
    """
    order = list(places)
    parts = [part for number, place in enumerate(order) for part in _parts(number, place, *places[place])]
    sums = {(number, kind): int(nano) for number, kind, nano in await connection.execute(sa.union_all(*parts))}
    return {
        place: Standing(limit=limits[place.budget_id], spent=sums[number, 0], leased=sums[number, 1])
        for number, place in enumerate(order)
    }


def _parts(number: int, place: Place, budget: Budget, window: Span) -> Iterator[sa.Select[int, int, int]]:
    table, lease = value_metrics.c, budget_leases.c
    costs = [
        table.dimension == _dimension(budget),
        table.grain == DAY_MINUTES,
        *_days(window),
        table.value == _value(budget),
    ]
    if budget.scope != "gateway":
        costs.append(table.tenant == budget.tenant)
    yield _sum(number, 0, table.cost).where(*costs)
    yield _sum(number, 1, lease.amount).where(
        lease.budget_id == place.budget_id, lease.starts_at == sa.literal(place.starts_us, Moment)
    )


def _days(window: Span) -> list[sa.ColumnElement[bool]]:
    bucket, start, end = value_metrics.c.bucket, max(0, window.start_us), window.end_us
    if end is not None and (end - start) <= _MOST_DAYS * DAY_US:
        return [bucket.in_(range(start, end, DAY_US))]
    return [bucket >= start, bucket < (LAST_US if end is None else end)]


def _sum(number: int, kind: int, column: sa.Column[int]) -> sa.Select[int, int, int]:
    total = sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
    return sa.select(sa.literal(number, sa.Integer), sa.literal(kind, sa.Integer), total)


def _dimension(budget: Budget) -> str:
    """Where its costs are summed; those of an errand stand under the strategy of that name."""
    return "strategy" if budget.scope == "gateway" and budget.subject else _DIMENSIONS[budget.scope]


def _value(budget: Budget) -> str:
    return "" if budget.scope == "tenant" else budget.subject[:LONGEST_SUBJECT]


async def _costs(
    connection: AsyncConnection, dimension: str, stretch: Stretch, values: Iterable[str]
) -> Mapping[tuple[str, str], int]:
    statement = _costs_of(dimension, tuple(pieces(stretch)))
    found = await connection.execute(statement, {"values": list(values)})
    return {(tenant, value): cost for tenant, value, cost in found}


@lru_cache(maxsize=64)
def _costs_of(dimension: str, covers: tuple[tuple[int, int, int], ...]) -> sa.Select[str, str, int]:
    """The costs of `values` in these pieces of time."""
    rows = covered([dimension], None, covers).c
    return (
        sa.select(rows.tenant, rows.value, sa.cast(sa.func.sum(rows.cost), sa.BigInteger))
        .where(rows.value.in_(sa.bindparam("values", expanding=True)))
        .group_by(rows.tenant, rows.value)
    )
