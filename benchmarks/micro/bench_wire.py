"""Bytes to words and back: requests, answers, events of a stream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import VARIANTS, completion, encoded, events
from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.dialects.sse import Framer
from farthing.domain.chat import ChatRequest

WORDS = 34


@pytest.mark.parametrize("size", ["short", "medium", "long"])
def bench_read_request(meter: Meter, size: str) -> None:
    """From a body's bytes to a request that was checked."""
    dialect = INBOUND["openai"]

    def read(body: bytes) -> ChatRequest:
        return dialect.read_request(strict.decode(body))

    bodies = encoded(size)
    assert read(bodies[7]).messages[-1].parts[0].text.startswith("Question 7: ")  # type: ignore[union-attr]
    meter.each(read, bodies)


def bench_read_completion(meter: Meter) -> None:
    """A vendor's whole answer, understood."""
    read = UPSTREAM["openai"].read_completion
    bodies = [completion(number) for number in range(VARIANTS)]
    known = read(bodies[7])
    assert (known.is_complete, known.usage and known.usage.tokens_out) == (True, 80)
    meter.each(read, bodies)


@pytest.mark.parametrize("at_once", [1, 8])
def bench_stream_event(meter: Meter, at_once: int) -> None:
    """Framed and understood, so many events to a read."""
    dialect, said = UPSTREAM["openai"], events(WORDS)
    chunks = [b"".join(said[place : place + at_once]) for place in range(0, len(said), at_once)]

    def understand(stream: Sequence[bytes]) -> int:
        framer, reader = Framer(), dialect.stream_reader()
        understood = [reader.read(event) for chunk in stream for event in framer.feed(chunk)]
        reader.close()
        return len(understood)

    assert understand(chunks) == len(said)
    meter.each(understand, [chunks] * 10, parts=len(said), goal_us=15)
