"""The figures of `GET /routing/metrics` and of the live socket: computed once, however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from farthing.domain.errors import Unavailable
from farthing.ports import Clock, Queries
from farthing.ports.answers import SharedValues

NAME = "metrics:latest"
KEPT_S = 30
FRESH_S = 2.0
"""As long as figures are not older than this, they are not computed again."""
AHEAD_US = 1_000_000
"""How far another host's clock may be ahead of ours."""


class Strategy(msgspec.Struct, forbid_unknown_fields=True):
    """How one strategy did. Money in nano-dollars."""

    decisions: int
    total_cost: int
    avg_cost: float
    avg_latency_ms: float
    avg_quality: float | None


class Usage(msgspec.Struct, forbid_unknown_fields=True):
    """What one provider was used for, in nano-dollars."""

    requests: int
    cost: int


class Hits(msgspec.Struct, forbid_unknown_fields=True):
    """How the answer cache did."""

    hits: int
    misses: int
    hit_rate: float


class Saved(msgspec.Struct, forbid_unknown_fields=True):
    """What was saved, in nano-dollars."""

    baseline_cost: int
    actual_cost: int
    saved: int
    percent: float


class Figures(msgspec.Struct, forbid_unknown_fields=True):
    """What is kept in Redis; anything else there is passed over."""

    total_decisions: int
    strategy_performance: dict[str, Strategy]
    confidence_distribution: dict[str, int]
    provider_usage: dict[str, Usage]
    cache: Hits
    savings: Saved
    generated_at: int
    """Microseconds since 1970."""


class RoutingMetrics:
    """Keeps the latest figures in Redis for all workers where there is one, and in process."""

    def __init__(self, *, queries: Queries, shared: SharedValues | None, clock: Clock) -> None:
        self._queries = queries
        self._shared = shared
        self._clock = clock
        self._latest: dict[str | None, dict[str, Any]] = {}
        self._locks = WeakValueDictionary[str | None, asyncio.Lock]()

    async def latest(self, tenant: str | None, fresh_s: float = FRESH_S) -> Mapping[str, Any]:
        """Figures of at most `fresh_s` seconds, `generated_at` in µs, with `age_seconds` and whether they are `stale`.

        Stale are the last ones known, while the database is away. Raises `Unavailable` where there are none yet.
        """
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            if self._is_fresh(tenant, fresh_s):
                return self._aged(tenant)
            await self._look_up(tenant)
            if self._is_fresh(tenant, fresh_s):
                return self._aged(tenant)
            try:
                figures = {**await self._queries.routing_metrics(tenant), "generated_at": self._clock.now_us()}
            except Unavailable:
                if tenant in self._latest:
                    return self._aged(tenant, is_stale=True)
                raise
            self._latest[tenant] = figures
            if self._shared is not None:
                await self._shared.put(_name(tenant), msgspec.json.encode(figures), KEPT_S)
            return self._aged(tenant)

    def _is_fresh(self, tenant: str | None, fresh_s: float) -> bool:
        known = self._latest.get(tenant)
        return known is not None and abs(self._clock.now_us() - known["generated_at"]) < fresh_s * 1e6

    def _aged(self, tenant: str | None, *, is_stale: bool = False) -> dict[str, Any]:
        known = self._latest[tenant]
        age = max(0, self._clock.now_us() - known["generated_at"]) / 1e6
        return {**known, "age_seconds": round(age, 3), "stale": is_stale}

    async def _look_up(self, tenant: str | None) -> None:
        """Takes over what another worker has computed, if it is later than what is known here."""
        raw = await self._shared.get(_name(tenant)) if self._shared is not None else None
        if raw is None:
            return
        try:
            found = msgspec.json.decode(raw, type=Figures)
        except (msgspec.MsgspecError, RecursionError):
            return
        before = self._latest[tenant]["generated_at"] if tenant in self._latest else 0
        if before < found.generated_at <= self._clock.now_us() + AHEAD_US:
            self._latest[tenant] = msgspec.to_builtins(found)


def _name(tenant: str | None) -> str:
    return NAME if tenant is None else f"{NAME}:{tenant}"
