"""Who hears of every request that has ended: the metrics and the log."""

from __future__ import annotations

import logging
import random
from pathlib import Path

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import exchange
from farthing.telemetry.logs import SAMPLE, LogSink, configure
from farthing.telemetry.prometheus import PrometheusSink
from tests.servers.asgi import own_logging

FAILED = 9
"""Of ten samples the one that failed, and would be told by itself."""
ENDED = [exchange(number, random.Random(number)) for number in range(20 * SAMPLE) if number % 10 != FAILED]


def bench_metrics(meter: Meter) -> None:
    """Counted, with its latencies."""
    sink = PrometheusSink("1")
    for ended in ENDED:
        sink.record(ended)
    counted = [times for tally in sink.figures().tallies.values() for times in tally.ended.values()]
    assert sum(counted) == len(ENDED)
    meter.each(sink.record, ENDED)


def bench_log(meter: Meter, tmp_path: Path) -> None:
    """One in a hundred is written as a line."""
    with own_logging(), (tmp_path / "log").open("w+", encoding="utf-8") as said:
        configure("info", "text")
        [handler] = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(said)
        sink = LogSink()
        for ended in ENDED:
            sink.record(ended)
        said.seek(0)
        assert len(said.readlines()) == len(ENDED) // SAMPLE
        meter.each(sink.record, ENDED)
