"""Every seam to the outside world as a Protocol; adapters implement them, `app` introduces them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from farthing.domain.alerts import Notice
from farthing.domain.catalogue import Model
from farthing.domain.exchange import Exchange, Intent, Status
from farthing.domain.keys import Caller
from farthing.domain.routing.plan import Needs
from farthing.domain.secrecy import Secret

if TYPE_CHECKING:
    from farthing.domain.budget import Budget
    from farthing.domain.stats.heldback import Sides

Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]
"""Starts a supervised task under a name."""


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

    def __repr__(self) -> str:
        """Without what may hold a secret: the headers, the body, and the address of a webhook."""
        return f"UpstreamRequest({self.method!r})"


class UpstreamResponse(Protocol):
    """An answer whose headers have arrived. It must be read to its end or closed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""

    async def chunk(self) -> bytes:
        """The next bytes of the body, empty at its clean end.

        Raises `UpstreamTimeout` at a deadline, `UpstreamInterrupted` where the body breaks off. One task waits at a
        time; cancelled, it has taken nothing, and another may go on.
        """

    async def pass_to(self, take: Callable[[bytes], bool]) -> None:
        """Gives `take` the bytes as they come, and none at their clean end, until it returns false. Raises as `chunk`.

        `take` may be called right where bytes arrive, without a turn of the loop in between.
        """

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises as `chunk`, and `UpstreamInvalid` over `limit` bytes; then it is closed."""

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
    api_key: Secret[str] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    deadlines: Deadlines = Deadlines()
    simulated: bool = False
    has_responses: bool = False
    """Whether it answers OpenAI's Responses API beside its dialect."""
    account: str | None = None
    """The tenant that brought the key, None for the gateway's own."""
    is_locked: bool = False
    """Whether the tenant's key cannot be opened: nothing is sent, least of all with another key."""

    @property
    def deployment(self) -> str:
        """What its failures are counted under: a tenant's own key may be refused where others' are not."""
        return self.name if self.account is None else f"{self.name} for {self.account}"

    def __repr__(self) -> str:
        """Without the headers, which may hold a secret as well."""
        return f"Provider({self.name!r}, {self.base_url!r}, {self.api_key!r})"


class Ledger(Protocol):
    """What may still be spent."""

    def open(self, caller: Caller, user: str | None, tags: Mapping[str, str], *, at_us: int) -> Hold:
        """A hold of nothing yet, in every budget that such a request counts for. It must be settled.

        `at_us` is when the request arrived, in µs since 1970 UTC.
        """

    def spent_today(self, tenant: str | None = None) -> int:
        """Nano-dollars spent since midnight UTC by a tenant, or by all of them."""


class Meter(Protocol):
    """A number that survives a killed process."""

    def __setitem__(self, place: int, weight: int) -> None:
        """At place 0: what a stream has said so far, in thousandths of a token."""


class Journal(Protocol):
    """The append-only truth of what was spent. What a call noted survives a killed process."""

    def open(self, intent: Intent) -> None:
        """Notes that an upstream is about to be asked. Raises `Unavailable` where it cannot be noted."""

    def settle(self, exchange: Exchange) -> None:
        """Notes how a request ended, whether an intent was opened for it or not."""

    def meter(self, request_id: str) -> Meter:
        """Where an open request counts its output: should it never be settled, it is charged for that.

        It is not to be touched once the request is settled, or this was called for it again.
        """


