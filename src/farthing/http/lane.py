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

from farthing.dialects import INBOUND
from farthing.domain.errors import FarthingError, Overloaded, Stopping
from farthing.gateway.call import Arrival
from farthing.gateway.delivery import Reply, StreamReply
from farthing.gateway.order import Order
from farthing.http.bodies import CLOSE, late_body
from farthing.http.connection import Connection
from farthing.http.desk import HOT, LARGE_BYTES, Desk
from farthing.http.errors import Guard, Pairs, error_answer
from farthing.http.facts import Head

HEAD_END = b"\r\n\r\n"
TIMER_SLACK_S = 0.01
_CHUNKED: Pairs = [(b"transfer-encoding", b"chunked")]


class Lane(Connection):
    """One client's connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self._desk: Desk | None = None
        self._idle_since = 0.0
        self._openings: dict[int, bytes] = {}
        self._default_headers: Pairs = []

    def take(self, data: bytes) -> None:
        """Lets a plain request in; all others the server has to look at."""
        desk = self._desk
        if desk is None:
            desk = self._desk = self.application.desk
        if desk is not None and self.is_between:
            end = data.find(HEAD_END) + len(HEAD_END)
            found = desk.heads.find(data[:end])
            if found is not None and found[1] <= desk.max_body_bytes and desk.admits(is_local=found[0].is_local):
                is_asked = desk.overload.is_active and len(data) == end + found[1] and not self.is_retired
                if is_asked and (wait_s := desk.turns_away(found[0])):
                    self._turn_away(desk, found[0].path, ceil(wait_s))
                    return
                self.passage = passage = Passage(self, desk, *found, is_in=is_asked)
                self.unread = passage.more(data[end:])
                return
        super().take(data)

    def _turn_away(self, desk: Desk, path: str, wait_s: int) -> None:
        """Refuses as ever, but for what it costs: where most are turned away, that is most of what is done."""
        headers = self.server_state.default_headers
        written, parts = desk.refusals.get((path, wait_s), (None, []))
        name = desk.new_id()
        if written is not headers:
            status, pairs, body = error_answer(Overloaded(retry_after=wait_s), INBOUND[HOT[path]], name, [])
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
        if self.is_retired:
            headers = [*headers, *CLOSE]
        return b"\r\n".join([self._opening(status), *map(b": ".join, headers), b"\r\n"])

    def _opening(self, status: int) -> bytes:
        """Status line and the server's own headers, which it makes anew each second."""
        if self._default_headers is not self.server_state.default_headers:
            self._default_headers = self.server_state.default_headers
            self._openings.clear()
        opening = self._openings.get(status)
        if opening is None:
            lines = [STATUS_LINE[status].removesuffix(b"\r\n"), *map(b": ".join, self._default_headers)]
            opening = self._openings[status] = b"\r\n".join(lines)
        return opening

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


class Passage:
    """One request on its way through the lane."""

    _task: asyncio.Task[None] | None = None
    _order: Order | None = None
    _has_started = False
    _has_left = False

    def __init__(self, lane: Lane, desk: Desk, head: Head, length: int, *, is_in: bool) -> None:
        """`length`: bytes of the body; `is_in`: it was asked already whether there is room."""
        self._lane = lane
        self._desk = desk
        self._head = head
        self._arrival: Arrival = desk.arrival()
        self._parts: list[bytes] = []
        self._is_in = is_in
        self.missing = length
        """Bytes of the body that have not come yet."""

    def more(self, data: bytes) -> bytes:
        """Takes bytes of the body, begins when it is whole, and returns what belongs to the next request."""
        if len(data) == self.missing and not self._parts:
            self.missing = 0
            self._begin(data)
            return b""
        part, rest = (data[: self.missing], data[self.missing :]) if len(data) > self.missing else (data, b"")
        self._parts.append(part)
        self.missing -= len(part)
        if not self.missing:
            self._begin(part if len(self._parts) == 1 else b"".join(self._parts))
        return rest

    def leave(self) -> None:
        """The client hung up."""
        self._has_left = True
        if self._task is not None and not (self._order and self._order.draft.leave_to_others()):
            self._task.cancel()

    def expire(self) -> None:
        """The body did not come in time."""
        self._refuse(late_body())

    def _begin(self, body: bytes) -> None:
        if len(body) >= LARGE_BYTES:
            self._start(self._wait_and_answer(body))
        elif (begun := self._take_in(body)) is not None:
            self._start(self._finish(begun))

    async def _wait_and_answer(self, body: bytes) -> None:
        await self._desk.turn()
        if (begun := self._take_in(body)) is not None:
            await self._finish(begun)

    def _take_in(self, body: bytes) -> Order | StreamReply | None:
        """What remains to be done, None where it was answered at once."""
        with Guard(self._arrival.request_id) as guard:
            call = self._desk.call(self._head.path, self._head, body, self._arrival, is_in=self._is_in)
            begun = self._desk.pipeline.begin(call)
            if isinstance(begun, Reply):
                self._say(begun)
            else:
                self._order = begun if isinstance(begun, Order) else None
                return begun
        if guard.error is not None:
            self._refuse(guard.error)
        return None

    def _start(self, answering: Coroutine[Any, Any, None]) -> None:
        self._task = task = self._desk.spawn(answering, "answer")
        self._lane.tasks.add(task)
        task.add_done_callback(self._finished)

    async def _finish(self, begun: Order | StreamReply) -> None:
        with Guard(self._arrival.request_id) as guard:
            reply = await self._desk.pipeline.finish(begun) if isinstance(begun, Order) else begun
            if isinstance(reply, StreamReply):
                await self._stream(reply)
            elif not self._has_left:
                self._say(reply)
        if guard.error is not None:
            self._refuse(guard.error)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._lane.tasks.discard(task)
        if not task.cancelled():
            return
        if self._order is not None:
            # A task that was cancelled before its first step has run nothing of `finish`, not even its record.
            self._order.draft.close(asyncio.CancelledError())
        if self._has_left:
            return
        if self._desk.is_stopping:
            self._refuse(Stopping())
        self._lane.transport.close()

    def _say(self, reply: Reply) -> None:
        headers = self._desk.headers(reply, [])
        self._lane.transport.write(self._lane.head_of(200, headers) + reply.body)
        self._lane.answered()

    async def _stream(self, reply: StreamReply) -> None:
        lane = self._lane
        try:
            if self._has_left:
                return
            self._has_started = True
            lane.transport.write(lane.head_of(200, [*self._desk.headers(reply, []), *_CHUNKED]))
            while await reply.pass_to(self._write):
                if lane.flow.write_paused:
                    await lane.flow.drain()
            lane.transport.write(b"0\r\n\r\n")
        except asyncio.CancelledError:
            if self._desk.is_stopping and not self._has_left:
                self._write(reply.cut_short())
                lane.transport.write(b"0\r\n\r\n")
            raise
        finally:
            await reply.aclose()
        lane.answered()

    def _write(self, chunk: bytes) -> bool:
        """Says it; whether the client keeps up."""
        lane = self._lane
        lane.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return not lane.flow.write_paused

    def _refuse(self, error: FarthingError) -> None:
        """Says what is wrong; a body that was not read to its end, or an answer that broke off, ends the connection."""
        if self._has_started:
            self._lane.answered(closes=True)
            return
        more = CLOSE if self.missing else []
        dialect = INBOUND[HOT[self._head.path]]
        status, headers, body = error_answer(error, dialect, self._arrival.request_id, more)
        self._lane.transport.write(self._lane.head_of(status, headers) + body)
        self._lane.answered(closes=bool(self.missing))
