"""What an upstream answers piece by piece: a stream that settles its own record at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from farthing.dialects.base import Piece, StreamReader, UpstreamDialect
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly
from farthing.domain.chat import Completion
from farthing.domain.errors import UpstreamError
from farthing.domain.gauge import Gauge
from farthing.gateway.recording import Draft
from farthing.gateway.waiting import Waiters
from farthing.ports import UpstreamResponse

END_PATIENCE_S = 0.05

Take = Callable[[Sequence[Piece]], bool]
"""Is given pieces, at least one, and tells whether it wants more at once."""


class Pieces(Protocol):
    """A stream that somebody reads."""

    dialect: UpstreamDialect

    async def pass_to(self, take: Take) -> bool:
        """Gives `take` the pieces as they come, until it returns false, or for a while: whether to go on.

        Raises `UpstreamError` where the stream breaks.
        """

    def abandon(self) -> None:
        """The reader leaves; nothing if the stream has ended."""


class StreamSource:
    """Reads one upstream stream. Its record is settled before the reader sees the end or the break.

    One task reads at a time; it may be cancelled while it waits, and another read on: nothing is lost. What is neither
    the end nor a break is told where it arrives, without waking the task.
    """

    def __init__(
        self,
        *,
        response: UpstreamResponse,
        dialect: UpstreamDialect,
        draft: Draft,
        on_complete: Callable[[Completion, bytes], None],
    ) -> None:
        self.dialect = dialect
        self._response = response
        self._reader: StreamReader = dialect.stream_reader()
        self._draft = draft
        self._on_complete = on_complete
        self._framer = Framer()
        self._assembly = draft.said = Assembly()
        self._gauge = Gauge()
        self._meter = draft.meter()
        self._is_kept = draft.cache_key is not None
        self._ready: list[Piece] = []
        """What is understood and not told yet."""
        self.told: list[Piece] = []
        """What was told, where the answer may be kept or shared."""
        self.audience = Waiters()
        """Who waits for more to be told to whoever reads."""
        self._take: Take = bool
        """Who reads; while nobody does, one who takes nothing."""
        self._error: UpstreamError | None = None
        self._is_over = False
        self.is_complete = False
        """Whether the end was told."""

    async def open(self) -> None:
        """Reads up to the first thing said. Raises `UpstreamError`, and nothing is recorded: another may be asked."""
        has_told = False
        while not self._assembly.has_begun:
            if self._error is not None:
                raise self._error
            await self._read()
            if not has_told and (usage := self._assembly.usage) is not None:
                has_told = True
                self._draft.told(usage)

    async def pass_to(self, take: Take) -> bool:
        """As `Pieces` says. Raises `UpstreamError` once where the stream breaks."""
        if self._is_over:
            await self._let_end()
            return False
        self._take = take
        try:
            if self._tell_ready():
                await self._response.pass_to(self._hear)
        except UpstreamError as error:
            self._error = error
        finally:
            # Else source and reader would hold each other until somebody looks for garbage.
            self._take = bool
        if self._assembly.is_complete or self._error is not None:
            self._end(take)
        return not (self._is_over and self._response.is_over)

    def abandon(self) -> None:
        """Lets go of the upstream; a stream that has not ended is recorded as cancelled."""
        self._response.close()
        if not self._is_over:
            self._is_over = True
            self._meter = [0]
            self._draft.broke(GeneratorExit())

    async def _read(self) -> None:
        """Makes ready what comes next, if it says anything, and keeps the error that it ends with."""
        try:
            self._understand(await self._response.chunk())
        except UpstreamError as error:
            self._error = error

    def _hear(self, chunk: bytes) -> bool:
        """Takes these bytes in and tells what they say, nearly always a text in one event; whether to go on."""
        skim = self._reader.skim
        piece = None if self._framer.pending else skim(chunk)
        if piece is not None:
            self._meter[0] = self._gauge.add(self._assembly.add(piece.deltas[0]))
            return self._tell((piece,), self._take)
        try:
            self._understand(chunk)
        except UpstreamError as error:
            self._error = error
        return self._tell_ready()

    def _tell(self, pieces: Sequence[Piece], take: Take) -> bool:
        """Hands these on to all who listen; whether to go on."""
        if self._is_kept:
            self.told += pieces
            if self.audience.waiting:
                self.audience.wake()
        return take(pieces)

    def _tell_ready(self) -> bool:
        """Hands on what is ready; whether to go on. The last of it is left to the task, which settles first."""
        if self._assembly.is_complete or self._error is not None:
            return False
        pieces, self._ready = self._ready, []
        return not pieces or self._tell(pieces, self._take)

    def _end(self, take: Take) -> None:
        pieces, self._ready = self._ready, []
        if self._assembly.is_complete:
            self._is_over = True
            self.is_complete = True
            body = b"".join([piece.raw for piece in (*self.told, *pieces)]) if self._is_kept else b""
            self._on_complete(self._assembly.completion(), body)
        elif not pieces and self._error is not None:
            self._is_over = True
            self._draft.broke(self._error)
            raise self._error
        self._tell(pieces, take)

    def _understand(self, chunk: bytes) -> None:
        """Takes these bytes in, or the clean end of all bytes if there are none. Raises `UpstreamError`."""
        reader, assembly = self._reader, self._assembly
        for event in self._framer.feed(chunk) if chunk else self._framer.close():
            piece = reader.read(event)
            self._ready.append(piece)
            for delta in piece.deltas:
                if said := assembly.add(delta):
                    self._meter[0] = self._gauge.add(said)
            if assembly.is_complete:
                return
        if not chunk:
            last = Piece(reader.close())
            self._ready.append(last)
            for delta in last.deltas:
                assembly.add(delta)

    async def _let_end(self) -> None:
        """Gives the transport a moment to see the body end: only then can the connection serve another request."""
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(END_PATIENCE_S):
                await self._response.chunk()
        self._response.close()
