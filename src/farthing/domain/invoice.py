"""What a tenant owes for a month: what its requests cost, a markup on it, and the plan's own price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.budget import DAY_US, Span
from farthing.domain.plans import Terms
from farthing.domain.pricing import NANO

CENT = NANO // 100
"""Nano-dollars."""
_WHOLE = 10_000
"""Basis points in a hundred percent."""
_NOTHING = Terms(since_us=0)


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


class Share(Struct, frozen=True, kw_only=True):
    """Days of a month under the same terms, from midnight to midnight (UTC), in microseconds since 1970."""

    terms: Terms
    start_us: int
    end_us: int
    price: int
    """The plan's own for these days, in nano-dollars."""

    @property
    def days(self) -> int:
        """How many."""
        return (self.end_us - self.start_us) // DAY_US


class Invoice(Struct, frozen=True, kw_only=True):
    """Exact to the nano-dollar; only `total` is rounded, to the cent."""

    tenant: str
    month: str
    """Such as `2026-11`, in UTC."""
    shares: tuple[Share, ...]
    """The whole month, in order."""
    lines: tuple[Line, ...]

    @property
    def terms(self) -> Terms:
        """Those at the month's end."""
        return self.shares[-1].terms

    @property
    def price(self) -> int:
        """The plans' own for the month, in nano-dollars."""
        return sum(share.price for share in self.shares)

    @property
    def used(self) -> Line:
        """All lines together."""
        return _sum(None, self.lines)

    @property
    def exact(self) -> int:
        """Nano-dollars before the rounding to the cent."""
        return self.price + self.used.amount

    @property
    def total(self) -> int:
        """Nano-dollars to be paid, a whole number of cents, half to even."""
        return half_even(self.exact, CENT) * CENT


def shares(history: Sequence[Terms], month: Span) -> Iterator[Share]:
    """The month by the terms that were in force, the oldest of which come first in `history`.

    A day is charged under the terms at its end, and a plan's price by the days of the month, each share rounded to a
    nano-dollar, half to even. Before the first terms there was no plan. A price that nobody knows counts for nothing.
    """
    end_us = month.end_us or 0
    days = range(month.start_us, end_us, DAY_US)
    for _, same in groupby(days, lambda day_us: _terms_at(history, day_us + DAY_US).charge):
        first, *rest = same
        until_us = (rest[-1] if rest else first) + DAY_US
        terms = _terms_at(history, first + DAY_US)
        price = half_even((terms.price or 0) * (until_us - first), end_us - month.start_us)
        yield Share(terms=terms, start_us=first, end_us=until_us, price=price)


def _terms_at(history: Sequence[Terms], moment_us: int) -> Terms:
    """What was in force up to a moment."""
    return next((terms for terms in reversed(history) if terms.since_us < moment_us), _NOTHING)


def invoice(tenant: str, month: str, used: Iterable[tuple[Share, Iterable[Line]]]) -> Invoice:
    """The invoice for what was `used` in each share of the month, the dearest model first.

    Each markup is rounded to a nano-dollar, half to even.
    """
    parts = [(share, [*lines]) for share, lines in used]
    by_model: dict[str | None, list[Line]] = {}
    for share, lines in parts:
        points = share.terms.markup_basis_points or 0
        for line in lines:
            by_model.setdefault(line.model, []).append(replace(line, markup=half_even(line.cost * points, _WHOLE)))
    summed = [_sum(model, lines) for model, lines in by_model.items()]
    return Invoice(
        tenant=tenant,
        month=month,
        shares=tuple(share for share, _ in parts),
        lines=tuple(sorted(summed, key=lambda line: (-line.cost, line.model or ""))),
    )


def _sum(model: str | None, lines: Sequence[Line]) -> Line:
    return Line(
        model=model,
        requests=sum(line.requests for line in lines),
        tokens_in=sum(line.tokens_in for line in lines),
        tokens_out=sum(line.tokens_out for line in lines),
        cost=sum(line.cost for line in lines),
        unpriced=sum(line.unpriced for line in lines),
        markup=sum(line.markup for line in lines),
    )


def half_even(numerator: int, denominator: int) -> int:
    """The quotient as the nearest integer, the even one of two that are as near. The denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
