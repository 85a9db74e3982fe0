"""The ledger against a provider's invoice, by day and model. Money in nano-dollars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from farthing.domain.pricing import NANO

NEGLIGIBLE = NANO // 100
"""A cent: invoices are rounded, and a share of next to nothing says nothing."""


class Charge(Struct, frozen=True, kw_only=True):
    """What an invoice asks for a day's use of a model. Credits are negative."""

    day: str
    """Such as `2026-11-02`, in UTC."""
    model: str
    """Empty for what is charged for no model in particular."""
    cost: int
    tokens: int | None = None
    """None where the invoice counts none."""


class Booked(Struct, frozen=True, kw_only=True):
    """What the ledger has for a day's use of a model."""

    day: str
    model: str
    requests: int
    tokens: int
    cost: int
    unpriced: int = 0
    """Requests whose cost is unknown and missing from `cost`."""


class Entry(Struct, kw_only=True):
    """Both sides of a day and model, or of several."""

    day: str = ""
    """Empty for all days."""
    model: str = ""
    ledger: int = 0
    invoice: int = 0
    requests: int = 0
    tokens: int = 0
    invoiced_tokens: int | None = None
    unpriced: int = 0
    is_booked: bool = False
    is_invoiced: bool = False

    @property
    def difference(self) -> int:
        """What the ledger has more than the invoice."""
        return self.ledger - self.invoice

    @property
    def percent(self) -> float | None:
        """The difference as a share of the invoice; None where the invoice asks for nothing."""
        return 100 * self.difference / self.invoice if self.invoice else None

    def is_within(self, percent: Decimal) -> bool:
        """Whether the difference is at most so many percent of the invoice, or a cent."""
        gap = abs(self.difference)
        return gap <= NEGLIGIBLE or gap * 100 <= percent * abs(self.invoice)

    def add(self, side: Charge | Booked) -> None:
        """Counts one more line of either side."""
        if isinstance(side, Charge):
            self.is_invoiced = True
            self.invoice += side.cost
            if side.tokens is not None:
                self.invoiced_tokens = (self.invoiced_tokens or 0) + side.tokens
            return
        self.is_booked = True
        self.ledger += side.cost
        self.requests += side.requests
        self.tokens += side.tokens
        self.unpriced += side.unpriced


class Reconciliation(Struct, frozen=True, kw_only=True):
    """Both sides by day and model, by model, and in all."""

    days: Sequence[Entry]
    models: Sequence[Entry]
    total: Entry

    @property
    def only_invoiced(self) -> list[str]:
        """Models that the invoice asks money for and the ledger does not know."""
        return [entry.model for entry in self.models if not entry.is_booked]

    @property
    def only_booked(self) -> list[str]:
        """Models that the ledger has and the invoice does not ask money for."""
        return [entry.model for entry in self.models if not entry.is_invoiced]

    def is_within(self, percent: Decimal) -> bool:
        """Whether the whole and every model keep to a tolerance in percent.

        Days may differ: a request around midnight stands under either.
        """
        return all(entry.is_within(percent) for entry in (self.total, *self.models))


def reconcile(booked: Iterable[Booked], charges: Iterable[Charge]) -> Reconciliation:
    """Puts the lines of both sides together that are for the same day and model."""
    days: dict[tuple[str, str], Entry] = {}
    models: dict[str, Entry] = {}
    total = Entry()
    sides: list[Booked | Charge] = [*booked, *charges]
    for side in sides:
        days.setdefault((side.day, side.model), Entry(day=side.day, model=side.model)).add(side)
        models.setdefault(side.model, Entry(model=side.model)).add(side)
        total.add(side)
    return Reconciliation(
        days=[days[place] for place in sorted(days)], models=[models[name] for name in sorted(models)], total=total
    )
