"""Questions to the ledger. Money is in nano-dollars, moments in µs since 1970 UTC; tenant None means all tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from farthing.domain.budget import DAY_US, Budget, span
from farthing.ports import Dimension, Filter, GroupBy, Period, Rows, Stretch
from farthing.store.engine import Engines
from farthing.store.queries import cache, quality, requests, routing, savings, spend, stats, sums, usage

if TYPE_CHECKING:
    from farthing.domain.reconciliation import Booked
    from farthing.domain.report import Charge
    from farthing.domain.stats.heldback import Sides
    from farthing.ports.replay import Decided

__all__ = ["Queries"]


class Queries:
    """Implements `farthing.ports.Queries`: each question in a transaction that only reads."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def stats(self, tenant: str | None) -> dict[str, Any]:
        """Everything so far: overall, by provider, by complexity, and the newest requests."""
        async with self._engines.reading() as connection:
            return await stats.stats(connection, tenant)

    async def routing_metrics(self, tenant: str | None) -> dict[str, Any]:
        """How strategies, providers and the cache did."""
        async with self._engines.reading() as connection:
            return await routing.routing_metrics(connection, tenant)

    async def routed_minutes(self, from_us: int, to_us: int) -> Sequence[tuple[int, int]]:
        """Requests of each minute that what is learned has routed, and what they cost in nano-dollars."""
        async with self._engines.reading("refresh") as connection:
            return await routing.routed_minutes(connection, from_us, to_us)

    async def usage(self, tenant: str | None, group_by: GroupBy, stretch: Stretch) -> dict[str, Any]:
        """`{rows, total}` for the whole minutes that the stretch touches."""
        async with self._engines.reading() as connection:
            return await usage.usage(connection, tenant, group_by, stretch)

    async def usage_of(
        self, tenant: str | None, period: Period, stretch: Stretch, only: tuple[Dimension, str]
    ) -> dict[str, Any]:
        """As `usage`, of the requests that have this value, the second, of a dimension, the first."""
        async with self._engines.reading() as connection:
            return await usage.usage_of(connection, tenant, period, stretch, only)

    async def savings(self, tenant: str | None, stretch: Stretch) -> dict[str, Any]:
        """What was saved against the baseline, and by what."""
        async with self._engines.reading() as connection:
            return await savings.savings(connection, tenant, stretch)

    async def sides(self, tenant: str | None, stretch: Stretch) -> Sides:
        """What was held back and what was routed beside it."""
        async with self._engines.reading() as connection:
            return await savings.sides(connection, tenant, stretch)

    async def requests(self, tenant: str | None, wanted: Filter, *, limit: int = 50, cursor: str | None = None) -> Rows:
        """A page of the ledger. Raises `InvalidRequest` for a cursor that is none."""
        async with self._engines.reading() as connection:
            return await requests.page(connection, tenant, wanted, limit=limit, cursor=cursor)

    async def request(self, tenant: str | None, request_id: str) -> dict[str, Any]:
        """One row with its decision. Raises `NotFound`."""
        async with self._engines.reading() as connection:
            return await requests.one(connection, tenant, request_id)

    async def cache_stats(self, tenant: str | None, now_us: int) -> dict[str, Any]:
        """Entries, hits and savings of the answer cache, and the most popular queries."""
        async with self._engines.reading() as connection:
            return await cache.cache_stats(connection, tenant, now_us)

    async def quality_stats(self, tenant: str | None) -> dict[str, Any]:
        """What people thought of the answers."""
        async with self._engines.reading() as connection:
            return await quality.quality_stats(connection, tenant)

    async def spent_today(self, now_us: int) -> Mapping[str, int]:
        """Nano-dollars since midnight UTC by tenant."""
        async with self._engines.reading("refresh") as connection:
            return await spend.spent_today(connection, now_us)

    async def requests_today(self, now_us: int) -> Mapping[str, int]:
        """Requests since midnight UTC by tenant, of those that had any."""
        async with self._engines.reading() as connection:
            return await spend.requests_today(connection, now_us)

    async def spent(self, budgets: Iterable[Budget], now_us: int) -> Mapping[str, int]:
        """Nano-dollars spent in each budget's present window, by the budget's id."""
        async with self._engines.reading("refresh") as connection:
            return await spend.spent(connection, budgets, now_us)

    async def daily(self, tenant: str | None, stretch: Stretch) -> Mapping[int, int]:
        """Nano-dollars of each day that cost anything, by its start in µs."""
        async with self._engines.reading() as connection:
            days = await sums.by_bucket(connection, sums.DAY_MINUTES, tenant, stretch)
        return {day: found.cost for day, found in days.items() if found.cost}

    async def daily_of(self, budgets: Iterable[Budget], stretch: Stretch) -> Mapping[str, Mapping[int, int]]:
        """Nano-dollars of each day in a stretch of whole days, by budget id."""
        async with self._engines.reading() as connection:
            return await spend.daily_of(connection, budgets, stretch)

    async def charged(self, provider: str, month_us: int) -> list[Booked]:
        """What the requests to a provider cost in the month around a moment, by day and model; scans their rows."""
        from farthing.store.queries.charged import charged

        month, found = span("month", month_us), []
        for day_us in range(month.start_us, month.end_us or 0, DAY_US):
            async with self._engines.reading("writer") as connection:
                found += await charged(connection, provider, span("day", day_us))
        return found

    def decided(self, tenant: str | None, stretch: Stretch, *, limit: int) -> AsyncIterator[Sequence[Decided]]:
        """The newest routed requests of a stretch with their questions and ratings, page by page."""
        from farthing.store.queries.replay import decided

        return decided(self._engines, tenant, stretch, limit=limit)

    async def month(self, tenant: str | None, stretch: Stretch) -> dict[str, Any]:
        """What the report of a month tells: usage by every dimension, savings, what is estimated; scans its rows."""
        from farthing.store.queries.month import month

        async with self._engines.reading("analysis") as connection:
            return await month(connection, tenant, stretch)

    def charges(self, tenant: str | None, stretch: Stretch) -> AsyncIterator[Sequence[Charge]]:
        """What was used on each day by whom, summed from the rows, batch by batch; scans them."""
        from farthing.store.queries.month import charges

        return charges(self._engines, tenant, stretch)
