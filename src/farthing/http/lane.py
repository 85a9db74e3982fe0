"""The fast lane: a plain request to a hot route is answered inside the server's own HTTP protocol, without ASGI.

Only heads that the server's parser has understood as plain get here (`farthing.http.head`). Everything else, and
whatever is not whole at once, goes the server's usual way and ends at the same desk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from math import ceil
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from farthing.domain.errors import FarthingError, Overloaded, Stopping
from farthing.domain.values import Unique
from farthing.gateway.call import Arrival
from farthing.gateway.delivery import StreamReply
from farthing.gateway.order import Order
from farthing.gateway.reply import Reply
from farthing.http.bodies import CLOSE, late_body
from farthing.http.connection import Connection
from farthing.http.desk import DIALECTS, LARGE_BYTES, Desk
from farthing.http.errors import Pairs, error_answer, guarded, lines, tried
from farthing.http.facts import Head
from farthing.http.head import Frame

TIMER_SLACK_S = 0.01
_CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


class Lane(Connection):
    """One client's connection."""

    __slots__ = ("_default_headers", "_desk", "_frame", "_idle_since", "_openings")

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self._desk: Desk | None = None
        self._frame: Frame | None = None
        """The head that came last, which most likely comes again."""
        self._idle_since = 0.0
        self._openings: dict[int, bytes] = {}
        self._default_headers: Pairs = []

    def take(self, data: bytes) -> None:
        """Lets a plain request in; all others the server has to look at."""
        desk = self._desk
        if desk is None:
            desk = self._desk = self.application.desk
        if desk is not None and self.is_between and (measured := self._measure(desk, data)) and self._frame is not None:
            head, (begin, length) = self._frame.head, measured
            if length <= desk.max_body_bytes and (head.is_local or desk.takes_any_host):
                is_asked = desk.overload.is_active and len(data) == begin + length and not self.is_retired
                if is_asked and (wait_s := desk.turns_away(head)):
                    self._turn_away(desk, head.path, ceil(wait_s))
                    return
                self.passage = passage = Passage(self, desk, head, length, desk.arrival(), is_asked)
                self.unread = passage.more(data[begin:])
                return
        super().take(data)

    def _measure(self, desk: Desk, data: bytes) -> tuple[int, int] | None:
        """Where the body of a plain request begins, and how long it is; its head is the frame from now on."""
        measured = self._frame.measure(data) if self._frame is not None else None
        if measured is None:
            self._frame = frame = desk.heads.find(data)
            measured = frame.measure(data) if frame is not None else None
        return measured

    def _turn_away(self, desk: Desk, path: str, wait_s: int) -> None:
        """Refuses as ever, but for what it costs: where most are turned away, that is most of what is done."""
        headers = self.server_state.default_headers
        written, parts = desk.refusals.get((path, wait_s), (None, []))
        name = desk.new_id()
        if written is not headers:
            status, pairs, body = error_answer(Overloaded(retry_after=wait_s), DIALECTS[path], name, [])
            parts = (self.head_of(status, pairs) + body).split(name.encode())
            desk.refusals[path, wait_s] = headers, parts
        self.transport.write(name.encode().join(parts))
        self.answered()

    def answered(self, *, closes: bool = False) -> None:
        """The request in the lane has its answer."""
        self.passage = None
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if closes or self.is_retired:
            self.transport.close()
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._await_next(self.timeout_keep_alive)
        if not self.is_reading:
            self.go_on()

    def head_of(self, status: int, headers: Pairs) -> bytes:
        """An answer's head as bytes."""
        return b"%b%b\r\n" % (self.opening(status), lines(headers))

    def opening(self, status: int = 200) -> bytes:
        """Status line and the server's own headers, which it makes anew each second."""
        if self._default_headers is not self.server_state.default_headers:
            self._default_headers = self.server_state.default_headers
            self._openings.clear()
        opening = self._openings.get(status)
        if opening is None:
            opening = self._openings[status] = STATUS_LINE[status] + lines(self._default_headers)
        return opening + lines(CLOSE) if self.is_retired else opening

    def shutdown(self) -> None:
        """The server stops: an answer on its way is the last."""
        if self.passage is None:
            super().shutdown()
        else:
            self.retire()

    def on_response_complete(self) -> None:
        """The server has answered a request that did not come this way."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that was idle for long enough; the timer is moved only when it fires."""
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self.passage is not None or left > TIMER_SLACK_S:
            self._await_next(max(left, TIMER_SLACK_S) if self.passage is None else self.timeout_keep_alive)
        else:
            super().timeout_keep_alive_handler()

    def _await_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


