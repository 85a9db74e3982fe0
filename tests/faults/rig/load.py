"""Clients: one request each on a connection of its own, sent at moments that do not wait for any answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

from httptools import HttpParserError, HttpResponseParser
from msgspec import Struct, field
from msgspec.json import encode

from tests.faults.rig.words import Wish

PATIENCE_S = 60.0
READ_BYTES = 65_536


class Holder(Struct, frozen=True):
    """A key and whose it is."""

    secret: str
    key_id: str
    tenant: str


class Ask(Struct, frozen=True, kw_only=True):
    """A request to be made. `user` is unique and names it in the gateway's ledger."""

    user: str
    wish: Wish
    holder: Holder | None = None
    stream: bool = True
    model: str = "model-a"
    cache: bool = False
    max_tokens: int | None = None
    leave_after_s: float | None = None
    """When the client hangs up without waiting for the end, by RST."""
    host: str = "127.0.0.1"
    picture: str = ""
    """That goes before the question, in base64."""

    def head_and_body(self) -> bytes:
        """The request as it goes out."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": encode(self.wish).decode()}],
        }
        if self.picture:
            shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{self.picture}"}}
            body["messages"].insert(0, {"role": "user", "content": [shown]})
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        data = encode(body)
        headers = [
            "POST /v1/chat/completions HTTP/1.1",
            "host: localhost",
            "content-type: application/json",
            f"content-length: {len(data)}",
            f"x-farthing-user: {self.user}",
            f"x-farthing-cache: {'on' if self.cache else 'off'}",
        ]
        if self.holder:
            headers.append(f"authorization: Bearer {self.holder.secret}")
        return "\r\n".join(headers).encode() + b"\r\n\r\n" + data


class Heard(Struct):
    """What a client has heard; moments on the monotonic clock."""

    ask: Ask
    began: float = 0.0
    port: int = 0
    """The client's own, by which the worker that serves it is found."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    first: float = 0.0
    """When the first byte of the body came."""
    ended: float = 0.0
    is_ended: bool = False
    """Whether HTTP's own end of the answer was heard."""
    problem: str = ""
    left: bool = False

    @property
    def seconds(self) -> float:
        """From the beginning to the end."""
        return self.ended - self.began

    @property
    def until_first(self) -> float:
        """From the beginning to the first byte of the answer."""
        return (self.first or self.ended) - self.began

    @property
    def deltas(self) -> Iterator[dict[str, Any]]:
        """What the events of a stream say, without the end mark."""
        lines = self.body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        for block in lines.split(b"\n\n"):
            data = b"\n".join(line[5:] for line in block.split(b"\n") if line.startswith(b"data:"))
            with suppress(ValueError):
                if isinstance(found := json.loads(data), dict):
                    yield found

    @property
    def text(self) -> str:
        """The answer's text, as far as it was heard."""
        if self.ask.stream:
            return "".join(
                each["choices"][0]["delta"].get("content", "") for each in self.deltas if each.get("choices")
            )
        if not self.is_ended or self.status != 200:
            return ""
        content: str = json.loads(self.body)["choices"][0]["message"]["content"]
        return content

    @property
    def has_error_event(self) -> bool:
        """Whether a stream ended by saying what went wrong."""
        return any("error" in each for each in self.deltas)

    @property
    def is_complete(self) -> bool:
        """Whether a whole answer was heard."""
        return self.status == 200 and self.is_ended and (not self.ask.stream or b"data: [DONE]" in self.body)


class _Answer:
    """Parses an answer into a `Heard`."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header."""
        self._heard.headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The parser has read the head."""
        self._heard.status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """The parser has read a part of the body."""
        if not self._heard.first:
            self._heard.first = time.monotonic()
        self._heard.body += data

    def on_message_complete(self) -> None:
        """The parser has read the end."""
        self._heard.is_ended = True


async def send(ask: Ask, port: int) -> Heard:
    """Makes the request and hears its answer to the end; what goes wrong is noted, nothing is raised."""
    heard = Heard(ask, began=time.monotonic())
    try:
        async with asyncio.timeout(PATIENCE_S if ask.leave_after_s is None else ask.leave_after_s):
            await _converse(ask, port, heard)
    except TimeoutError:
        heard.left, heard.problem = ask.leave_after_s is not None, "" if ask.leave_after_s is not None else "timeout"
    except (OSError, HttpParserError) as error:
        heard.problem = type(error).__name__
    heard.ended = time.monotonic()
    return heard


async def _converse(ask: Ask, port: int, heard: Heard) -> None:
    reader, writer = await asyncio.open_connection(ask.host, port)
    try:
        heard.port = writer.get_extra_info("sockname")[1]
        writer.write(ask.head_and_body())
        parser = _Answer(heard).parser
        while not heard.is_ended:
            data = await reader.read(READ_BYTES)
            if not data:
                heard.problem = "cut off"
                return
            parser.feed_data(data)
    finally:
        writer.transport.abort()


Maker = Callable[[int, Random], Ask]
"""Makes request number n."""


class Load:
    """Requests at a steady rate whatever becomes of them, for as long as its `running` lasts."""

    def __init__(self, ports: Sequence[int], make: Maker, *, rate: float, seed: int) -> None:
        """`rate` in requests a second, dealt out over `ports` in turn."""
        self.heard: list[Heard] = []
        self.under_way: dict[int, Heard] = {}
        self._ports = ports
        self._make = make
        self._rate = rate
        self._dice = Random(seed)
        self._number = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends while the block lasts, and hears every answer to its end."""
        async with asyncio.TaskGroup() as group:
            pace = group.create_task(self._pace(group))
            try:
                yield
            finally:
                pace.cancel()

    async def _pace(self, group: asyncio.TaskGroup) -> None:
        due = time.monotonic()
        while True:
            group.create_task(self._one(self._number))
            self._number += 1
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _one(self, number: int) -> None:
        ask = self._make(number, self._dice)
        self.heard.append(await send(ask, self._ports[number % len(self._ports)]))


async def together(asks: Sequence[Ask], ports: Sequence[int]) -> list[Heard]:
    """All of them at once."""
    return await asyncio.gather(*(send(ask, ports[place % len(ports)]) for place, ask in enumerate(asks)))


async def until(done: Callable[[], Awaitable[bool] | bool], *, within_s: float) -> float:
    """Seconds until `done` came true. Fails after `within_s`."""
    began = time.monotonic()
    while True:
        found = done()
        if found if isinstance(found, bool) else await found:
            return time.monotonic() - began
        assert time.monotonic() - began < within_s, f"not within {within_s} s"
        await asyncio.sleep(0.02)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def standard(holders: Sequence[Holder], *, streams: float = 0.7, cached: float = 0.2, tag: str = "") -> Maker:
    """The standard mix: most stream, some may be served from the cache, every holder of a key in turn."""

    def make(number: int, dice: Random) -> Ask:
        holder = holders[dice.randrange(len(holders))]
        is_cached = dice.random() < cached
        name = f"c{tag}{dice.randrange(20)}" if is_cached else f"r{tag}{number}"
        wish = Wish(nonce=f"{name}-{holder.tenant}", canary=canary(holder.tenant))
        return Ask(user=f"u{tag}{number}", wish=wish, holder=holder, stream=dice.random() < streams, cache=is_cached)

    return make


def canary(tenant: str) -> str:
    """What only this tenant may ever see."""
    return f"CANARY<{tenant}>"
