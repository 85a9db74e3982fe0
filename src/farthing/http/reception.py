"""A client that is wrong, or slow, before its request is known: refused in the envelope of errors, and let go.

The server's own protocol answers bytes that are no HTTP with plain text, and waits for ever for a request to end.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from farthing.dialects import INBOUND
from farthing.domain.errors import FarthingError, HeadersTooLarge, InvalidRequest, RequestTimeout, UriTooLong
from farthing.http.bodies import CLOSE, late_body
from farthing.http.desk import HOT, Desk
from farthing.http.errors import error_answer, lines
from farthing.http.headers import CREDENTIALS, MOST_HEADERS
from farthing.http.patience import BODY_S, FIRST_S, HEAD_S, SLOWEST_BODY, STALL_S, patience_of

LONGEST_HEAD = 2 * 1024 * 1024
"""Bytes of request line and headers; a little more may pass. Even a key of a megabyte is told that it is wrong."""
LONGEST_TARGET = 8 * 1024
"""Bytes of an address with its query."""
LONGEST_HEADER = 16 * 1024
"""Bytes of one header, name and value."""
_JUDGED_LATER = frozenset({b"host"}).union(name.encode() for name in CREDENTIALS)
"""Headers that are told what is wrong with them, however long they are."""
_VERSIONS = frozenset({"1.0", "1.1"})

Awaits = Literal["", "request", "head", "body"]
_NOTHING: Final = ""


class Passage(Protocol):
    """A request that is answered otherwise than in the server's own way."""

    missing: int
    """Bytes of the body that have not come yet."""

    def more(self, data: bytes) -> bytes:
        """Takes bytes of the body, and returns what belongs to the next request."""

    def leave(self) -> None:
        """The client hung up."""

    def expire(self) -> None:
        """The body did not come in time."""


class Application(Protocol):
    """What the server runs."""

    @property
    def desk(self) -> Desk | None:
        """Where hot requests are taken in; None for none here."""

    def new_id(self) -> str:
        """For a request."""


