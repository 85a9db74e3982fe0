"""What a dialect must be able to say and understand, whichever vendor invented it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from farthing.domain.chat import ChatRequest, Completion, Delta, Usage
from farthing.domain.errors import FarthingError, InvalidRequest, UpstreamError

MOST_SEARCHES = 1_000
"""In one call: a larger number cannot be true."""


class Event(Struct, frozen=True, gc=False):
    """One server-sent event: its name (empty where the stream names none), its data, and its bytes as they came."""

    name: bytes
    data: bytes
    raw: bytes


class Piece(Struct, frozen=True, gc=False):
    """What one event of a stream says; without `raw` where only the clean end of the bytes told it."""

    deltas: Sequence[Delta]
    raw: bytes = b""
    """The event for callers of the same dialect: its own bytes, but for what no JSON reader takes."""
    is_report: bool = False
    """Whether it tells nothing but the usage, and this dialect's callers get that only on request."""


class WireRequest(Struct, frozen=True, kw_only=True):
    """A request as it goes over the wire; `path` starts after the provider's base URL."""

    path: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class ReplyFacts(Struct, frozen=True, kw_only=True):
    """What a reply may tell beyond the completion; only the native dialect shows it in its body. Money in USD."""

    request_id: str
    created_s: int
    native: Mapping[str, Any] | None = None
    """Fields of the native answer that are not part of the completion."""


class StreamReader(Protocol):
    """Understands one upstream stream, event by event."""

    def read(self, event: Event) -> Piece:
        """What this event says. Raises `UpstreamError` for an error event, `UpstreamInvalid` for garbage."""

    def skim(self, raw: bytes, /) -> Piece | None:
        """What these bytes say, if they are one whole event and differ from one before in its text alone; else None."""

    def close(self) -> Sequence[Delta]:
        """What only the clean end of the bytes tells. Raises `UpstreamInterrupted` if the stream is not whole."""


class StreamWriter(Protocol):
    """Says one stream to a caller."""

    def write(self, delta: Delta) -> bytes:
        """The bytes for this delta; may be empty. The end mark is only written for `Completed`."""

    def error(self, error: FarthingError) -> bytes:
        """The event that tells the caller the stream broke; no end mark follows."""


class InboundDialect(Protocol):
    """What callers speak."""

    name: str

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body. Raises `InvalidRequest` with the path of the offending field."""

    def extras(self, tree: Any) -> Mapping[str, Any]:
        """Fields of the body that speak to the gateway rather than to the model; empty for vendors' dialects."""

    def write_completion(self, completion: Completion, facts: ReplyFacts) -> bytes:
        """The body of a whole answer."""

    def stream_writer(self, chat: ChatRequest, facts: ReplyFacts) -> StreamWriter:
        """A writer for one stream."""

    def write_error(self, error: FarthingError, request_id: str) -> bytes:
        """The body of an error answer."""


class UpstreamDialect(Protocol):
    """What providers speak."""

    name: str

    def auth_headers(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that carry the provider's key."""

    def write_request(self, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The request for this model, translated."""

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The caller's own bytes, the model changed if it must be; `tree` is the decoded body."""

    def read_completion(self, body: bytes) -> Completion:
        """The answer in a whole body. Raises `UpstreamInvalid`."""

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """As `read_completion` and `relay_whole`, at the price of one of them."""

    def read_report(self, body: bytes) -> Usage | None:
        """The tokens that a whole body tells of though it is no answer: they are charged. None where it tells none."""

    def stream_reader(self) -> StreamReader:
        """A reader for one stream."""

    def relay_whole(self, body: bytes) -> bytes:
        """A whole body for a caller of the same dialect: its own bytes, but for what no JSON reader takes."""

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error behind a status of 400 or more, without the vendor's text where that may hold a key."""


def searches(used: Any) -> int:
    """Searches of the web in a vendor's `server_tool_use`; what else stands there costs nothing but its tokens."""
    number = used.get("web_search_requests") if isinstance(used, dict) else None
    return number if isinstance(number, int) and 0 < number <= MOST_SEARCHES else 0


def require_translatable(chat: ChatRequest) -> None:
    """Lets only requests pass that every dialect can say. Raises `InvalidRequest`."""
    if chat.untranslatable is not None:
        raise InvalidRequest(
            f"`{chat.untranslatable}` has no counterpart at this model's vendor: leave it out, or choose a model "
            "of the vendor whose API you speak.",
            code="unsupported_content",
            param=chat.untranslatable,
        )
