"""What a provider was asked, by day and model, from the rows themselves: an invoice is compared with nothing else."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import Span
from farthing.domain.pricing import TOKEN_CLASSES
from farthing.domain.reconciliation import Booked
from farthing.store.columns import to_datetime
from farthing.store.schema import requests

_TOKENS = sum((requests.c[f"{name}_tokens"] for name in TOKEN_CLASSES), sa.literal(0))


async def charged(connection: AsyncConnection, provider: str, day: Span) -> list[Booked]:
    """The sums of a day's rows that cost something, or whose cost is unknown; models as they are called here."""
    row = requests.c
    statement = (
        sa.select(
            row.model,
            sa.func.count(),
            *(sa.cast(sa.func.coalesce(sa.func.sum(each), 0), sa.BigInteger) for each in (_TOKENS, row.cost)),
            sa.func.count().filter(row.cost.is_(None)),
        )
        .where(row.created_at >= day.start_us, row.created_at < day.end_us, row.provider == provider)
        .where(sa.or_(row.cost > 0, row.cost.is_(None)))
        .group_by(row.model)
    )
    name = to_datetime(day.start_us).strftime("%Y-%m-%d")
    return [
        Booked(day=name, model=model or "", requests=count, tokens=tokens, cost=cost, unpriced=unpriced)
        for model, count, tokens, cost, unpriced in await connection.execute(statement)
    ]