class Reception(HttpToolsProtocol):
    """The server's protocol, but for requests that nobody can or will wait for."""

    # Python finds attributes and methods sooner where an object's dictionary has at most 30 names, as the server's.
    __slots__ = (
        "_due",
        "_fault",
        "_has_left",
        "_head_bytes",
        "_is_in_head",
        "_patience",
        "_stalls",
        "_unsent",
        "application",
        "awaits",
        "is_between",
        "is_broken",
        "passage",
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self.application: Application = self.app
        self.passage: Passage | None = None
        self.is_between = True
        """Whether the server's parser is between two requests."""
        self.is_broken = False
        """Whether what came last cannot be read, nor anything after it."""
        self._is_in_head = False
        self._has_left = False
        self._head_bytes = 0
        self._fault: FarthingError | None = None
        self._patience = patience_of(self.server_state, self.loop)
        self.awaits: Awaits = _NOTHING
        """What its client is to say next."""
        self._due = 0.0
        self._unsent = 0
        self._stalls = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As the server's own."""
        super().connection_made(transport)
        self._await("request")

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or was let go."""
        self._patience.forget(self)
        super().connection_lost(exc)

    def is_answering(self) -> bool:
        """Whether a request that the server's parser has read waits for the end of its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _is_in_body(self) -> bool:
        return not self.is_between and not self._is_in_head

    def take(self, data: bytes) -> None:
        """Has the server look at these bytes."""
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LONGEST_HEAD:
                self.refuse(_long_target() if len(self.url) > LONGEST_TARGET else _long_header())

    def refuse(self, error: FarthingError) -> None:
        """Ends the connection. Says why, unless its client is hearing an answer, or is to hear one before."""
        if self.transport.is_closing():
            return
        self.is_broken = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and (self._is_in_body or not cycle.response_complete):
            if not self._is_in_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self.pipeline:
                self.transport.close()
                return
        path = "" if self.is_between else self.url.decode("latin-1").partition("?")[0]
        dialect = INBOUND[HOT.get(path, "native")]
        status, headers, body = error_answer(error, dialect, self.application.new_id(), CLOSE)
        head = lines([*self.server_state.default_headers, *headers])
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], head, body))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the server's own)
        """Refuses what the server's parser did not take, for the reason that its head gave, or for being no HTTP."""
        fault, self._fault = self._fault, None
        self.refuse(fault or InvalidRequest("These bytes are no request in HTTP/1.1.", code="bad_request"))

    def await_rest(self) -> None:
        """Sees to it that a request which has begun also ends. A request that came at once is none of them."""
        passage = self.passage
        awaits: Awaits
        if self._has_left:
            awaits = _NOTHING
        elif passage is not None:
            awaits = "body" if passage.missing else _NOTHING
        elif self.is_between:
            # Empty lines before a request stop the timer of an idle connection, and begin no request.
            awaits = "head" if self.timeout_keep_alive_task is None and not self.is_answering() else _NOTHING
        else:
            awaits = "head" if self._is_in_head else "body"
        if awaits != self.awaits:
            self._await(awaits)

    def credit(self, size: int) -> None:
        """These bytes have come of a body that is awaited."""
        self._due = min(self.loop.time() + BODY_S, self._due + size / SLOWEST_BODY)

    def look(self, now: float) -> None:
        """Lets go of a client that takes too long, unless it is we who do not read."""
        if self.flow.write_paused:
            self._look_at_answer(now)
        if not self.awaits or now < self._due:
            return
        if self.awaits == "request":
            self.transport.close()
        elif self.passage is not None:
            self.passage.expire()
        elif self.flow.read_paused or self.pipeline or (self._is_in_head and self.is_answering()):
            self._await(self.awaits)
        elif self.awaits == "body":
            self.refuse(late_body())
        else:
            self.refuse(RequestTimeout(f"The headers did not arrive within {HEAD_S:.0f} s."))

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        self._unsent = 0
        self._patience.watch(self)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if not self.awaits:
            self._patience.forget(self)

    def on_message_begin(self) -> None:
        """The server's parser has met a request."""
        self.is_between = False
        self._is_in_head = True
        self._head_bytes = 0
        if self.awaits:
            self._await(_NOTHING)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The server's parser has read a header. One that follows the body is none: it may be anybody's word."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The server's parser has read a request's headers. Raises `FarthingError` for those that nobody will serve."""
        try:
            self._check_head()
        except FarthingError as error:
            self._fault = error
            raise
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The server's parser has read a request to its end."""
        self.is_between = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request has its answer. Where the next has begun, its client is not idle."""
        super().on_response_complete()
        if not self.is_between:
            self._unset_keepalive_if_required()

    def handle_websocket_upgrade(self) -> None:
        """From here on the client speaks another protocol, and owes this one nothing."""
        self._await(_NOTHING)
        self._has_left = True
        self.passage = None
        super().handle_websocket_upgrade()

    def _should_upgrade(self) -> bool:
        is_plain_get = self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1"
        return is_plain_get and super()._should_upgrade()

    def _check_head(self) -> None:
        if len(self.url) > LONGEST_TARGET:
            raise _long_target()
        if len(self.headers) > MOST_HEADERS:
            raise _long_header()
        if self.parser.get_http_version() not in _VERSIONS:
            raise InvalidRequest("Only HTTP/1.1 and HTTP/1.0 are spoken here.", code="bad_request")
        for name, value in self.headers:
            if len(name) + len(value) > LONGEST_HEADER and name not in _JUDGED_LATER:
                raise _long_header()
            if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
                raise InvalidRequest("`chunked` is the only transfer coding that is taken.", code="bad_request")

        if self.parser.should_upgrade() and self._should_upgrade():
            _check_handshake(dict(self.headers))

    def _await(self, awaits: Awaits) -> None:
        self.awaits = awaits
        if awaits:
            spans = {"request": FIRST_S, "head": HEAD_S, "body": BODY_S}
            self._due = self.loop.time() + spans[awaits]
            self._patience.watch(self)
        elif not self.flow.write_paused:
            self._patience.forget(self)

    def _look_at_answer(self, now: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._stalls = unsent, now + STALL_S
        elif now >= self._stalls:
            self._patience.forget(self)
            self.transport.abort()


def _check_handshake(headers: dict[bytes, bytes]) -> None:
    if not headers.get(b"sec-websocket-key") or headers.get(b"sec-websocket-version") != b"13":
        raise InvalidRequest("A WebSocket needs Sec-WebSocket-Key, and Sec-WebSocket-Version 13.", code="bad_request")


def _long_target() -> UriTooLong:
    return UriTooLong(f"The address is over the limit of {LONGEST_TARGET:,} bytes. Send data in the body.")


def _long_header() -> HeadersTooLarge:
    return HeadersTooLarge(
        f"At most {MOST_HEADERS} headers of at most {LONGEST_HEADER:,} bytes each are taken. Send less."
    )
