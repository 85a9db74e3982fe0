"""One inbound request, before anybody has looked into it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from farthing.dialects.base import InboundDialect


class Directives(Struct, frozen=True, kw_only=True):
    """What the caller asked of the gateway itself, by header."""

    user: str | None = None
    session: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    cache: bool | None = None
    """None where the request does not say."""
    max_cost: int | None = None
    """Nano-dollars this request may cost at most."""
    quality_floor: float | None = None
    """The most quality (0..1) that a cheaper answer may cost; None where the request does not say."""
    experiment_id: str | None = None
    idempotency_key: str | None = None
    """What the caller calls this request and its repetitions."""
    feedback: Mapping[str, str] = field(default_factory=dict)
    """What the caller thinks of earlier answers: by request id a word of `farthing.gateway.remarks.GRADES`."""


class Call(Struct, frozen=True, kw_only=True):
    """A request whose body has arrived. `received_us` in µs since 1970, `started` on the monotonic clock in seconds."""

    request_id: str
    route: str
    dialect: InboundDialect
    body: bytes
    credential: str | None = None
    """The key as presented, or None."""
    directives: Directives = Directives()
    app: str | None = None
    forward: tuple[tuple[bytes, bytes], ...] = ()
    """Headers meant for a provider of the caller's own dialect."""
    received_us: int
    started: float

    def __repr__(self) -> str:
        """Without the key and what was said."""
        return f"Call({self.request_id!r}, {self.route!r})"


class Arrival(Struct, frozen=True):
    """A request's name, and when it came: on the monotonic clock in seconds, and in µs since 1970."""

    request_id: str
    started: float
    received_us: int
