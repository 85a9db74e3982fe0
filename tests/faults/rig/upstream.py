"""A vendor in a process of its own that writes down, at once, everything it was asked and has said.

Each prompt is a `Wish` in JSON and says what happens to it. `POST /control` gives deployments a mood for everybody.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from pathlib import Path
from typing import cast
from zlib import crc32

import msgspec
from httptools import HttpRequestParser

from tests.faults.rig.words import DONE, Entry, Mood, Wish, event, piece, usage_event, whole

_entry = msgspec.json.Encoder().encode
_wish = msgspec.json.Decoder(Wish).decode
_moods = msgspec.json.Decoder(dict[str, Mood]).decode


class _Message(msgspec.Struct):
    content: str


class _Asked(msgspec.Struct):
    messages: list[_Message]
    stream: bool = False
    user: str = ""


_asked = msgspec.json.Decoder(_Asked).decode


class Book:
    """The ledger: one line for each thing that happened, on disk when it happens."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, entry: Entry) -> None:
        """Adds a line."""
        os.write(self._file, _entry(entry) + b"\n")


class Vendor(asyncio.Protocol):
    """One connection; it carries one request at a time."""

    moods: dict[str, Mood]

    def __init__(self, book: Book, moods: dict[str, Mood], numbers: itertools.count[int]) -> None:
        self._book = book
        self.moods = moods
        self._numbers = numbers
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._key = ""
        self._body: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway has connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The gateway says something."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has gone; what was being said is noted as aborted."""
        if self._task is not None:
            self._task.cancel()

    def on_message_begin(self) -> None:
        """The parser begins a request."""
        self._url, self._key, self._body = b"", "", []

    def on_url(self, url: bytes) -> None:
        """The parser has read a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header."""
        if name.lower() == b"authorization":
            self._key = value.decode()

    def on_body(self, body: bytes) -> None:
        """The parser has read a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The parser has read a request to its end."""
        body = b"".join(self._body)
        if self._url == b"/control":
            self.moods.update(_moods(body))
            self._send(200, b"{}")
            return
        self._task = asyncio.get_running_loop().create_task(self._answer(self._url.decode().split("/")[1], body))

    def _send(self, status: int, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        self._transport.write(head.encode() + body)

    async def _answer(self, deployment: str, body: bytes) -> None:
        asked = _asked(body)
        wish = _wish(asked.messages[-1].content)
        entry = Entry(id=f"up-{next(self._numbers)}", nonce=wish.nonce, deployment=deployment, key=self._key)
        entry.user, entry.stream = asked.user, asked.stream
        self._book.note(entry)
        try:
            refused = await self._in_its_mood(self.moods.get(deployment, Mood()), entry)
            if not refused:
                await (self._stream if asked.stream else self._whole)(wish, entry)
            entry.event = "refused" if refused else "ended"
        except asyncio.CancelledError:
            entry.event = "aborted"
        entry.at = time.monotonic()
        self._book.note(entry)

    async def _in_its_mood(self, mood: Mood, entry: Entry) -> bool:
        """Whether the mood has answered instead."""
        if mood.silent:
            await asyncio.Event().wait()
        if mood.status == 0 or crc32(entry.id.encode()) % 100 >= mood.percent:
            return False
        await asyncio.sleep(mood.after_ms / 1000)
        headers = f"retry-after: {mood.retry_after}\r\n" if mood.retry_after else ""
        self._send(mood.status, b'{"error":{"message":"the mood","type":"mood"}}', headers)
        return True

    async def _whole(self, wish: Wish, entry: Entry) -> None:
        await asyncio.sleep(wish.first_ms / 1000 + wish.chunks * wish.every_ms / 1000)
        entry.chunks = wish.chunks
        self._send(200, whole(wish), f"x-request-id: {entry.id}\r\n")

    async def _stream(self, wish: Wish, entry: Entry) -> None:
        await asyncio.sleep(wish.first_ms / 1000)
        head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: "
        self._transport.write(f"{head}{entry.id}\r\n\r\n".encode())
        for index in range(wish.chunks):
            if index == wish.silent_after:
                await asyncio.Event().wait()
            self._chunk(event(wish, piece(wish, index)))
            entry.chunks = index + 1
            await asyncio.sleep(wish.every_ms / 1000)
        self._chunk(usage_event(wish) + DONE)
        self._transport.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main() -> None:
    """Serves at the port of the first argument, with its ledger at the second, until a signal ends it."""
    book, moods, numbers = Book(Path(sys.argv[2])), dict[str, Mood](), itertools.count(os.getpid() * 1_000_000)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Vendor(book, moods, numbers), "127.0.0.1", int(sys.argv[1]), backlog=4096, reuse_address=True
    )
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
