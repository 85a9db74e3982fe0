"""Figures of this worker in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from farthing.domain.exchange import Exchange
from farthing.domain.pricing import NANO

Pools = Mapping[str, Mapping[str, int]]
"""By the pool's name its figures, such as `open` and `in_use`."""
WHERE = ("provider", "model")
"""The labels that almost all figures bear."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class _PoolCollector(Collector):
    """Connections of each pool at the moment of the scrape."""

    def __init__(self, figures: Callable[[], Pools]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge with a sample for each pool and figure."""
        family = GaugeMetricFamily("farthing_pool_connections", "Connections by pool.", labels=["pool", "figure"])
        for pool, figures in self._figures().items():
            for figure, value in figures.items():
                family.add_metric([pool, figure], value)
        yield family


class _Series(Struct, frozen=True, kw_only=True):
    """The series of one model."""

    tokens_in: Counter
    tokens_out: Counter
    baseline: Counter
    duration: Histogram
    first_token: Histogram


class PrometheusSink:
    """Counts every exchange. Labels are models and providers of the catalogue, never what a caller wrote."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        info = Gauge("farthing_build_info", "Always 1; the version is the label.", ["version"], registry=self.registry)
        info.labels(version).set(1)
        self._requests = Counter(
            "farthing_requests",
            "Requests by how they ended.",
            [*WHERE, "status", "cache"],
            registry=self.registry,
        )
        self._tokens = Counter("farthing_tokens", "Tokens by direction.", [*WHERE, "direction"], registry=self.registry)
        self._cost = Counter("farthing_cost_usd", "Money spent.", WHERE, registry=self.registry)
        self._savings = Counter(
            "farthing_baseline_cost_usd", "What the baseline would have cost.", WHERE, registry=self.registry
        )
        self._unpriced = Counter(
            "farthing_unpriced_requests", "Answers whose price is unknown.", WHERE, registry=self.registry
        )
        self._duration = Histogram(
            "farthing_request_duration_seconds",
            "From the request's arrival to the end of its answer.",
            WHERE,
            buckets=SECONDS,
            registry=self.registry,
        )
        self._first_token = Histogram(
            "farthing_time_to_first_token_seconds",
            "From the request's arrival to the first word of a stream.",
            WHERE,
            buckets=SECONDS,
            registry=self.registry,
        )
        self._overhead = Histogram(
            "farthing_gateway_seconds",
            "Time that was not spent waiting for a provider.",
            buckets=SECONDS,
            registry=self.registry,
        )

        # Finding a series by its labels takes longer than counting in it.
        self._of = cache(self._bound)
        self._ended = cache(self._requests.labels)
        self._spent = cache(self._cost.labels)

    def watch_pools(self, figures: Callable[[], Pools]) -> None:
        """Shows the figures of connection pools, read at each scrape, by pool and figure."""
        self.registry.register(_PoolCollector(figures))

    def watch_holds(self, count: Callable[[], int]) -> None:
        """Shows how many requests have money reserved that is not settled, whenever the figures are read."""
        gauge = Gauge("farthing_open_holds", "Requests whose money is reserved.", registry=self.registry)
        gauge.set_function(count)

    def record(self, exchange: Exchange) -> None:
        """Counts one exchange."""
        self._ended(exchange.provider or "none", exchange.model or "none", exchange.status, exchange.cache).inc()
        if exchange.provider is None:
            return
        series = self._of(exchange.provider, exchange.model or "none")
        series.tokens_in.inc(exchange.usage.tokens_in)
        series.tokens_out.inc(exchange.usage.tokens_out)
        if exchange.cost is None:
            self._unpriced.labels(exchange.provider, exchange.model or "none").inc()
        else:
            self._spent(exchange.provider, exchange.model or "none").inc(exchange.cost / NANO)
        series.baseline.inc((exchange.baseline_cost or 0) / NANO)
        series.duration.observe(exchange.duration_us / 1e6)
        if not exchange.stream:
            self._overhead.observe(max(0, exchange.duration_us - exchange.upstream_us) / 1e6)
        if exchange.first_token_us is not None:
            series.first_token.observe(exchange.first_token_us / 1e6)

    def _bound(self, provider: str, model: str) -> _Series:
        where = provider, model
        return _Series(
            tokens_in=self._tokens.labels(*where, "in"),
            tokens_out=self._tokens.labels(*where, "out"),
            baseline=self._savings.labels(*where),
            duration=self._duration.labels(*where),
            first_token=self._first_token.labels(*where),
        )

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        return generate_latest(self.registry)
