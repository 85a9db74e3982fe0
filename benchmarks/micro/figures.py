"""Figures of two runs side by side: each as a ratio to its own run's calibration, so that machines differ less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.tables import aligned

PREFIX = "bench_"


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One benchmark: processor time of this process for one call, in µs, and of the calibration beside it."""

    min_us: float
    median_us: float
    calibration_us: float
    """The least that the fixed work took, between the rounds of this very benchmark."""
    server_us: float | None = None
    """What a server in another process spent on one call."""
    goal_us: float | None = None

    @property
    def relative(self) -> float:
        """The least time in thousandths of the calibration's."""
        return 1000 * self.min_us / self.calibration_us


class Run(msgspec.Struct, frozen=True):
    """A whole run, as it is stored."""

    machine: str
    """Date, processor, Python."""
    figures: Mapping[str, Figure]


class _Stats(msgspec.Struct):
    min: float
    median: float


class _Facts(msgspec.Struct):
    calls: int
    calibration_s: tuple[float, float]
    goal_us: float | None = None
    server_us: float | None = None


class _Benchmark(msgspec.Struct):
    name: str
    stats: _Stats
    extra_info: _Facts


class _Report(msgspec.Struct):
    benchmarks: Sequence[_Benchmark]


def read_report(report: bytes) -> dict[str, Figure]:
    """What pytest-benchmark wrote, by the benchmark's name, for one call. Raises `msgspec.MsgspecError`."""
    found = msgspec.json.decode(report, type=_Report).benchmarks
    return {each.name.removeprefix(PREFIX).replace("_", " "): _figure(each.stats, each.extra_info) for each in found}


def _figure(stats: _Stats, facts: _Facts) -> Figure:
    return Figure(
        min_us=round(stats.min * 1e6 / facts.calls, 4),
        median_us=round(stats.median * 1e6 / facts.calls, 4),
        calibration_us=round(facts.calibration_s[0] * 1e6, 2),
        server_us=None if facts.server_us is None else round(facts.server_us, 2),
        goal_us=facts.goal_us,
    )


def load(path: Path) -> Run | None:
    """The stored run, None where there is none."""
    return msgspec.json.decode(path.read_bytes(), type=Run) if path.exists() else None


def save(path: Path, run: Run) -> None:
    """Keeps it, one figure on a few lines, so that a change reads well."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def ratios(now: Mapping[str, Figure], stored: Mapping[str, Figure]) -> dict[str, float]:
    """How many times as long as stored each benchmark takes, of those that both have."""
    return {name: now[name].relative / stored[name].relative for name in now if name in stored}


def slower(now: Mapping[str, Figure], stored: Mapping[str, Figure], limit: float) -> dict[str, float]:
    """The ratios above `limit`."""
    return {name: ratio for name, ratio in ratios(now, stored).items() if ratio > limit}


def table(now: Mapping[str, Figure], stored: Mapping[str, Figure]) -> str:
    """Every benchmark of this run, beside what is stored and beside its goal."""
    compared = ratios(now, stored)
    head = ("CPU µs per call", "min", "median", "server", "goal", "relative", "stored", "ratio")
    return "\n".join(aligned([head, *(_line(name, now[name], stored.get(name), compared.get(name)) for name in now)]))


def _line(name: str, figure: Figure, stored: Figure | None, ratio: float | None) -> tuple[str, ...]:
    return (
        name,
        f"{figure.min_us:.2f}",
        f"{figure.median_us:.2f}",
        _shown(figure.server_us, ".1f"),
        "" if figure.goal_us is None else f"{'≤' if figure.min_us <= figure.goal_us else 'over'} {figure.goal_us:g}",
        f"{figure.relative:.2f}",
        _shown(stored.relative if stored else None, ".2f"),
        _shown(ratio, ".2f"),
    )


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
