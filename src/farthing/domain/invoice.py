"""What a tenant owes for a month: what its requests cost, a markup on it, and the plan's own price."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.plans import TenantPlan
from farthing.domain.pricing import NANO

CENT = NANO // 100
"""Nano-dollars."""
_WHOLE = 10_000
"""Basis points in a hundred percent."""


class Line(Struct, frozen=True, kw_only=True):
    """What was used of one model. Money in nano-dollars."""

    model: str | None
    """None gathers what no model was charged for."""
    requests: int
    tokens_in: int
    tokens_out: int
    cost: int
    unpriced: int = 0
    """Requests whose cost is unknown and missing from `cost`."""
    markup: int = 0

    @property
    def amount(self) -> int:
        """What the tenant pays for it."""
        return self.cost + self.markup


class Invoice(Struct, frozen=True, kw_only=True):
    """Exact to the nano-dollar; only `total` is rounded, to the cent."""

    tenant: str
    month: str
    """Such as `2026-11`, in UTC."""
    plan: str | None
    price: int
    """The plan's own, in nano-dollars."""
    markup_basis_points: int
    lines: tuple[Line, ...]

    @property
    def used(self) -> Line:
        """All lines together."""
        return Line(
            model=None,
            requests=sum(line.requests for line in self.lines),
            tokens_in=sum(line.tokens_in for line in self.lines),
            tokens_out=sum(line.tokens_out for line in self.lines),
            cost=sum(line.cost for line in self.lines),
            unpriced=sum(line.unpriced for line in self.lines),
            markup=sum(line.markup for line in self.lines),
        )

    @property
    def exact(self) -> int:
        """Nano-dollars before the rounding to the cent."""
        return self.price + self.used.amount

    @property
    def total(self) -> int:
        """Nano-dollars to be paid, a whole number of cents, half to even."""
        return half_even(self.exact, CENT) * CENT


def invoice(tenant: str, month: str, lines: Iterable[Line], plan: TenantPlan | None) -> Invoice:
    """The invoice under this plan, the dearest line first; each markup is rounded to a nano-dollar, half to even."""
    points = plan.markup_basis_points if plan else 0
    marked_up = [replace(line, markup=half_even(line.cost * points, _WHOLE)) for line in lines]
    return Invoice(
        tenant=tenant,
        month=month,
        plan=plan.name if plan else None,
        price=plan.price if plan else 0,
        markup_basis_points=points,
        lines=tuple(sorted(marked_up, key=lambda line: (-line.cost, line.model or ""))),
    )


def half_even(numerator: int, denominator: int) -> int:
    """The quotient as the nearest integer, the even one of two that are as near. The denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
