"""The tables hold what was found."""

from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.scale import __main__ as command
from benchmarks.scale.counted import Counted, load, save
from benchmarks.scale.counting import Counts
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.plan import Asked
from benchmarks.scale.queueing import Worker
from benchmarks.scale.streams import Held
from benchmarks.scale.trace import Request
from tests.scale.conftest import work


@pytest.fixture
def found(asked: Asked) -> Counted:
    """A count that took no servers."""
    held = Held(few=100, many=1124, rest_mib=80.0, few_mib=90.0, many_mib=122.0)
    return Counted(
        measured="now, here",
        counts=Counts(*[work(gateway_cpu_us=50_000.0) for _ in range(5)]),
        held=held,
        ingested=asked.row,
    )


def test_what_was_counted_is_stored_and_read_again(found: Counted, tmp_path: Any) -> None:
    """With date and machine."""
    file = tmp_path / "counted.json"
    save(found.counts, found.held, found.ingested, file)
    stored = load(file)
    assert (stored.counts, stored.held, stored.ingested) == (found.counts, found.held, found.ingested)
    assert "Python" in stored.measured


def test_a_stream_takes_what_more_streams_take_more(found: Counted) -> None:
    """32 MiB for 1,024 more of them."""
    assert found.held.kib_each == 32.0


def test_everything_is_told(
    trace: Sequence[Request], inputs: Inputs, found: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, simulation, plan and walls, each under its heading, with its figures."""

    def minute(*arguments: Any, **options: Any) -> Worker:
        return Worker(*arguments, **options, seconds=60)

    monkeypatch.setattr(command, "Worker", minute)
    text = command.written(trace, inputs, found, command.reckoned(trace, inputs, found))
    headings = ["COUNTED", "SIMULATED", "PLANNED", "WORKERS", "WALLS"]
    assert [line.split()[0].rstrip(":,") for line in text.splitlines() if line[:3].isupper()] == headings
    assert "An open stream: 32 KiB" in text
    assert "requests per second 1.0 k 100 k 10 M" in " ".join(text.split())
    assert "one worker's connections to one vendor" in text
