"""Runs made up for the tests of the comparison and its text."""

from benchmarks.gateways.comparison import Contender, Run
from benchmarks.gateways.measuring import Sample
from benchmarks.gateways.rows import Row


def sample(**figures: float | str) -> Sample:
    """One that kept the pace without an error, with these figures."""
    usual: dict[str, float | str | bool] = {
        "per_second": 100.0,
        "events_per_second": 0.0,
        "cpu_us": 10.0,
        "event_cpu_us": 0.0,
        "mib": 50.0,
        "p50_us": 1000.0,
        "p99_us": 2000.0,
        "first_p50_us": 500.0,
        "first_p99_us": 900.0,
        "keeps_pace": True,
        "reached": 1.0,
        "foreign": 0.0,
        "errors": 0,
    }
    return Sample(**(usual | figures))  # type: ignore[arg-type]


def contender(version: str = "1.0", **absent: str) -> Contender:
    """Ready in half a second with 40 MiB; `absent` are rows and why."""
    rows: dict[Row, str] = absent  # type: ignore[assignment]
    return Contender(version=version, ready_s=0.5, rest_mib=40, absent=rows)


def run(samples: dict[Row, dict[str, list[Sample]]], **more: object) -> Run:
    """A run of Farthing, the mock and LiteLLM."""
    contenders = {"direct to the mock": contender(""), "Farthing": contender(), "LiteLLM": contender("1.109")}
    fields: dict[str, object] = {"contenders": contenders, "missing": {}, **more}
    return Run(samples=samples, **fields)  # type: ignore[arg-type]
