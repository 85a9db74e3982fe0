"""How many trials a fault row runs, with which seed, and the table of what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "faults.txt"
SEED = 20_261_121
"""Of the short rows, which are the same every time."""
_SEEN = pytest.StashKey[dict[str, str]]()
_CHOSEN = pytest.StashKey[int]()
PASSED = pytest.StashKey[bool]()
"""Whether a row itself has nothing to complain about, before it is looked at what it leaves."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults`, `--seed` and `--longer`."""
    parser.addoption("--faults", action="store_true", help="the whole fault matrix, which takes half an hour at most")
    parser.addoption(
        "--longer", type=int, default=1, help="how many times longer than usual the fault rows with rounds are played"
    )
    parser.addoption("--seed", type=int, help="the seed that a failed fault row has printed")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the markers known."""
    config.addinivalue_line("markers", "long: a fault row that runs with --faults only")
    config.addinivalue_line("markers", "alone: a fault row that needs the machine to itself")
    config.stash[_SEEN] = {}
    asked = config.getoption("--seed")
    by_chance = time.time_ns() % 2**32 if config.getoption("--faults") else SEED
    config.stash[_CHOSEN] = by_chance if asked is None else asked


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The seed of the whole matrix, before it begins."""
    return [f"fault seed: {config.stash[_CHOSEN]}"] if config.getoption("--faults") else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long rows out unless all were asked for; those that are to last longer may."""
    longer = config.getoption("--longer")
    for item in items:
        if longer > 1 and (limit := item.get_closest_marker("timeout")):
            item.add_marker(pytest.mark.timeout(longer * limit.args[0]), append=False)
    if not config.getoption("--faults"):
        items[:] = [item for item in items if item.get_closest_marker("long") is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers whether the row has passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows what the rows have seen; the whole matrix writes it down, row by row."""
    seen = config.stash[_SEEN]
    if not config.getoption("--faults") or not seen:
        return
    kept = dict(line.split("  ", 1) for line in RESULTS.read_text().splitlines()) if RESULTS.exists() else {}
    seen["seed"] = str(config.stash[_CHOSEN])
    seen |= {f"failed: {report.head_line}": "" for report in terminalreporter.stats.get("passed", [])}
    seen |= {f"failed: {report.head_line}": _why(report) for report in terminalreporter.stats.get("failed", [])}
    lines = [f"{row}  {figures}" for row, figures in sorted((kept | seen).items()) if figures]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for row, figures in sorted(seen.items()):
        if not figures:
            continue
        terminalreporter.write_line(f"{row}  {figures}")


def _why(report: pytest.TestReport) -> str:
    """The first line of what went wrong."""
    return str(getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longrepr)).splitlines()[0][:200]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Notes what a row has seen."""
    return request.config.stash[_SEEN].__setitem__


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The test's seed, which a failure shows."""
    number = request.config.stash[_CHOSEN]
    request.node.add_report_section("call", "seed", f"replay with --seed {number}")
    return number
