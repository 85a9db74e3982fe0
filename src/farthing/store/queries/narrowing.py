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
READ = 2_000
"""Requests of a stretch of time that are sooner read than looked up more closely."""

Span = tuple[int, int]
"""From a moment up to but without another, in µs."""


async def spans(
    connection: AsyncConnection, tenant: str | None, wanted: Filter, until_us: int | None = None
) -> AsyncGenerator[Span]:
    """When there may be rows like that, the newest first; none at or after `until_us`.

    Days, and where those are full their hours and minutes, in which the tenant, or with None one of them, had every
    value. Without such a value, and with a session, which has an index, it is all the time that is wanted.
    """
    limits = [limit for limit in (wanted.to_us, until_us) if limit is not None]
    whole = max(wanted.from_us or 0, 0), min([*limits, LAST_US])
    values = {name: value[:LONGEST_VALUE] for name in DIMENSIONS if (value := getattr(wanted, name))}
    if not values or wanted.session is not None:
        yield whole
        return
    holding = _holding(tenant, values)
    due: list[tuple[Span, Sequence[int], int]] = [(whole, GRAINS[::-1], FEW)]
    while due:
        (since, until), grains, few = due.pop()
        if not grains:
            yield since, until
            continue
        grain, *finer = grains
        size = grain * MINUTE_US
        given = {"grain": grain, "since": since - since % size, "until": until, "few": few}
        buckets = (await connection.execute(holding, given)).all()
        if len(buckets) == few:
            due.append(((since, buckets[-1].bucket), grains, few * MORE))
        for start, end, requests in reversed(_joined(buckets, size)):
            part = max(start, since), min(end, until)
            due.append((part, () if requests <= READ else finer, FEW))


def _holding(tenant: str | None, values: Mapping[str, str]) -> sa.Select[int, int]:
    """The `few` last buckets of the `grain` from `since` on and before `until` that hold all values, descending.

    Each with how many requests there are in all. Whatever was asked in a bucket, a value is looked up in it by the
    table's whole key: how many others there are costs nothing.
    """
    total = value_metrics.alias("total")
    grain: sa.BindParameter[int] = sa.bindparam("grain")
    where = [total.c.dimension == TOTAL, total.c.grain == grain]
    where += [total.c.bucket >= sa.bindparam("since"), total.c.bucket < sa.bindparam("until")]
    if tenant is not None:
        where.append(total.c.tenant == tenant)
    held = []
    for name, value in values.items():
        one = value_metrics.alias(name)
        same = [one.c[column] == total.c[column] for column in ("bucket", "tenant")]
        held.append(sa.exists().where(one.c.dimension == name, one.c.grain == grain, one.c.value == value, *same))
    return (
        sa.select(total.c.bucket, sa.cast(sa.func.sum(total.c.requests), sa.BigInteger))
        .where(*where)
        .group_by(total.c.bucket)
        .having(sa.func.max(sa.case((sa.and_(*held), 1), else_=0)) == 1)
        .order_by(total.c.bucket.desc())
        .limit(sa.bindparam("few"))
    )


def _joined(buckets: Sequence[sa.Row[int, int]], size: int) -> list[tuple[int, int, int]]:
    """Start, end and requests of the buckets, the newest first; neighbours as one where they are treated alike."""
    joined: list[tuple[int, int, int]] = []
    for bucket, requests in buckets:
        start, end, more = joined[-1] if joined else (0, 0, 0)
        if start == bucket + size and (more + requests <= READ or min(more, requests) > READ):
            joined[-1] = bucket, end, more + requests
        else:
            joined.append((bucket, bucket + size, requests))
    return joined
