"""When a value occurs at all: the sums know it, so that nobody reads through a ledger for what hardly stands in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.ports import Filter
from farthing.store.aggregates import GRAINS, LONGEST_VALUE, MINUTE_US, TOTAL
from farthing.store.queries.sums import LAST_US
from farthing.store.schema import value_metrics

DIMENSIONS = ("status", "model", "provider", "key", "team", "user", "tag")
"""Fields of a filter that the sums have, under the same names."""

FEW, MORE = 16, 4
"""Buckets that are looked for at first, and how many times as many each time after that: mostly the newest will do."""

Span = tuple[int, int]
"""From a moment up to but without another, in µs."""


async def spans(
    connection: AsyncConnection, tenant: str | None, wanted: Filter, until_us: int | None = None
) -> AsyncGenerator[Span]:
    """When there may be rows like that, the newest first; none at or after `until_us`.

    Days, then their hours, then their minutes in which the tenant, or with None one of them, had every value. Without
    such a value, and with a session, which has an index, it is all the time that is wanted.
    """
    limits = [limit for limit in (wanted.to_us, until_us) if limit is not None]
    whole = max(wanted.from_us or 0, 0), min([*limits, LAST_US])
    values = {name: value[:LONGEST_VALUE] for name in DIMENSIONS if (value := getattr(wanted, name))}
    first = GRAINS[::-1] if values and wanted.session is None else ()
    due: list[tuple[Span, Sequence[int], int]] = [(whole, first, FEW)]
    while due:
        (since, until), grains, few = due.pop()
        if not grains:
            yield since, until
            continue
        grain, *finer = grains
        buckets = (await connection.scalars(_holding(tenant, values, (since, until), grain).limit(few))).all()
        if len(buckets) == few:
            due.append(((since, buckets[-1]), grains, few * MORE))
        parts = [(max(start, since), min(end, until)) for start, end in _joined(buckets, grain * MINUTE_US)]
        due += [(part, finer, FEW) for part in reversed(parts)]


def _holding(tenant: str | None, values: Mapping[str, str], span: Span, grain: int) -> sa.Select[int]:
    """The buckets that hold all values, descending.

    Each bucket in which anything was asked is looked up by the table's whole key: how many other values there are costs
    nothing.
    """
    size = grain * MINUTE_US
    total = value_metrics.alias("total")
    start = span[0] - span[0] % size
    where = [total.c.dimension == TOTAL, total.c.grain == grain, total.c.bucket >= start, total.c.bucket < span[1]]
    if tenant is not None:
        where.append(total.c.tenant == tenant)
    for name, value in values.items():
        one = value_metrics.alias(name)
        same = [one.c[column] == total.c[column] for column in ("bucket", "tenant")]
        where.append(sa.exists().where(one.c.dimension == name, one.c.grain == grain, one.c.value == value, *same))
    return sa.select(total.c.bucket).where(*where).distinct().order_by(total.c.bucket.desc())


def _joined(buckets: Sequence[int], size: int) -> list[Span]:
    """Buckets that follow one another as one, the newest first."""
    joined: list[Span] = []
    for bucket in buckets:
        if joined and joined[-1][0] == bucket + size:
            joined[-1] = bucket, joined[-1][1]
        else:
            joined.append((bucket, bucket + size))
    return joined
