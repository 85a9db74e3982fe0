"""The figures of `GET /routing/metrics` and of the live socket: computed once, however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from farthing.domain.errors import Unavailable
from farthing.ports import Clock, Queries, SharedValues

NAME = "metrics:latest"
KEPT_S = 30
FRESH_US = 2_000_000
"""As long as figures are younger than this, they are not computed again."""


class RoutingMetrics:
    """Keeps the latest figures in Redis for all workers where there is one, and in process."""

    def __init__(self, *, queries: Queries, shared: SharedValues | None, clock: Clock) -> None:
        self._queries = queries
        self._shared = shared
        self._clock = clock
        self._latest: dict[str | None, dict[str, Any]] = {}
        self._lock = asyncio.Lock()

    async def latest(self, tenant: str | None) -> Mapping[str, Any]:
        """Figures at most two seconds old, `generated_at` in µs; while the database is away, the last ones known.

        Raises `Unavailable` where there are none yet.
        """
        async with self._lock:
            for known in (self._latest.get(tenant), await self._published(tenant)):
                if known is not None and self._clock.now_us() - known["generated_at"] < FRESH_US:
                    return known
            try:
                figures = {**await self._queries.routing_metrics(tenant), "generated_at": self._clock.now_us()}
            except Unavailable:
                if tenant in self._latest:
                    return self._latest[tenant]
                raise
            self._latest[tenant] = figures
            await self._publish(tenant, figures)
            return figures

    async def _published(self, tenant: str | None) -> dict[str, Any] | None:
        if self._shared is None or tenant is not None:
            return None
        raw = await self._shared.get(NAME)
        try:
            return msgspec.json.decode(raw, type=dict[str, Any]) if raw else None
        except msgspec.MsgspecError:
            return None

    async def _publish(self, tenant: str | None, figures: Mapping[str, Any]) -> None:
        if self._shared is not None and tenant is None:
            await self._shared.put(NAME, msgspec.json.encode(figures), KEPT_S)
