"""`GET /v1/usage`: what was used and spent, by whom or for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.ports import Dimension, GroupBy, Period, Stretch
from farthing.store.queries.sums import DAY_MINUTES, HOUR_MINUTES, Sums, by_bucket, by_value

_PERIODS: Mapping[str, int] = {"hour": HOUR_MINUTES, "day": DAY_MINUTES}


async def usage(connection: AsyncConnection, tenant: str | None, group_by: GroupBy, stretch: Stretch) -> dict[str, Any]:
    """`{rows, total}`, money in nano-dollars. A row's `group` is the start in µs for `hour` and `day`.

    The group None gathers requests that have no value, such as those without a team. A request counts under each of its
    tags, so those rows may sum to more than the total.
    """
    if minutes := _PERIODS.get(group_by):
        buckets = await by_bucket(connection, minutes, tenant, stretch)
        rows: list[tuple[Any, Sums]] = list(buckets.items())
        return _answer(rows, sum(buckets.values(), Sums()))
    found = await by_value(connection, [group_by, "total"], tenant, stretch)
    rows = list(found[group_by].items())
    total = found["total"].get("", Sums())
    rest = total - sum(found[group_by].values(), Sums())
    if group_by != "tag" and rest.requests:
        rows.append((None, rest))
    return _answer(rows, total)


async def usage_of(
    connection: AsyncConnection, tenant: str | None, period: Period, stretch: Stretch, only: tuple[Dimension, str]
) -> dict[str, Any]:
    """As `usage` by `hour` or `day`, of the requests that have this value, the second, of a dimension, the first."""
    buckets = await by_bucket(connection, _PERIODS[period], tenant, stretch, only=only)
    return _answer(list(buckets.items()), sum(buckets.values(), Sums()))


def _answer(rows: list[tuple[Any, Sums]], total: Sums) -> dict[str, Any]:
    return {"rows": [{"group": group, **sums.shown()} for group, sums in rows], "total": total.shown()}
