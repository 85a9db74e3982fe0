"""Runs are compared by what each benchmark took in terms of its own run's calibration."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.micro.figures import Figure, Run, load, ratios, read_report, save, slower, table


def figure(min_us: float, *, calibration_us: float = 500.0, goal_us: float | None = None) -> Figure:
    """A benchmark that took so long."""
    return Figure(min_us=min_us, median_us=2 * min_us, calibration_us=calibration_us, goal_us=goal_us)


STORED = {"price": figure(1.0), "cache key": figure(4.0), "gone": figure(1.0)}
NOW = {"price": figure(1.0, goal_us=2), "cache key": figure(8.0, goal_us=6), "new": figure(3.0)}


def test_a_report_is_read_for_one_call() -> None:
    """A round of 200 calls that took 1 ms means 5 µs for a call; what the server spent stands beside it."""
    facts = {"calls": 200, "goal_us": 10, "calibration_s": [0.0005, 0.0006], "server_us": 2.345}
    benchmark = {"name": "bench_cache_key[short]", "stats": {"min": 0.001, "median": 0.002}, "extra_info": facts}
    report = msgspec.json.encode({"benchmarks": [benchmark], "machine_info": {}})
    read = Figure(min_us=5.0, median_us=10.0, calibration_us=500.0, server_us=2.35, goal_us=10)
    assert read_report(report) == {"cache key[short]": read}


def test_only_what_both_runs_have_is_compared() -> None:
    """What is new or gone has no ratio."""
    assert ratios(NOW, STORED) == {"price": 1.0, "cache key": 2.0}


@given(min_us=st.floats(0.1, 1e6), slowness=st.floats(0.1, 10.0), change=st.floats(0.1, 10.0))
def test_a_slower_machine_changes_no_ratio(min_us: float, slowness: float, change: float) -> None:
    """Where the calibration takes longer by the same factor, only what changed in the code shows."""
    now = {"price": figure(min_us * slowness * change, calibration_us=500.0 * slowness)}
    assert ratios(now, {"price": figure(min_us)}) == {"price": pytest.approx(change)}


@pytest.mark.parametrize(
    ("limit", "found"), [(1.5, {"cache key": 2.0}), (2.0, {}), (0.5, {"price": 1.0, "cache key": 2.0})]
)
def test_what_got_slower_is_named(limit: float, found: dict[str, float]) -> None:
    """Ratios above the limit, none at it."""
    assert slower(NOW, STORED, limit) == found


def test_the_table_shows_ratio_and_goal() -> None:
    """A goal that is missed says so; a benchmark that is not stored has no ratio."""
    head, price, key, new = (line.split() for line in table(NOW, STORED).splitlines())
    assert head == ["CPU", "µs", "per", "call", "min", "median", "server", "goal", "relative", "stored", "ratio"]
    assert price == ["price", "1.00", "2.00", "≤", "2", "2.00", "2.00", "1.00"]
    assert key == ["cache", "key", "8.00", "16.00", "over", "6", "16.00", "8.00", "2.00"]
    assert new == ["new", "3.00", "6.00", "6.00"]


def test_a_stored_run_comes_back(tmp_path: Path) -> None:
    """As it was; a folder without one has none."""
    run = Run("today, this machine", NOW)
    save(tmp_path / "micro.json", run)
    assert load(tmp_path / "micro.json") == run
    assert load(tmp_path / "none.json") is None
