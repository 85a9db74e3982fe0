"""Bytes to words and back: requests, answers, events of a stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import VARIANTS, completion, encoded, events
from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.dialects.sse import Framer
from farthing.domain.chat import ChatRequest
from farthing.http.head import Heads

WORDS = 34


def head(number: int, tag: str) -> bytes:
    """A request's head as an SDK sends it."""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:8000\r\naccept: application/json\r\n"
        b"content-type: application/json\r\nuser-agent: OpenAI/Python 2.11.0\r\nauthorization: Bearer sk-key\r\n"
        b"x-farthing-tags: feature=%b\r\ncontent-length: %d\r\n\r\n" % (tag.encode(), 200 + number)
    )


@pytest.mark.parametrize("kind", ["known", "new"])
def bench_read_head(meter: Meter, kind: str) -> None:
    """A client's head, the same as before but for the length of the body, or one that was never seen."""
    numbers = itertools.count()

    def fresh() -> Sequence[bytes]:
        return [head(number, "same" if kind == "known" else f"t{number}") for number in _some(numbers)]

    heads = Heads(frozenset({"/v1/chat/completions"}))
    found = heads.find(head(7, "same"))
    assert found is not None
    assert (found.head.credential, found.head.directives.tags) == ("sk-key", {"feature": "same"})
    assert found.measure(head(7, "same")) == (len(head(7, "same")), 207)
    meter.each(lambda data: found.measure(data) or heads.find(data), fresh)


def _some(numbers: Iterator[int]) -> Iterator[int]:
    return itertools.islice(numbers, VARIANTS)


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