class Hold(Protocol):
    """Money reserved for one request."""

    @property
    def is_thrifty(self) -> bool:
        """Whether a budget is so near its end that cheaper models are to be preferred."""

    @property
    def is_limited(self) -> bool:
        """Whether a budget may refuse the request."""

    def has_room(self, model: Model, needs: Needs, body: bytes = b"") -> bool:
        """Whether this model would surely not be refused for money, as things are; nothing is reserved."""

    def raise_to(self, model: Model, needs: Needs, body: bytes = b"") -> Awaitable[None] | None:
        """Reserves what this model may cost in all. What must be awaited before the model is asked, or None.

        `body` is the request as it came: some ask for more than tokens show.
        Both raise `InsufficientQuota` where a budget is too small or the cost unknown, and `Unavailable` where that
        cannot be told.
        """

    def return_to(self, model: Model) -> None:
        """The request is again one of this model, whose budgets pay for all of it; nothing more is reserved."""

    def sink(self, cost: int) -> None:
        """Keeps so many nano-dollars for an answer that the caller does not get, whatever else is held for."""

    def settle(self, cost: int) -> None:
        """Books `cost` nano-dollars, all of the request, and frees the rest. Calling it again changes nothing."""


class Sink(Protocol):
    """Listens to every finished request; its failure never reaches the caller."""

    def record(self, exchange: Exchange) -> None:
        """Takes note. Must not block."""


class Channel(Protocol):
    """Carries notices to people or programs."""

    name: str

    async def send(self, notice: Notice) -> None:
        """Returns once it is taken. Raises `NotDelivered`."""


class Delivery(Struct, frozen=True):
    """A notice that one channel has yet to take; `attempts` counts this one."""

    notice: Notice
    channel: str
    attempts: int


class Tracked(Struct, frozen=True, kw_only=True):
    """How a notice that was announced on one channel stands. Moments in microseconds since 1970 in UTC."""

    notice: Notice
    channel: str
    announced_us: int
    attempts: int
    due_us: int
    """When it is tried next, unless it was delivered."""
    delivered_us: int | None
    failure: str | None
    """Why the last try failed; None before one has."""


class Outbox(Protocol):
    """Notices that wait for their channels, the same for all workers. Raises `Unavailable` while it is away."""

    async def announce(self, notices: Sequence[Notice], channels: Sequence[str]) -> None:
        """Keeps the notices for these channels; one that was announced before changes nothing."""

    async def claim(self, *, limit: int, lease_us: int) -> Sequence[Delivery]:
        """Up to `limit` deliveries that are due; nobody else is given them for `lease_us` microseconds."""

    async def delivered(self, delivery: Delivery) -> None:
        """It was taken, and is never claimed again."""

    async def postpone(self, delivery: Delivery, pause_us: int, failure: str) -> None:
        """It was not taken, and `failure` tells why: due again after `pause_us` microseconds."""

    async def drop(self, delivery: Delivery) -> None:
        """Nobody will take it: it is as if it had not been announced on this channel."""


class Tracker(Protocol):
    """Tells of an outbox. Raises `Unavailable` while it is away."""

    async def track(self, tenant: str | None, limit: int) -> Sequence[Tracked]:
        """How the last announced ones of a tenant, or with None of all, stand, the newest first."""


class SignOn(Protocol):
    """Single sign-on: people come in through an identity provider, and stay by a session."""

    origin: str
    """Scheme, host and port under which browsers reach the gateway."""

    async def begin(self, goal: str) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it must bring back. Raises `Unavailable`."""

    async def complete(self, code: str, state: str, cookie: str) -> tuple[str, str]:
        """The secret of a new session, and the path to go on to. Raises `Unauthenticated`, `Forbidden`."""

    async def caller(self, secret: str) -> Caller:
        """Whose session this is. Raises `Unauthenticated`, and `Unavailable` where the database must be asked."""

    async def end(self, secret: str) -> None:
        """Ends the session, if it is one."""


class Verdict(Struct, frozen=True):
    """What all votes on an answer, or all ratings of a request, amount to."""

    quality_score: float
    """Mean, from 0 to 1."""
    votes: int
    invalidated: bool = False
    """Whether the answer is never served again."""


Source = Literal["explicit", "implicit", "judge"]
"""Whose opinion it is: said by a person, told from a question that was asked again, or a model's."""


