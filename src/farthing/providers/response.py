"""A provider's answer while it arrives: the bytes that are here, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamInvalid

AT_ONCE = 16 * 1024
"""Bytes that are handed on where they arrive. A flood waits for its turn: it would come read after read, and the loop
would see to nobody else meanwhile."""


class Headers(Mapping[str, str]):
    """Headers by their names in lower case. Of the many that vendors send few are ever read: those are decoded."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        """`fields` as they came, but for names in lower case."""
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        """The value. Raises `KeyError`."""
        return self._fields[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return (name.decode("latin-1") for name in self._fields)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._fields)


_NO_HEADERS = Headers({})


class Source(Protocol):
    """Where the bytes come from, for as long as more may come."""

    def resume(self) -> None:
        """The reader, who had kept the source waiting, has taken what was there."""

    def abandon(self) -> None:
        """Nobody wants the rest."""


class Response:
    """An `UpstreamResponse` fed by its source; it outlives the connection it came through.

    Bytes that arrived before a failure are read first, the failure is raised after them. One task reads at a time.
    """

    __slots__ = (
        "_failure",
        "_loop",
        "_parts",
        "_source",
        "_take",
        "_waiter",
        "buffered",
        "headers",
        "stalled",
        "status",
        "unanswered",
    )

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = _NO_HEADERS
        self.buffered = 0
        """Bytes of body that wait to be read."""
        self.stalled = False
        """Whether the source wants to be told when they have been read."""
        self.unanswered = False
        """Whether a kept connection turned out to be dead before it said a byte: safe to ask again on another."""
        self._source: Source | None = source
        self._loop = loop
        self._parts: list[bytes] = []
        self._failure: UpstreamError | None = None
        self._take: Callable[[bytes], bool] | None = None
        """Who is given what comes while it waits."""
        self._waiter: asyncio.Future[bool] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._source is None

    def deliver(self, data: bytes) -> None:
        """More of the body, or nothing, for when somebody reads on."""
        if data:
            self._parts.append(data)
            self.buffered += len(data)

    def hand_on(self, data: bytes) -> None:
        """More of the body, given at once to whoever waits for it."""
        waiter, take = self._waiter, self._take
        if take is None or waiter is None or waiter.done() or len(data) > AT_ONCE:
            self.deliver(data)
            self.wake()
        elif not take(data):
            waiter.set_result(False)

    def finish(self) -> None:
        """The body has come to its clean end."""
        self._source = None
        self.wake()

    def fail(self, error: UpstreamError) -> None:
        """Nothing more will come, because of `error`."""
        self._source = None
        self._failure = error
        self.wake()

    def wake(self) -> None:
        """Lets the reader look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(True)

    async def opened(self) -> None:
        """Returns once status and headers are here. Raises what kept them from coming."""
        while not self.status:
            if self._failure is not None:
                raise self._failure
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self.close()
                raise

    async def chunk(self) -> bytes:
        """The next bytes of the body, empty at its clean end. Raises `UpstreamError` where there is none.

        A task that is cancelled while it waits has taken nothing: another may go on.
        """
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self._source is None:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._taken()

    async def pass_to(self, take: Callable[[bytes], bool]) -> None:
        """Gives `take` the bytes as they come, and none at their clean end, until it returns false. Raises as `chunk`.

        A task that is cancelled while it waits has taken nothing more: another may go on.
        """
        goes_on = True
        while goes_on:
            if self._parts or (self._source is None and self._failure is None):
                data = self._taken()
                goes_on = take(data) and bool(data)
            elif self._failure is not None:
                raise self._failure
            else:
                goes_on = await self._passed(take)

    async def _passed(self, take: Callable[[bytes], bool]) -> bool:
        """Lets `take` have what comes, until something else happens; false where it wants no more."""
        self._waiter, self._take = self._loop.create_future(), take
        try:
            return await self._waiter
        finally:
            self._take = None

    def _taken(self) -> bytes:
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.buffered = 0
        if self.stalled and self._source is not None:
            self.stalled = False
            self._source.resume()
        return data

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises as `chunk`, and `UpstreamInvalid` over `limit` bytes."""
        if self._source is None and self._failure is None and self.buffered <= limit:
            return self._taken()
        parts: list[bytes] = []
        size = 0
        try:
            while size <= limit and (data := await self.chunk()):
                parts.append(data)
                size += len(data)
        except asyncio.CancelledError:
            self.close()
            raise
        if size > limit:
            self.close()
            raise UpstreamInvalid(f"The provider's answer is larger than {limit} bytes.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Gives up what was not read; the connection is dropped unless the answer had ended cleanly."""
        source, self._source = self._source, None
        if self._failure is None and (source is not None or self._parts):
            self._failure = UpstreamInterrupted("The answer was closed before it was read to its end.")
        self._parts.clear()
        self.buffered = 0
        if source is not None:
            source.abandon()
            self.wake()
