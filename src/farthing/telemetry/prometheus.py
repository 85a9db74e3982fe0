"""Figures of this worker in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from farthing.domain.exchange import Exchange
from farthing.domain.pricing import NANO
from farthing.telemetry.tally import BOUNDS_US, Distribution, Tally

Pools = Mapping[str, Mapping[str, int]]
"""By the pool's name its figures, such as `open` and `in_use`."""
WHERE = ("provider", "model")
"""The labels that almost all figures bear."""
BUCKETS = (*[str(bound / 1e6) for bound in BOUNDS_US], "+Inf")
"""Upper bounds in seconds as they are written."""
Labelled = Sequence[tuple[tuple[str, str], Tally]]
"""Tallies with their provider and model."""

_SUMS: tuple[tuple[str, str, Callable[[Tally], float | None]], ...] = (
    ("farthing_cost_usd", "Money spent.", lambda tally: tally.cost / NANO if tally.priced else None),
    ("farthing_baseline_cost_usd", "What the baseline would have cost.", lambda tally: tally.baseline / NANO),
    ("farthing_unpriced_requests", "Answers whose price is unknown.", lambda tally: tally.unpriced or None),
)
_DURATIONS: tuple[tuple[str, str, Callable[[Tally], Distribution]], ...] = (
    (
        "farthing_request_duration_seconds",
        "From the request's arrival to the end of its answer.",
        lambda tally: tally.duration,
    ),
    (
        "farthing_time_to_first_token_seconds",
        "From the request's arrival to the first word of a stream.",
        lambda tally: tally.first_token,
    ),
)


class _PoolCollector(Collector):
    """Connections of each pool at the moment of the scrape."""

    def __init__(self, figures: Callable[[], Pools]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """One gauge with a sample for each pool and figure."""
        family = GaugeMetricFamily("farthing_pool_connections", "Connections by pool.", labels=["pool", "figure"])
        for pool, figures in self._figures().items():
            for figure, value in figures.items():
                family.add_metric([pool, figure], value)
        yield family


class PrometheusSink(Collector):
    """Counts every exchange. Labels are models and providers of the catalogue, never what a caller wrote."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        info = Gauge("farthing_build_info", "Always 1; the version is the label.", ["version"], registry=self.registry)
        info.labels(version).set(1)
        self._tallies: dict[tuple[str | None, str | None], Tally] = {}
        self._overhead = Distribution()
        self.registry.register(self)

    def watch_pools(self, figures: Callable[[], Pools]) -> None:
        """Shows the figures of connection pools, read at each scrape, by pool and figure."""
        self.registry.register(_PoolCollector(figures))

    def watch_holds(self, count: Callable[[], int]) -> None:
        """Shows how many requests have money reserved that is not settled, whenever the figures are read."""
        gauge = Gauge("farthing_open_holds", "Requests whose money is reserved.", registry=self.registry)
        gauge.set_function(count)

    def record(self, exchange: Exchange) -> None:
        """Counts one exchange."""
        where = exchange.provider, exchange.model
        tally = self._tallies.get(where)
        if tally is None:
            tally = self._tallies[where] = Tally()
        tally.count(exchange)
        if exchange.provider is not None and not exchange.stream:
            self._overhead.observe(max(0, exchange.duration_us - exchange.upstream_us))

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Everything that was counted."""
        tallies = [((provider or "none", model or "none"), it) for (provider, model), it in self._tallies.items()]
        asked = [(where, tally) for where, tally in tallies if tally.is_asked]
        yield _requests(tallies)
        yield _tokens(asked)
        for name, help_text, value in _SUMS:
            family = CounterMetricFamily(name, help_text, labels=WHERE)
            for where, tally in asked:
                if (total := value(tally)) is not None:
                    family.add_metric(where, total)
            yield family
        for name, help_text, of in _DURATIONS:
            yield _histogram(name, help_text, WHERE, [(where, of(tally)) for where, tally in asked])
        yield _histogram(
            "farthing_gateway_seconds", "Time that was not spent waiting for a provider.", (), [((), self._overhead)]
        )


def _requests(tallies: Labelled) -> Metric:
    family = CounterMetricFamily("farthing_requests", "Requests by how they ended.", labels=[*WHERE, "status", "cache"])
    for where, tally in tallies:
        for end, count in tally.ended.items():
            family.add_metric([*where, *end], count)
    return family


def _tokens(tallies: Labelled) -> Metric:
    family = CounterMetricFamily("farthing_tokens", "Tokens by direction.", labels=[*WHERE, "direction"])
    for where, tally in tallies:
        family.add_metric([*where, "in"], tally.tokens_in)
        family.add_metric([*where, "out"], tally.tokens_out)
    return family


def _histogram(
    name: str, help_text: str, labels: Sequence[str], durations: Sequence[tuple[Sequence[str], Distribution]]
) -> Metric:
    family = HistogramMetricFamily(name, help_text, labels=labels)
    for values, duration in durations:
        buckets = list(zip(BUCKETS, accumulate(duration.counts), strict=True))
        family.add_metric(values, buckets, duration.total_us / 1e6)
    return family