class Feedback(Protocol):
    """What is thought of answers."""

    async def vote(
        self,
        cache_key: str,
        rating: Literal[-1, 0, 1],
        *,
        tenant: str | None,
        principal: str | None,
        comment: str | None = None,
        decides: bool = False,
    ) -> Verdict:
        """Counts a vote on a kept answer; one against it that decides ends it. Raises `NotFound`."""

    async def rate(
        self,
        request_id: str,
        grade: float,
        *,
        tenant: str | None,
        principal: str | None,
        details: Mapping[Literal["is_correct", "is_helpful", "comment"], Any] | None = None,
        source: Source = "explicit",
    ) -> Verdict:
        """Keeps a rating, from 1 to 5, of one request; what people think of it. Raises `NotFound`."""


class Filter(Struct, frozen=True, kw_only=True):
    """Which rows of the ledger are wanted; None wants all. Moments in µs, the first included, the second not."""

    status: Status | None = None
    model: str | None = None
    provider: str | None = None
    key: str | None = None
    team: str | None = None
    user: str | None = None
    session: str | None = None
    tag: str | None = None
    """`name=value`."""
    from_us: int | None = None
    to_us: int | None = None


class Stretch(Struct, frozen=True):
    """From `from_us` up to but without `to_us`, in µs since 1970 UTC; None leaves a side open."""

    from_us: int | None = None
    to_us: int | None = None


Dimension = Literal["model", "provider", "key", "team", "user", "tag"]
Period = Literal["hour", "day"]
GroupBy = Literal[Dimension, Period]


class Queries(Protocol):
    """What the ledger can tell. Tenant None means all tenants; money in nano-dollars, moments in µs since 1970 UTC.

    Everything raises `Unavailable` while the database is away.
    """

    async def stats(self, tenant: str | None) -> Mapping[str, Any]:
        """Everything so far: overall, by provider, by complexity, and the newest requests."""

    async def routing_metrics(self, tenant: str | None) -> Mapping[str, Any]:
        """How strategies, providers and the cache did."""

    async def usage(self, tenant: str | None, group_by: GroupBy, stretch: Stretch) -> Mapping[str, Any]:
        """`{rows, total}` for the whole minutes that the stretch touches."""

    async def usage_of(
        self, tenant: str | None, period: Period, stretch: Stretch, only: tuple[Dimension, str]
    ) -> Mapping[str, Any]:
        """As `usage`, of the requests that have this value, the second, of a dimension, the first."""

    async def savings(self, tenant: str | None, stretch: Stretch) -> Mapping[str, Any]:
        """What was saved against the baseline, and by what."""

    async def sides(self, tenant: str | None, stretch: Stretch) -> Sides:
        """What was held back and what was routed beside it."""

    async def daily(self, tenant: str | None, stretch: Stretch) -> Mapping[int, int]:
        """Nano-dollars of each day that cost anything, by its start in µs."""

    async def daily_of(self, budgets: Iterable[Budget], stretch: Stretch) -> Mapping[str, Mapping[int, int]]:
        """Nano-dollars of each day in a stretch of whole days, by budget id."""

    async def requests(self, tenant: str | None, wanted: Filter, *, limit: int = 50, cursor: str | None = None) -> Rows:
        """A page of the ledger. Raises `InvalidRequest` for a cursor that is none."""

    async def request(self, tenant: str | None, request_id: str) -> Mapping[str, Any]:
        """One row with its decision. Raises `NotFound`."""

    async def cache_stats(self, tenant: str | None, now_us: int) -> Mapping[str, Any]:
        """Entries, hits and savings of the answer cache, and the most popular queries."""

    async def quality_stats(self, tenant: str | None) -> Mapping[str, Any]:
        """What people thought of the answers."""


class Rows(Struct, frozen=True):
    """A page of the ledger, newest first; `next_cursor` is None on the last page."""

    data: Sequence[Mapping[str, Any]]
    next_cursor: str | None
