"""`make bench-micro` compares, keeps and fails as it was asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.micro import __main__ as command
from benchmarks.micro.figures import Figure, Run, load, save


def figure(min_us: float) -> Figure:
    """A benchmark that took so long."""
    return Figure(min_us=min_us, median_us=min_us, calibration_us=500.0)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run is kept in which the price took 1 µs and a key 4."""
    path = tmp_path / "micro.json"
    save(path, Run("yesterday", {"price": figure(1.0), "key": figure(4.0)}))
    monkeypatch.setattr(command, "STORED", path)
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, now: dict[str, Figure] | None, *options: str) -> int:
    """The exit code for a run that measures `now`."""
    monkeypatch.setattr(command, "measure", lambda *_: now)
    monkeypatch.setattr("sys.argv", ["benchmarks.micro", *options])
    return command.main()


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--fail-above", "1.9"), 1), (("--fail-above", "2"), 0)])
def test_it_fails_only_when_asked_to(
    stored: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    code: int,
) -> None:
    """And then above the ratio that was named; nothing is kept unasked."""
    before = stored.read_bytes()
    assert run(monkeypatch, {"price": figure(1.0), "key": figure(8.0)}, *options) == code
    assert ("slower than stored: key, 2.00 times" in capsys.readouterr().out) == bool(code)
    assert stored.read_bytes() == before


def test_a_part_of_the_benchmarks_replaces_its_own_figures_only(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not run stays as it was kept, in the file and in the text beside it."""
    assert run(monkeypatch, {"key": figure(8.0)}, "--only", "key", "--store") == 0
    kept = load(stored)
    assert kept is not None
    assert kept.figures == {"price": figure(1.0), "key": figure(8.0)}
    assert "price" in stored.with_name("micro.txt").read_text(encoding="utf-8")


def test_a_whole_run_replaces_everything(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that is gone is forgotten."""
    assert run(monkeypatch, {"key": figure(8.0)}, "--store") == 0
    kept = load(stored)
    assert kept is not None
    assert kept.figures == {"key": figure(8.0)}


def test_a_benchmark_that_fails_keeps_nothing(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its complaint has been told, and the code is 1."""
    before = stored.read_bytes()
    assert run(monkeypatch, None, "--store") == 1
    assert stored.read_bytes() == before
