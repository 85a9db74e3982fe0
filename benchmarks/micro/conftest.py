"""What the benchmarks share: the meter, an event loop, and real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro.meter import Meter

pytest_plugins = ["tests.servers.postgres", "tests.servers.redis"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long to measure."""
    parser.addoption("--rounds", type=int, default=15, help="rounds of each benchmark")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop that the gateway runs on."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def meter(request: pytest.FixtureRequest, benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop) -> Meter:
    """Times one benchmark."""
    return Meter(benchmark, loop, request.config.getoption("--rounds"))
