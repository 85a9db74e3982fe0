"""How the cost of requests varies between users of the ledger."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import DAY_US
from farthing.ports.experiments import Spread
from farthing.store.columns import Moment
from farthing.store.schema import requests

APART = ("embeddings", "count_tokens")
"""Dialects whose requests are in no experiment."""


async def variance(connection: AsyncConnection, since_us: int, wanted: Mapping[str, str | None]) -> Spread:
    """Of requests that can be in an experiment, were bought and have a known cost.

    `wanted` names columns and their values, None for any.
    Sums of squares come from whole nano-dollars in floating point, around a mean that is taken first (two passes).
    """
    table = requests.c
    where = [
        table.created_at >= sa.literal(since_us, Moment),
        table.cost.is_not(None),
        table.status.not_in(("rejected", "cached")),
        table.dialect.not_in(APART),
        *(table[name] == value for name, value in wanted.items() if value is not None),
    ]
    unit = sa.func.coalesce(table.user_id, sa.cast(table.request_id, sa.Text))
    users = (
        sa.select(
            sa.cast(sa.func.sum(table.cost), sa.BigInteger).label("cost"),
            sa.func.count().label("requests"),
            sa.func.min(table.created_at).label("first"),
            sa.func.max(table.created_at).label("last"),
        )
        .where(*where)
        .group_by(table.tenant, unit)
        .subquery()
    )
    each = users.c
    totals = sa.select(
        sa.func.count(),
        sa.cast(sa.func.coalesce(sa.func.sum(each.requests), 0), sa.BigInteger),
        sa.cast(sa.func.coalesce(sa.func.sum(each.cost), 0), sa.BigInteger),
        sa.type_coerce(sa.func.min(each.first), Moment),
        sa.type_coerce(sa.func.max(each.last), Moment),
    )
    number, count, cost, first, last = (await connection.execute(totals)).one()
    mean = cost / count if count else 0.0
    away = sa.cast(each.cost, sa.Double) - sa.literal(mean, sa.Double) * each.requests
    squares = (await connection.execute(sa.select(sa.func.sum(away * away)))).scalar() if number > 1 else None
    return Spread(
        users=number,
        requests=count,
        days=(last - first) / DAY_US if number else 0.0,
        mean=mean,
        variance=float(squares or 0.0) / max(1, number - 1),
    )
