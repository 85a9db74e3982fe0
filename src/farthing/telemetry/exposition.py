"""What was counted, in Prometheus' text format. Loaded at the first scrape: prometheus_client brings a server along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from farthing.domain.pricing import NANO
from farthing.telemetry.tally import BOUNDS_US, Distribution, Tally

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


class Figures(Struct, frozen=True, kw_only=True):
    """Everything that there is to tell, read at each scrape."""

    version: str
    tallies: Mapping[tuple[str | None, str | None], Tally]
    """By provider and model."""
    overhead: Distribution
    pools: Sequence[Callable[[], Mapping[str, Mapping[str, int]]]]
    """Each by the pool's name its figures, such as `open` and `in_use`."""
    holds: Sequence[Callable[[], int]]
    """Each how many requests have money reserved that is not settled."""
    loads: Sequence[Callable[[], tuple[Mapping[str, int], float]]]
    """Each how many requests were shed, by reason, and the seconds by which the loop was late."""
    corrupt: Sequence[Callable[[], Mapping[str, int]]]
    """Each by the level's name how many kept answers were not ours or not whole."""
    dropped: Sequence[Callable[[], int]]
    """Each how many ratings could not be kept."""


def written(figures: Figures) -> bytes:
    """All figures as Prometheus reads them."""
    return generate_latest(registry_of(figures))


def registry_of(figures: Figures) -> CollectorRegistry:
    """All figures as families of samples."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    return registry


class _Figures(Collector):
    """Everything that was counted."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Every family, those without a sample too."""
        figures = self._figures
        yield _info(figures.version)
        tallies = [((provider or "none", model or "none"), it) for (provider, model), it in figures.tallies.items()]
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
            "farthing_gateway_seconds", "Time that was not spent waiting for a provider.", (), [((), figures.overhead)]
        )
        for holds in figures.holds:
            yield GaugeMetricFamily("farthing_open_holds", "Requests whose money is reserved.", value=holds())
        for load in figures.loads:
            yield from _load(*load())
        for pools in figures.pools:
            yield _connections(pools())
        for corrupt in figures.corrupt:
            yield _corrupt(corrupt())
        for dropped in figures.dropped:
            yield CounterMetricFamily("farthing_feedback_dropped", "Ratings that could not be kept.", value=dropped())


def _load(shed: Mapping[str, int], late_s: float) -> Iterator[Metric]:
    family = CounterMetricFamily("farthing_shed", "Requests refused for want of capacity.", labels=["reason"])
    for reason, count in shed.items():
        family.add_metric([reason], count)
    yield family
    yield GaugeMetricFamily("farthing_loop_lag_seconds", "Lateness of the loop, at most, lately.", value=late_s)


def _info(version: str) -> Metric:
    family = GaugeMetricFamily("farthing_build_info", "Always 1; the version is the label.", labels=["version"])
    family.add_metric([version], 1)
    return family


def _connections(pools: Mapping[str, Mapping[str, int]]) -> Metric:
    """One gauge with a sample for each pool and figure."""
    family = GaugeMetricFamily("farthing_pool_connections", "Connections by pool.", labels=["pool", "figure"])
    for pool, figures in pools.items():
        for figure, value in figures.items():
            family.add_metric([pool, figure], value)
    return family


def _corrupt(counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily("farthing_cache_corrupt", "Kept answers passed over as not ours.", labels=["level"])
    for level, count in counts.items():
        family.add_metric([level], count)
    return family


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
