"""A month of the ledger as people read it: in sums, and charge by charge. Money in nano-dollars, moments in µs, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from farthing.domain.pricing import PriceData

Basis = Literal["counted", "estimated", "unpriced"]
"""How a cost is known: from usage that the vendor reported, from tokens counted here, or not at all."""
Dimension = Literal["day", "model", "provider", "team", "key", "tag"]
DIMENSIONS: tuple[Dimension, ...] = ("day", "model", "provider", "team", "key", "tag")


def date_of(moment_us: int) -> str:
    """The date in UTC, such as `2026-11-21`."""
    return moment_of(moment_us)[: len("2026-11-21")]


def moment_of(moment_us: int) -> str:
    """The moment in UTC to the second, such as `2026-11-21T09:30:00Z`."""
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Charge(Struct, frozen=True, kw_only=True):
    """What was used on one day that is alike in everything named here; several may be, and then add up."""

    day_us: int
    """Its midnight."""
    tenant: str
    provider: str | None
    model: str | None
    key_id: str | None
    team: str | None
    tags: tuple[tuple[str, str], ...] = ()
    """By name."""
    basis: Basis = "counted"
    requests: int
    tokens_in: int
    tokens_out: int
    cost: int
    """0 where unpriced: unknown, not free."""
    baseline_cost: int
    savings: int


class Line(Struct, frozen=True, kw_only=True):
    """The sums of one value of a dimension."""

    name: str | None
    """None gathers requests that have no value, such as those without a team."""
    label: str | None = None
    """What people call it, where that is another name."""
    requests: int = 0
    cache_hits: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    unpriced_requests: int = 0
    """Requests whose cost is unknown and missing from `cost`."""
    baseline_cost: int = 0
    savings: int = 0


class Decided(Struct, frozen=True, kw_only=True):
    """An experiment that came to its end in the month."""

    experiment_id: str
    name: str
    decided_us: int
    code: str
    winner: str | None
    reason: str
    """One sentence."""


class Report(Struct, frozen=True, kw_only=True):
    """A month in sums, exact to the nano-dollar."""

    month: str
    """Such as `2026-11`."""
    tenant: str | None
    """None is every tenant."""
    is_demo: bool = False
    """Whether every amount is simulated."""
    prices: PriceData | None = None
    """What prices are known from at the gateway; None where nobody says."""
    generated_us: int
    is_complete: bool
    """Whether the month was over by then."""
    total: Line
    estimated_requests: int = 0
    estimated_cost: int = 0
    """Part of the total's cost whose tokens were counted here, as the vendor had not told them."""
    by_source: Mapping[str, int]
    """Savings by what they come from; they sum to the total's."""
    groups: Mapping[Dimension, tuple[Line, ...]]
    """The dearest first, days in order; a request counts under each of its tags."""
    experiments: tuple[Decided, ...] = ()

    @property
    def counted_cost(self) -> int:
        """Part of the total's cost that rests on what vendors reported."""
        return self.total.cost - self.estimated_cost

    @property
    def saved_percent(self) -> float:
        """Of what the baseline would have cost."""
        return 100 * self.total.savings / self.total.baseline_cost if self.total.baseline_cost else 0.0
