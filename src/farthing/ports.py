"""Every seam to the outside world as a Protocol; adapters implement them, `app` introduces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from farthing.domain.exchange import Exchange, Intent
from farthing.domain.keys import Caller


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
    strategy: str | None = None
    tier: str | None = None
    score: float | None = None
    confidence: str | None = None


class CacheLevel(Protocol):
    """A place where answers are kept. A level that is away answers None and never raises."""

    name: str

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down."""

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry until it expires, or until room is needed."""

    async def delete(self, key: str) -> None:
        """Forgets the entry; a key voted down is refused by `put` from then on."""


class AnswerCache(Protocol):
    """All cache levels as one. Never raises: a level that is away is a miss."""

    async def find(self, key: str) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it, or None."""

    async def keep(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry on every level."""

    async def forget(self, key: str) -> None:
        """Takes the entry from every level for good: it was voted down."""


class Ledger(Protocol):
    """What may still be spent."""

    def hold(self, caller: Caller, ceiling: int | None) -> Hold:
        """Reserves `ceiling` nano-dollars (None: unknown). Raises `InsufficientQuota` where a budget is too small."""

    def spent_today(self, tenant: str | None = None) -> int:
        """Nano-dollars spent since midnight UTC by a tenant, or by all of them."""


class Journal(Protocol):
    """The append-only truth of what was spent. What a call noted survives a killed process."""

    def open(self, intent: Intent) -> None:
        """Notes that an upstream is about to be asked. Raises `Unavailable` where it cannot be noted."""

    def settle(self, exchange: Exchange) -> None:
        """Notes how a request ended, whether an intent was opened for it or not."""


class Hold(Protocol):
    """Money reserved for one request."""

    def raise_to(self, ceiling: int) -> None:
        """Reserves up to `ceiling` nano-dollars in all, for a dearer model. Raises `InsufficientQuota`."""

    def settle(self, cost: int) -> None:
        """Books `cost` nano-dollars and frees the rest. Calling it again changes nothing."""


class Sink(Protocol):
    """Listens to every finished request; its failure never reaches the caller."""

    def record(self, exchange: Exchange) -> None:
        """Takes note. Must not block."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What the votes on a kept answer say: `quality_score` 0..1, and whether it is served no more."""

    quality_score: float
    votes: int
    invalidated: bool


class Feedback(Protocol):
    """What callers thought of their answers."""

    async def vote(
        self, cache_key: str, *, tenant: str, principal: str | None, rating: int, comment: str | None = None
    ) -> Verdict:
        """Counts a vote of -1, 0 or 1. Raises `NotFound` for an entry that is not there for this tenant."""

    async def rate(
        self,
        request_id: str,
        *,
        tenant: str | None,
        principal: str | None,
        quality_score: int,
        is_correct: bool | None = None,
        is_helpful: bool | None = None,
        comment: str | None = None,
    ) -> None:
        """Keeps a rating of 1 to 5 (`tenant` None: of anybody's request). Raises `NotFound`."""


class Queries(Protocol):
    """What the ledger can tell. `tenant` None means everybody; money in nano-dollars, moments and durations in µs."""

    async def stats(self, tenant: str | None) -> Mapping[str, Any]:
        """Totals, by provider, by complexity, and the last requests."""

    async def routing_metrics(self, tenant: str | None) -> Mapping[str, Any]:
        """How each strategy, provider and the cache did."""

    async def usage(self, tenant: str | None, group_by: str, since_us: int, until_us: int) -> Mapping[str, Any]:
        """`rows` by group and their `total`."""

    async def savings(self, tenant: str | None, since_us: int, until_us: int) -> Mapping[str, Any]:
        """Actual and baseline cost, and where the difference comes from."""

    async def page(self, tenant: str | None, filters: Mapping[str, Any], limit: int, cursor: str | None) -> Rows:
        """Requests, newest first. Raises `InvalidRequest` for a cursor that is none."""

    async def request(self, tenant: str | None, request_id: str) -> Mapping[str, Any] | None:
        """One request with its decision, or None."""

    async def cache_stats(self, tenant: str | None) -> Mapping[str, Any]:
        """Entries, hits and savings of the answer cache."""

    async def quality_stats(self, tenant: str | None) -> Mapping[str, Any]:
        """Quality by provider, model and pattern; the best, worst and invalidated answers."""


class Rows(Struct, frozen=True):
    """A page of the ledger, newest first; `next_cursor` is None on the last page."""

    data: Sequence[Mapping[str, Any]]
    next_cursor: str | None