class Passage(Unique):
    """One request on its way through the lane."""

    lane: Lane
    desk: Desk
    head: Head
    missing: int
    """Bytes of the body that have not come yet."""
    arrival: Arrival
    is_in: bool
    """Whether it was asked already if there is room."""
    parts: list[bytes] = []  # noqa: RUF012 - each has a list of its own, and mypyc takes nothing else for one
    task: asyncio.Task[None] | None = None
    order: Order | None = None
    has_started: bool = False
    has_left: bool = False

    def more(self, data: bytes) -> bytes:
        """Takes bytes of the body, begins when it is whole, and returns what belongs to the next request."""
        if len(data) == self.missing and not self.parts:
            self.missing = 0
            self._begin(data)
            return b""
        part, rest = (data[: self.missing], data[self.missing :]) if len(data) > self.missing else (data, b"")
        self.parts.append(part)
        self.missing -= len(part)
        if not self.missing:
            self._begin(part if len(self.parts) == 1 else b"".join(self.parts))
        return rest

    def leave(self) -> None:
        """The client hung up."""
        self.has_left = True
        if self.task is not None and not (self.order and self.order.draft.leave_to_others()):
            self.task.cancel()

    def expire(self) -> None:
        """The body did not come in time."""
        self._refuse(late_body())

    def _begin(self, body: bytes) -> None:
        if len(body) >= LARGE_BYTES:
            self._start(self._wait_and_answer(body))
        elif (begun := self._take_in(body)) is not None:
            self._start(self._finish(begun))

    async def _wait_and_answer(self, body: bytes) -> None:
        await self.desk.turn()
        if (begun := self._take_in(body)) is not None:
            await self._finish(begun)

    def _take_in(self, body: bytes) -> Order | StreamReply | None:
        """What remains to be done, None where it was answered at once."""
        begun = tried(self._answer_at_once, body, self.arrival.request_id)
        if isinstance(begun, FarthingError):
            self._refuse(begun)
            return None
        return begun

    def _answer_at_once(self, body: bytes) -> Order | StreamReply | None:
        desk = self.desk
        begun = desk.pipeline.begin(desk.call(self.head, body, self.arrival, is_in=self.is_in))
        if isinstance(begun, Reply):
            self._say(begun)
            return None
        if isinstance(begun, Order):
            self.order = begun
        return begun

    def _start(self, answering: Coroutine[Any, Any, None]) -> None:
        self.task = task = self.desk.spawn(answering, "answer")
        self.lane.tasks.add(task)
        task.add_done_callback(self._finished)

    async def _finish(self, begun: Order | StreamReply) -> None:
        error = await guarded(self._answer(begun), self.arrival.request_id)
        if error is not None:
            self._refuse(error)

    async def _answer(self, begun: Order | StreamReply) -> None:
        reply = await self.desk.pipeline.finish(begun) if isinstance(begun, Order) else begun
        if not isinstance(reply, Reply):
            await self._stream(reply)
        elif not self.has_left:
            self._say(reply)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.lane.tasks.discard(task)
        if not task.cancelled():
            return
        if self.order is not None:
            # A task that was cancelled before its first step has run nothing of `finish`, not even its record.
            self.order.draft.close(asyncio.CancelledError())
        if self.has_left:
            return
        if self.desk.is_stopping:
            self._refuse(Stopping())
        self.lane.transport.close()

    def _say(self, reply: Reply) -> None:
        lane = self.lane
        lane.transport.write(b"%b%b\r\n%b" % (lane.opening(), self.desk.headers(reply), reply.body))
        lane.answered()

    async def _stream(self, reply: StreamReply) -> None:
        lane = self.lane
        try:
            if self.has_left:
                return
            self.has_started = True
            lane.transport.write(lane.opening() + self.desk.headers(reply) + _CHUNKED)
            while await reply.pass_to(self._write):
                if lane.flow.write_paused:
                    await lane.flow.drain()
            lane.transport.write(b"0\r\n\r\n")
        except asyncio.CancelledError:
            if self.desk.is_stopping and not self.has_left:
                self._write(reply.cut_short())
                lane.transport.write(b"0\r\n\r\n")
            raise
        finally:
            await reply.aclose()
        lane.answered()

    def _write(self, chunk: bytes) -> bool:
        """Says it; whether the client keeps up."""
        lane = self.lane
        lane.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return not lane.flow.write_paused

    def _refuse(self, error: FarthingError) -> None:
        """Says what is wrong; a body that was not read to its end, or an answer that broke off, ends the connection."""
        if self.has_started:
            self.lane.answered(closes=True)
            return
        more = CLOSE if self.missing else []
        dialect = DIALECTS[self.head.path]
        status, headers, body = error_answer(error, dialect, self.arrival.request_id, more)
        self.lane.transport.write(self.lane.head_of(status, headers) + body)
        self.lane.answered(closes=bool(self.missing))
