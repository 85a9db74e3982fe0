"""Sums over a stretch of time, read from few buckets whatever its length: days, and hours and minutes at its ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import DAY_US
from farthing.ports import Stretch
from farthing.store.aggregates import GRAINS, LONGEST_VALUE, MINUTE_US, TOTAL
from farthing.store.schema import COUNTERS, value_metrics

HOUR_MINUTES = 60
DAY_MINUTES = DAY_US // MINUTE_US
LAST_US = 253_402_214_400_000_000
"""The last day that a `datetime` knows."""


def pieces(stretch: Stretch, grains: Sequence[int] = GRAINS) -> list[tuple[int, int, int]]:
    """What covers a stretch, widened to whole minutes, with the fewest buckets: grain in minutes, start, end in µs."""
    start = min(max(stretch.from_us or 0, 0), LAST_US)
    end = LAST_US if stretch.to_us is None else min(max(stretch.to_us, 0), LAST_US)
    return _cover(start - start % MINUTE_US, end + -end % MINUTE_US, sorted(grains))


FOR_EVER = Stretch()


def _cover(start: int, end: int, grains: Sequence[int]) -> list[tuple[int, int, int]]:
    if start >= end:
        return []
    *finer, grain = grains
    size = grain * MINUTE_US
    first, last = start + -start % size, end - end % size
    if first >= last:
        return _cover(start, end, finer)
    return [*_cover(start, first, finer), (grain, first, last), *_cover(last, end, finer)]


class Sums(Struct, frozen=True):
    """The counters of `value_metrics`, added up. Money in nano-dollars."""

    requests: int = 0
    errors: int = 0
    cache_hits: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    unpriced: int = 0
    """Requests whose cost is unknown and missing from `cost`."""
    baseline_cost: int = 0
    savings: int = 0
    duration_us: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in COUNTERS))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in COUNTERS))

    @property
    def avg_latency_ms(self) -> float:
        """Mean time from a request's arrival to its end."""
        return self.duration_us / self.requests / 1000 if self.requests else 0.0

    def shown(self) -> dict[str, Any]:
        """The fields that every table of sums has."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "cache_hits": self.cache_hits,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": self.cost,
            "unpriced_requests": self.unpriced,
            "baseline_cost": self.baseline_cost,
            "savings": self.savings,
            "avg_latency_ms": self.avg_latency_ms,
        }


def covered(
    dimensions: Iterable[str],
    tenant: str | None,
    covers: Sequence[tuple[int, int, int]],
    *,
    value: str | None = None,
) -> sa.Subquery:
    """The rows of `value_metrics` in these pieces of time; None means all tenants, and every value.

    Each piece is a select of its own. As alternatives in one condition they would be looked for among every bucket that
    a dimension has, because SQLite uses an index only for what all alternatives share.
    """
    where: list[sa.ColumnElement[bool]] = [value_metrics.c.dimension.in_(list(dimensions))]
    where += [] if tenant is None else [value_metrics.c.tenant == tenant]
    where += [] if value is None else [value_metrics.c.value == value]
    selects = [_piece(where, grain, start, end) for grain, start, end in covers]
    return sa.union_all(*selects or [sa.select(value_metrics).where(sa.false())]).subquery("covered")


def _piece(where: Sequence[sa.ColumnElement[bool]], grain: int, start: int, end: int) -> sa.Select[Any]:
    table = value_metrics.c
    return sa.select(value_metrics).where(*where, table.grain == grain, table.bucket >= start, table.bucket < end)


def _summed(rows: sa.Subquery) -> list[sa.Label[int]]:
    """Every counter's sum, in the order of `COUNTERS`."""
    return [sa.cast(sa.func.sum(rows.c[name]), sa.BigInteger).label(name) for name in COUNTERS]


async def by_value(
    connection: AsyncConnection, dimensions: Iterable[str], tenant: str | None, stretch: Stretch = FOR_EVER
) -> Mapping[str, dict[str, Sums]]:
    """For each dimension its values' sums, the dearest value first."""
    names = list(dimensions)
    rows = covered(names, tenant, pieces(stretch))
    statement = (
        sa.select(rows.c.dimension, rows.c.value, *_summed(rows))
        .group_by(rows.c.dimension, rows.c.value)
        .order_by(sa.desc("cost"), sa.desc("requests"), rows.c.value)
    )
    found: dict[str, dict[str, Sums]] = {name: {} for name in names}
    for dimension, value, *sums in await connection.execute(statement):
        found[dimension][value] = Sums(*sums)
    return found


async def by_bucket(
    connection: AsyncConnection,
    minutes: int,
    tenant: str | None,
    stretch: Stretch,
    *,
    only: tuple[str, str] | None = None,
) -> dict[int, Sums]:
    """Sums for each bucket of so many minutes, by its start in µs, ascending.

    Of all requests, or `only` of those that have this value, the second, of a dimension, the first.
    """
    dimension, value = only or (TOTAL, "")
    covers = pieces(stretch, [grain for grain in GRAINS if grain <= minutes])
    rows = covered([dimension], tenant, covers, value=value[:LONGEST_VALUE])
    statement = sa.select(rows.c.bucket, *_summed(rows)).group_by(rows.c.bucket, rows.c.grain).order_by(rows.c.bucket)
    found: dict[int, Sums] = {}
    for bucket, *sums in await connection.execute(statement):
        start = bucket - bucket % (minutes * MINUTE_US)
        found[start] = found.get(start, Sums()) + Sums(*sums)
    return found
