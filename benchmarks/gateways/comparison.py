"""The medians of a run, the ratios between contestants, and the goals they are held to."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import msgspec

from benchmarks.gateways.measuring import Sample
from benchmarks.gateways.rows import Row

OURS, DIRECT = "Farthing", "direct to the mock"


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a contestant beside its rows."""

    version: str
    ready_s: float
    """From the start of its process to its first answer."""
    rest_mib: float
    absent: Mapping[Row, str]
    """Rows that it did not take part in, and why."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured in one run, by the contestants' titles."""

    contenders: dict[str, Contender]
    missing: dict[str, str]
    """Contestants that could not be installed or started, and why."""
    samples: dict[Row, dict[str, list[Sample]]]
    workers: tuple[float, float] | None = None
    """Requests a second of one worker and of two, each with the same small share of a core; None if not measured."""

    @property
    def scale(self) -> float | None:
        """The second as a multiple of the first."""
        return self.workers[1] / self.workers[0] if self.workers else None

    def median(self, row: Row, title: str, field: str) -> float | None:
        """Of a figure over all rounds; None where the contestant did not take part."""
        taken = self.samples.get(row, {}).get(title)
        return float(statistics.median(getattr(one, field) for one in taken)) if taken else None

    def ratio(self, row: Row, title: str) -> float | None:
        """How many times the other's throughput ours is; of streamed events, how many times less they cost."""
        field = "event_cpu_us" if row == "streaming" else "per_second"
        ours, theirs = self.median(row, OURS, field), self.median(row, title, field)
        if not ours or not theirs:
            return None
        return theirs / ours if row == "streaming" else ours / theirs

    def cpu_ratio(self, row: Row, title: str) -> float | None:
        """How many times less processor time an answer of ours takes; what others do on the core changes nothing."""
        ours, theirs = self.median(row, OURS, "cpu_us"), self.median(row, title, "cpu_us")
        return theirs / ours if ours and theirs else None

    def added_ms(self, row: Row, title: str, field: str) -> float | None:
        """A latency less what the mock itself takes for the same, in milliseconds."""
        zero_row: Row = "streaming" if row == "streaming" else "forwarded"
        theirs, zero = self.median(row, title, field), self.median(zero_row, DIRECT, field)
        return None if theirs is None or zero is None else (theirs - zero) / 1000

    def kept_pace(self, row: Row, title: str) -> bool:
        """Whether it did so in every round."""
        return all(one.keeps_pace for one in self.samples.get(row, {}).get(title, []))

    def loaded_mib(self, title: str) -> float | None:
        """The most memory it had at the end of any load."""
        sizes = [one.mib for rows in self.samples.values() for one in rows.get(title, [])]
        return max(sizes) if sizes else None


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a run, and the bound that it should keep."""

    title: str
    figure: Callable[[Run], float | None]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    def met(self, run: Run) -> bool | None:
        """None where the figure was not measured."""
        value = self.figure(run)
        if value is None:
            return None
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0)


def _ratio(row: Row, title: str) -> Callable[[Run], float | None]:
    return lambda run: run.ratio(row, title)


def _ours(row: Row, field: str) -> Callable[[Run], float | None]:
    return lambda run: run.median(row, OURS, field)


def _of_ours(field: str) -> Callable[[Run], float | None]:
    return lambda run: getattr(run.contenders[OURS], field) if OURS in run.contenders else None


GOALS = (
    Goal(title="forwarded, times LiteLLM", figure=_ratio("forwarded", "LiteLLM"), at_least=200, unit="x"),
    Goal(title="forwarded, times Portkey", figure=_ratio("forwarded", "Portkey"), at_least=40, unit="x"),
    Goal(title="forwarded, times TensorZero", figure=_ratio("forwarded", "TensorZero"), at_least=3, unit="x"),
    Goal(title="forwarded, of proxy_pass", figure=_ratio("forwarded", "nginx proxy_pass"), at_least=0.3, unit="x"),
    Goal(title="cached hit, times LiteLLM", figure=_ratio("hit", "LiteLLM"), at_least=400, unit="x"),
    Goal(title="cached hit, of return 200", figure=_ratio("hit", "nginx return 200"), at_least=0.4, unit="x"),
    Goal(title="processor time, forwarded", figure=_ours("forwarded", "cpu_us"), at_most=50, unit="µs"),
    Goal(title="processor time, TLS upstream", figure=_ours("tls", "cpu_us"), at_most=65, unit="µs"),
    Goal(title="processor time, cached hit", figure=_ours("hit", "cpu_us"), at_most=17, unit="µs"),
    Goal(title="processor time, streamed event", figure=_ours("streaming", "event_cpu_us"), at_most=15, unit="µs"),
    Goal(
        title="added time to first byte, median",
        figure=lambda run: run.added_ms("streaming", OURS, "first_p50_us"),
        at_most=1,
        unit="ms",
    ),
    Goal(title="two workers, times one", figure=lambda run: run.scale, at_least=1.8, unit="x"),
    Goal(title="ready with the first answer", figure=_of_ours("ready_s"), at_most=1, unit="s"),
    Goal(title="memory at rest", figure=_of_ours("rest_mib"), at_most=80, unit="MiB"),
)
"""The bounds are those of the architecture, in the order of the tables."""
