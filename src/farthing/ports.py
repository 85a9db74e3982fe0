"""Every seam to the outside world as a Protocol; adapters implement them, `app` introduces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from farthing.domain.exchange import Exchange, Intent


class Clock(Protocol):
    """Time, passed in so that tests can turn it."""

    def now_us(self) -> int:
        """Microseconds since 1970 in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""


class Deadlines(Struct, frozen=True, kw_only=True):
    """How long an upstream may take, in seconds: to connect, to its first byte, between bytes, and in all."""

    connect: float = 5.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float = 600.0


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """An HTTP POST (or other `method`) to a provider; `url` is absolute."""

    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    deadlines: Deadlines = Deadlines()
    method: str = "POST"


class UpstreamResponse(Protocol):
    """An answer whose headers have arrived. It must be read to its end or closed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""

    async def chunk(self) -> bytes:
        """The next bytes of the body, empty at its clean end.

        Raises `UpstreamTimeout` at a deadline, `UpstreamInterrupted` where the body breaks off.
        """

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises as `chunk`, and `UpstreamInvalid` over `limit` bytes."""

    def close(self) -> None:
        """Gives the connection back after a clean end, else drops it. Never blocks, may be called twice."""


class Transport(Protocol):
    """Carries requests to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """The response once its headers are here. Raises `UpstreamError` of the kind that happened."""

    async def aclose(self) -> None:
        """Drops every connection."""


class Provider(Struct, frozen=True, kw_only=True):
    """Where a vendor lives: address, dialect, key, and the transport that reaches it."""

    name: str
    dialect: str
    base_url: str
    transport: Transport
    api_key: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    deadlines: Deadlines = Deadlines()
    simulated: bool = False

    def __repr__(self) -> str:
        """Without the key, which must never reach a log."""
        return f"Provider({self.name!r}, {self.base_url!r})"


class CacheEntry(Struct, frozen=True, kw_only=True):
    """A complete answer as the upstream said it: one body, or the events of a stream joined."""

    dialect: str
    stream: bool
    body: bytes
    provider: str
    model: str
    cost: int | None
    """Nano-dollars the answer cost when it was bought."""
    created_at_us: int
    expires_at_us: int
    tenant: str
    prompt: str = ""
    """The last user text, shortened, for `popular_queries`."""


class CacheLevel(Protocol):
    """A place where answers are kept. A level that is away answers None and never raises."""

    name: str

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down."""

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry until it expires, or until room is needed."""

    async def delete(self, key: str) -> None:
        """Forgets the entry; a key voted down is refused by `put` from then on."""


class Journal(Protocol):
    """The append-only truth of what was spent. What a call noted survives a killed process."""

    def open(self, intent: Intent) -> None:
        """Notes that an upstream is about to be asked. Raises `Unavailable` where it cannot be noted."""

    def settle(self, exchange: Exchange) -> None:
        """Notes how a request ended, whether an intent was opened for it or not."""


class Hold(Protocol):
    """Money reserved for one request."""

    def settle(self, cost: int) -> None:
        """Books `cost` nano-dollars and frees the rest. Calling it again changes nothing."""


class Sink(Protocol):
    """Listens to every finished request; its failure never reaches the caller."""

    def record(self, exchange: Exchange) -> None:
        """Takes note. Must not block."""


class Rows(Struct, frozen=True):
    """A page of the ledger, newest first; `next_cursor` is None on the last page."""

    data: Sequence[Mapping[str, Any]]
    next_cursor: str | None
