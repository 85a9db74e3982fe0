"""One HTTP/1.1 connection to a provider: a request out, its answer in, again and again while both sides agree."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamInvalid, UpstreamTimeout
from farthing.ports import Deadlines
from farthing.providers.response import Headers, Response

HIGH_WATER = 64 * 1024
"""Bytes of unread body above which the provider is made to wait."""
READ_BYTES = 64 * 1024
"""The most that is read at once; with `HIGH_WATER` it bounds what one slow reader can hold in memory."""
MAX_OVERHEAD = 64 * 1024
"""Bytes that may come with no body among them: headers, trailers, chunk extensions. Looked at after each read."""
MAX_INFORMATIONAL = 8
STALE_WITHIN_S = 1.0
"""A kept connection that had died before our request says so within a round trip; a later end is the provider's doing,
and asking again might pay twice."""
TIMER_SLACK_S = 0.001
ONE_WRITE_BYTES = 64 * 1024
FIRST_STATUS, LAST_STATUS = 200, 599


class Home(Protocol):
    """The pool that a connection belongs to."""

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """The request it was leased for has ended."""

    def lost(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.BufferedProtocol):
    """Carries one request at a time.

    All deadlines share one timer that is moved only when it would fire too late: a request costs no timer of its own.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop, home: Home, buffer: memoryview, keep_s: float) -> None:
        """`buffer` receives the reads of every connection in turn; unused connections are kept for `keep_s` seconds."""
        self._loop = loop
        self._home = home
        self._buffer = buffer
        self._keep_s = keep_s
        self._transport: asyncio.Transport
        self._body: list[bytes] = []
        """What the read under way holds of it."""
        self.on_body = self._body.append
        """The parser calls it with each piece."""
        self._parser = HttpResponseParser(self)
        self._response: Response | None = None
        self._deadlines = Deadlines()
        self._started_at = 0.0
        self._hard = math.inf
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._used = False
        self._paused = False
        self._reset()

    def _reset(self) -> None:
        self._fields: dict[bytes, bytes] = {}
        """Headers, or trailers, as the parser reads them."""
        self._overhead = 0
        self._informational = 0
        self._heard = False
        self._flowing = False
        self._sized = True
        self._keep_alive = False
        self._complete = False

    @property
    def is_open(self) -> bool:
        """Whether a request may be tried on it."""
        return not self._transport.is_closing()

    def start(self, head: bytes, body: bytes, deadlines: Deadlines, hard: float) -> Response:
        """Sends a request. `hard` is the moment on the loop's clock when the answer must have ended."""
        self._reset()
        response = self._response = Response(self, self._loop)
        self._deadlines = deadlines
        self._started_at = self._loop.time()
        self._hard = hard
        self._expect(deadlines.first_token)
        if len(body) <= ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        return response

    def resume(self) -> None:
        """Reads on; the provider had to wait for the reader, so its time to be silent begins anew."""
        self._expect(self._deadlines.idle)
        if self._paused:
            self._flow()

    def abandon(self) -> None:
        """Drops the connection with the request on it."""
        self._response = None
        self._release(reusable=False)

    def drop(self) -> None:
        """Closes the socket at once; a request on it fails."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected, and TLS agreed on."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 # asyncio's signature
        """Where the next read goes; it is parsed before any other read begins."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parses what was read."""
        response = self._response
        if response is None:
            self._transport.abort()
            return
        self._heard = True
        broken: Exception | None = None
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (HttpParserError, HttpParserUpgrade) as error:
            broken = error
        body = self._body
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self._overhead = 0 if data else self._overhead + nbytes
        if self._complete:
            response.deliver(data)
            self._end(response, reusable=self._keep_alive and broken is None)
        elif broken is not None:
            response.deliver(data)
            self._break(_reason(broken), broken)
        elif self._overhead > MAX_OVERHEAD:
            self._break(UpstreamInvalid(f"The provider sent over {MAX_OVERHEAD} bytes of headers."))
        elif data:
            self._progress(response, data)
        else:
            response.wake()

    def _progress(self, response: Response, data: bytes) -> None:
        if self._flowing:
            # The timer looks when it fires.
            self._deadline = self._loop.time() + self._deadlines.idle
        else:
            self._flowing = True
            self._expect(self._deadlines.idle)
        response.hand_on(data)
        if response.buffered > HIGH_WATER and not self._paused:
            self._paused = response.stalled = True
            self._transport.pause_reading()

    def _flow(self) -> None:
        self._paused = False
        self._transport.resume_reading()

    def eof_received(self) -> None:
        """The provider says no more."""
        self._cut(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whichever side."""
        self._cut(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._home.lost(self)

    def _cut(self, cause: Exception | None) -> None:
        response = self._response
        if response is None:
            return
        if response.status and not self._sized and cause is None:
            self._end(response, reusable=False)
            return
        quick = self._loop.time() - self._started_at < STALE_WITHIN_S
        response.unanswered = self._used and not self._heard and quick
        what = "answer broke off" if self._heard else "connection closed before any answer"
        self._break(UpstreamInterrupted(f"The provider's {what}."), cause)

    def _end(self, response: Response, *, reusable: bool) -> None:
        self._response = None
        transport = self._transport
        reusable = reusable and not transport.get_write_buffer_size()
        if reusable:
            self._used = True
            self._hard = math.inf
            self._expect(self._keep_s)
            if self._paused:
                self._flow()
        response.finish()
        self._release(reusable=reusable)

    def _break(self, error: UpstreamError, cause: Exception | None = None) -> None:
        response, self._response = self._response, None
        error.__cause__ = cause
        if response is not None:
            response.fail(error)
        self._release(reusable=False)

    def _release(self, *, reusable: bool) -> None:
        if not reusable:
            self._transport.abort()
        self._home.released(self, reusable=reusable)

    def _expect(self, seconds: float) -> None:
        """Something has to happen within `seconds`."""
        deadline = self._loop.time() + seconds
        if deadline > self._hard:  # noqa: PLR1730 (for what it does, min is dear)
            deadline = self._hard
        self._deadline = deadline
        timer = self._timer
        if timer is not None:
            if timer.when() <= deadline:
                return
            timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time() + TIMER_SLACK_S
        response = self._response
        if response is not None and response.buffered and now < self._hard:
            response.stalled = True
            self._expect(math.inf)
        elif now < (deadline := min(self._deadline, self._hard)):
            self._timer = self._loop.call_at(deadline, self._on_timer)
        elif response is None:
            self._transport.abort()
        else:
            self._break(UpstreamTimeout(self._overdue(now)))

    def _overdue(self, now: float) -> str:
        if now >= self._hard:
            return f"The provider took longer than {self._deadlines.total:g} s in all."
        if self._flowing:
            return f"The provider fell silent for {self._deadlines.idle:g} s in the middle of its answer."
        return f"The provider sent no answer within {self._deadlines.first_token:g} s."

    def on_message_begin(self) -> None:
        """The parser met the first byte of an answer."""
        if self._complete:
            raise UpstreamInvalid("The provider sent bytes after its answer.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header or trailer; one that comes twice is joined, as RFC 9110 section 5.3 allows."""
        fields, key = self._fields, name.lower()
        fields[key] = b"%b, %b" % (fields[key], value) if key in fields else value

    def on_headers_complete(self) -> None:
        """The parser has read all headers."""
        status = self._parser.get_status_code()
        fields, self._fields = self._fields, {}
        if status < FIRST_STATUS:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise UpstreamInvalid("The provider sent too many interim answers.")
            return
        if status > LAST_STATUS:
            raise UpstreamInvalid(f"The provider answered with the unknown status {status}.")
        if fields.get(b"content-encoding", b"identity") != b"identity":
            raise UpstreamInvalid("The provider compressed its answer, which was not asked for.")
        coding = fields.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise UpstreamInvalid("The provider used a transfer coding that was not asked for.")
        self._sized = coding is not None or b"content-length" in fields
        self._keep_alive = self._parser.should_keep_alive()
        if self._response is not None:
            self._response.headers = Headers(fields)
            self._response.status = status

    def on_message_complete(self) -> None:
        """The parser has read an answer to its end; interim ones do not count."""
        self._complete = self._response is not None and self._response.status != 0


def _reason(error: Exception) -> UpstreamError:
    """What the parser's complaint means: our own refusal, raised inside a callback, or malformed HTTP."""
    refusal = error.__context__
    return (
        refusal if isinstance(refusal, UpstreamInvalid) else UpstreamInvalid("The provider's answer is no valid HTTP.")
    )
