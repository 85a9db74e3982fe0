"""The one frozen record that every request ends as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import replace

from farthing.domain.chat import Usage
from farthing.domain.pricing import Line

Status = Literal["ok", "cached", "error", "cancelled", "interrupted", "rejected"]


class Charge(Struct, frozen=True, kw_only=True, gc=False):
    """What a vendor takes for an answer that broke; `cost` in nano-dollars, None where the model has no price."""

    usage: Usage
    cost: int | None
    price_version: str | None = None


class Attempt(Struct, frozen=True, kw_only=True, gc=False):
    """One try at one model. `error` is the code of what went wrong, None where it answered."""

    model: str
    provider: str
    error: str | None = None
    duration_us: int = 0
    charge: Charge | UnsetType = UNSET
    """Where the vendor had begun to answer and another was asked: part of the row's cost, but not of its usage."""
    outcome: Literal["unserved", "check"] | UnsetType = UNSET
    """Where it answered and the caller got another's answer: `check` if it was asked how good that one is."""


def broken_cost(attempts: Iterable[Attempt]) -> int | None:
    """Nano-dollars for answers that the caller did not get; None where any of them has no price."""
    total = 0
    for attempt in attempts:
        if (charge := attempt.charge) is not UNSET:
            if charge.cost is None:
                return None
            total += charge.cost
    return total


class Exchange(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A request and how it ended. Money in nano-dollars, moments in microseconds since 1970 UTC, durations in µs."""

    request_id: str
    created_at_us: int
    status: Status
    route: str
    dialect: str
    tenant: str
    key_id: str | None = None
    team: str | None = None
    user: str | None = None
    session: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    app: str | None = None
    """The caller's program, from its User-Agent."""
    requested_model: str = ""
    stream: bool = False

    provider: str | None = None
    model: str | None = None
    upstream_id: str | None = None
    strategy: str | None = None
    tier: str | None = None
    score: float | None = None
    confidence: str | None = None
    reason: str | None = None
    decision: dict[str, Any] | str | None = None
    """Candidates and metadata of the plan, for `GET /v1/requests/{id}`; as a tree, or already as its JSON text."""
    experiment_id: str | None = None
    arm: str | None = None
    """Of the experiment; without one, of the standing comparison with the baseline: `hold_back` or `routed`."""
    attempts: tuple[Attempt, ...] = ()

    usage: Usage = Usage()
    """Of the model asked last; `estimated` also where any part of the cost is."""
    cost: int | None = 0
    """With that of the attempts that were charged. None means unpriced: money was spent, and nobody knows how much."""
    baseline_cost: int | None = 0
    """What the same tokens cost at the baseline model; None where that is unpriced."""
    price_version: str | None = None
    cache: Literal["hit", "miss", "off"] = "off"
    cache_level: str | None = None
    """Where a hit was found: memory, redis, sql, or `flight` for a shared call."""
    cache_key: str | None = None

    http_status: int = 200
    error_code: str | None = None
    finish: str | None = None
    duration_us: int = 0
    first_token_us: int | None = None
    upstream_us: int = 0

    @property
    def own_cost(self) -> int | None:
        """Nano-dollars for the answer alone that the caller got; None where it is unknown."""
        others = broken_cost(self.attempts)
        return None if self.cost is None or others is None else self.cost - others

    @property
    def tokens(self) -> int:
        """What models have read and written for it, also for answers that the caller did not get."""
        used = [self.usage, *(attempt.charge.usage for attempt in self.attempts if attempt.charge is not UNSET)]
        return sum(usage.tokens_in + usage.tokens_out for usage in used)

    @property
    def savings(self) -> int:
        """Nano-dollars not spent against the baseline; 0 where either side is unpriced."""
        if self.cost is None or self.baseline_cost is None:
            return 0
        return self.baseline_cost - self.cost


class Lines(Struct, frozen=True, array_like=True, gc=False):
    """What the cost and the baseline cost of a stream are, by its output; None for one that is unpriced."""

    cost: Line | None
    baseline: Line | None

    def priced(self, exchange: Exchange, tokens_out: int) -> Exchange:
        """The record of the stream's input, with so much output."""
        return replace(
            exchange,
            usage=replace(exchange.usage, completion=tokens_out),
            cost=self.cost and self.cost.cost(tokens_out),
            baseline_cost=self.baseline and self.baseline.cost(tokens_out),
        )


class Intent(Struct, frozen=True, kw_only=True):
    """What the journal knows before a byte goes upstream; without a settlement it becomes an interrupted row."""

    exchange: Exchange
    """The record as it would read if we died now: status `interrupted`, usage estimated."""
    lines: Lines | None = None
    """For a stream, whose output is charged as far as it has come."""
