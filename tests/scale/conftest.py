"""A small trace, and figures that are easy to reckon with."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks.scale.counted import PerRequest, PerWorker
from benchmarks.scale.counting import Work
from benchmarks.scale.ingesting import Ingested
from benchmarks.scale.inputs import Costs, Inputs, Traffic, load
from benchmarks.scale.plan import Asked
from benchmarks.scale.trace import Mean, Request


@pytest.fixture
def costs() -> Costs:
    """A forwarded answer takes as long as ten events."""
    return Costs(forward_us=100.0, hit_us=20.0, event_us=10.0, row_us=10.0, batch_ms=50)


@pytest.fixture
def traffic() -> Traffic:
    """Nothing is asked twice, and half a second passes before the first of 50 tokens a second."""
    return Traffic(
        first_token_s=0.5,
        tokens_per_s=50.0,
        tokens_per_event=1.0,
        hit_share=0.0,
        bytes_per_token=4.0,
        event_bytes=200.0,
        envelope_bytes=1000.0,
    )


@pytest.fixture
def trace() -> Sequence[Request]:
    """Two requests a second for a minute, one of them streamed, none at the same moment."""
    return [
        Request(second + offset, 100, 50, is_streamed)
        for second in range(60)
        for offset, is_streamed in ((0.25, True), (0.75, False))
    ]


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes lines of a trace under a name."""

    def write(name: str, lines: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(f"t_s,ContextTokens,GeneratedTokens\n{lines}".encode()))
        return path

    return write


@pytest.fixture
def inputs() -> Inputs:
    """Those that the plan is made with."""
    return load()


def work(requests: int = 100, seconds: float = 10.0, **more: float) -> Work:
    """Ten of everything for each of a hundred requests, unless told otherwise."""
    figures = dict.fromkeys(
        (
            "redis_cpu_us",
            "redis_bytes",
            "redis_memory",
            "wal_bytes",
            "postgres_cpu_us",
            "answers_disk",
            "gateway_cpu_us",
        ),
        1000.0,
    )
    return Work(
        seconds=seconds,
        requests=requests,
        redis={"get": 600.0, "set": 400.0},
        postgres={"transactions": 1000.0, "ledger": 50.0},
        **(figures | more),
    )


@pytest.fixture
def asked() -> Asked:
    """A request takes a millisecond of a worker, which may be busy for half of its time."""
    return Asked(
        mean=Mean(
            cpu_us=1000.0,
            streamed=0.5,
            duration_s=2.0,
            events=50.0,
            tokens_in=1000.0,
            tokens_out=100.0,
            inside_bytes=5000.0,
            outside_bytes=5000.0,
        ),
        request=PerRequest(
            redis_commands=4.0,
            redis_cpu_us=60.0,
            redis_bytes=1000.0,
            redis_memory=1000.0,
            transactions=2.0,
            postgres_cpu_us=100.0,
            wal_bytes=4000.0,
            answers_disk=1000.0,
        ),
        worker=PerWorker(transactions=10.0, postgres_cpu_us=1000.0),
        row=Ingested(rows=1000, batch=500, row_cpu_us=10.0, row_wal_bytes=1000.0, row_disk_bytes=500.0, sums_ms=1.0),
        stream_kib=32.0,
        utilisation=0.5,
        open_per_busy=1.5,
    )
