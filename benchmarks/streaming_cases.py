"""A streamed answer's way through the gateway without sockets: what its parts and the whole cost on this thread."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import msgspec
import uvloop
from msgspec.structs import replace

from farthing.dialects import UPSTREAM
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly
from farthing.domain.chat import Delta
from farthing.gateway.delivery import StreamReply
from tests.unit.gateway.rig import Rig, chat

SHORT, LONG = 34, 340
"""Events of the two streams whose difference tells an event's cost from a stream's."""
STREAMS = 50
"""How many are under way at once."""
REPEATS = 7
_WORDS = ("An", " event", " loop", " waits", ", then", " runs", " what", " came")


def events(count: int) -> list[bytes]:
    """A vendor's stream, one event a chunk: role, text, finish reason, usage, end mark."""
    said = [_choice({"role": "assistant", "content": ""})]
    said += [_choice({"content": _WORDS[at % len(_WORDS)]}) for at in range(count - 4)]
    said += [_choice({}, "stop"), _event([], usage={"prompt_tokens": 20, "completion_tokens": 34, "total_tokens": 54})]
    return [*said, b"data: [DONE]\n\n"]


def measured() -> dict[str, float]:
    """CPU µs by what is measured, each the least of some repeats."""
    gc.freeze()
    figures = {name: least(part) / LONG for name, part in _parts(events(LONG)).items()}
    for name, cache in (("cache on", True), ("cache off", False)):
        short, long = (_through(count, cache=cache) for count in (SHORT, LONG))
        per_event = (long - short) / (LONG - SHORT)
        figures[f"an event, {name}"] = per_event
        figures[f"a stream, {name}, its events apart"] = short - per_event * SHORT
    return figures


def least(work: Callable[[], object]) -> float:
    """CPU µs of one call."""
    return min(_timed(work) for _ in range(REPEATS * 5))


def _timed(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) * 1e6


def _parts(chunks: list[bytes]) -> dict[str, Callable[[], object]]:
    def frame() -> None:
        framer = Framer()
        for chunk in chunks:
            framer.feed(chunk)

    def understand() -> None:
        for _ in _deltas(chunks):
            pass

    def assemble() -> None:
        assembly = Assembly()
        for delta in _deltas(chunks):
            assembly.add(delta)

    return {
        "an event, cut out of its chunk": frame,
        "an event, cut out and understood": understand,
        "an event, cut out, understood and put together": assemble,
    }


def _deltas(chunks: list[bytes]) -> Iterator[Delta]:
    framer, reader = Framer(), UPSTREAM["openai"].stream_reader()
    for chunk in chunks:
        for event in framer.feed(chunk):
            said: Any = reader.read(event)
            # Before events had pieces, a reader gave their deltas alone.
            yield from getattr(said, "deltas", said)


def _through(count: int, *, cache: bool) -> float:
    """CPU µs of one stream of so many events, from the caller's body to the last byte, without waiting for chunks."""
    chunks = events(count)
    waiting = min(uvloop.run(_timed_loop(lambda: _drain(_Response(chunks)))) for _ in range(REPEATS))
    whole = min(uvloop.run(_answered(chunks, cache=cache)) for _ in range(REPEATS))
    return (whole - waiting) / STREAMS


async def _answered(chunks: list[bytes], *, cache: bool) -> float:
    rig = Rig([])
    snapshot = rig.snapshots.current
    provider = replace(snapshot.providers["fake"], transport=_Transport(chunks))
    rig.snapshots.swap(replace(snapshot, providers={"fake": provider}))
    numbers = iter(range(STREAMS))
    async with rig.supervisor:
        return await _timed_loop(lambda: _asked(rig, next(numbers), cache=cache))


async def _asked(rig: Rig, number: int, *, cache: bool) -> None:
    reply = await rig.pipeline.run(rig.call(chat(f"Question {number}", stream=True), cache=cache))
    assert isinstance(reply, StreamReply)
    last = await _drain(reply)
    await reply.aclose()
    assert last.endswith(b"data: [DONE]\n\n")


async def _drain(stream: StreamReply | _Response) -> bytes:
    last = b""
    while chunk := await stream.chunk():
        last = chunk
    return last


async def _timed_loop(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.thread_time()
    await asyncio.gather(*(work() for _ in range(STREAMS)))
    return (time.thread_time() - begun) * 1e6


class _Response:
    """An answer whose chunks come one turn of the loop after the other."""

    status = 200
    headers: Mapping[str, str] = {}
    is_over = False

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)

    async def chunk(self) -> bytes:
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
        return next(self._chunks, b"")

    async def pass_to(self, take: Callable[[bytes], bool]) -> None:
        while take(data := await self.chunk()) and data:
            pass

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError

    def close(self) -> None:
        self._chunks = iter(())


class _Transport:
    """Answers every request with the same chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def send(self, _request: object) -> _Response:
        return _Response(self._chunks)

    async def aclose(self) -> None:
        """Nothing to drop."""


def _choice(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}])


def _event(choices: list[Any], **more: object) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "small"}
    return b"data: %b\n\n" % msgspec.json.encode({**head, "choices": choices, **more})
