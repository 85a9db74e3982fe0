"""An invoice adds up to the nano-dollar, and only its total is rounded."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.budget import DAY_US
from farthing.domain.invoice import CENT, Invoice, Line, Share, half_even, invoice, shares
from farthing.domain.months import month_span
from farthing.domain.plans import PriceList, TenantPlan, Terms
from farthing.domain.pricing import NANO

COUNT = st.integers(0, 10**9)
NOVEMBER = month_span("2026-11")
LINES = st.lists(
    st.builds(
        Line,
        model=st.none() | st.sampled_from(["a", "b", "c"]),
        requests=COUNT,
        tokens_in=COUNT,
        tokens_out=COUNT,
        cost=st.integers(0, 10**15),
        unpriced=COUNT,
    ),
    max_size=8,
)
PLANS = st.builds(
    TenantPlan, name=st.just("pro"), price=st.integers(0, 10**12), markup_basis_points=st.integers(0, 100_000)
)


def line(model: str, cost: int) -> Line:
    """A line with this cost."""
    return Line(model=model, requests=2, tokens_in=30, tokens_out=4, cost=cost)


def charged(lines: Iterable[Line], plan: TenantPlan | None) -> Invoice:
    """The invoice for a month that was under this plan from its beginning to its end."""
    plans = {} if plan is None else {plan.name: plan}
    terms = PriceList(plans=plans, at_us=0).terms(None if plan is None else plan.name)
    [share] = shares([terms], NOVEMBER)
    return invoice("acme", "2026-11", [(share, lines)])


def test_an_invoice_is_usage_markup_and_the_plans_price() -> None:
    """The dearest model comes first; 12.5 % of each line is added, and the plan's price to the sum."""
    plan = TenantPlan(name="pro", price=49 * NANO, markup_basis_points=1_250)
    found = charged([line("small", 1_000_000_001), line("large", 3_000_000_000)], plan)
    assert [(one.model, one.cost, one.markup, one.amount) for one in found.lines] == [
        ("large", 3_000_000_000, 375_000_000, 3_375_000_000),
        ("small", 1_000_000_001, 125_000_000, 1_125_000_001),
    ]
    assert (found.used.requests, found.used.tokens_in, found.used.tokens_out) == (4, 60, 8)
    assert found.exact == 53_500_000_001
    assert found.total == 53_500_000_000
    assert (found.tenant, found.month, found.terms.plan) == ("acme", "2026-11", "pro")


def test_without_a_plan_usage_is_passed_on_at_cost() -> None:
    """No markup and no price; a month without a request costs nothing."""
    found = charged([line("small", 15_000_000)], None)
    assert (found.terms.plan, found.price, found.lines[0].markup, found.exact) == (None, 0, 0, 15_000_000)
    assert charged([], None).total == 0


@pytest.mark.parametrize(
    ("nano", "cents"),
    [
        (4_999_999, 0),
        (5_000_000, 0),
        (5_000_001, 1),
        (14_999_999, 1),
        (15_000_000, 2),
        (25_000_000, 2),
        (25_000_001, 3),
    ],
)
def test_half_a_cent_goes_to_the_even_cent(nano: int, cents: int) -> None:
    """So that many invoices are neither too high nor too low in all."""
    assert charged([line("small", nano)], None).total == cents * CENT


@pytest.mark.parametrize(("cost", "markup"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (7, 2), (10, 2), (14, 4)])
def test_a_markup_is_rounded_to_the_even_nano_dollar(cost: int, markup: int) -> None:
    """A quarter of so many nano-dollars."""
    found = charged([line("small", cost)], TenantPlan(name="pro", markup_basis_points=2_500))
    assert found.lines[0].markup == markup


@given(LINES, PLANS)
def test_an_invoice_agrees_with_decimal_arithmetic(lines: list[Line], plan: TenantPlan) -> None:
    """Line by line and in all, worked out independently."""
    found = charged(lines, plan)
    share = Decimal(plan.markup_basis_points) / 10_000
    expected = (
        sum(one.cost + int((one.cost * share).quantize(Decimal(1), ROUND_HALF_EVEN)) for one in lines) + plan.price
    )
    assert found.exact == expected == sum(one.amount for one in found.lines) + found.price
    assert found.total == int((Decimal(expected) / CENT).quantize(Decimal(1), ROUND_HALF_EVEN)) * CENT
    assert found.used.unpriced == sum(one.unpriced for one in lines)


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**9))
def test_half_even_is_the_nearest_integer(numerator: int, denominator: int) -> None:
    """As fractions are rounded, on both sides of zero."""
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


PRO = Terms(since_us=NOVEMBER.start_us - 5, plan="pro", price=30 * NANO, markup_basis_points=1_000)
FREE = Terms(since_us=0, plan="free")


def day(number: int) -> int:
    """The beginning of a day of November."""
    return NOVEMBER.start_us + (number - 1) * DAY_US


def told(history: list[Terms]) -> list[tuple[str | None, int, int]]:
    """By share of November the plan, the days, and the price in dollars."""
    return [(share.terms.plan, share.days, share.price // NANO) for share in shares(history, NOVEMBER)]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], [(None, 30, 0)]),
        ([PRO], [("pro", 30, 30)]),
        ([FREE, PRO], [("pro", 30, 30)]),
        ([FREE, replace(PRO, since_us=day(11))], [("free", 10, 0), ("pro", 20, 20)]),
        ([replace(PRO, since_us=day(12) - 1)], [(None, 10, 0), ("pro", 20, 20)]),
        ([PRO, replace(PRO, since_us=day(11))], [("pro", 30, 30)]),
        ([PRO, replace(FREE, since_us=day(30) + 7)], [("pro", 29, 29), ("free", 1, 0)]),
        ([PRO, replace(FREE, since_us=day(31))], [("pro", 30, 30)]),
        ([PRO, replace(FREE, since_us=day(9)), replace(PRO, since_us=day(9) + 1)], [("pro", 30, 30)]),
        ([PRO, replace(PRO, since_us=day(16), price=60 * NANO)], [("pro", 15, 15), ("pro", 15, 30)]),
        ([replace(PRO, price=None, markup_basis_points=None)], [("pro", 30, 0)]),
    ],
)
def test_a_month_is_charged_by_the_day(history: list[Terms], expected: list[tuple[str | None, int, int]]) -> None:
    """A day under the terms at its end; what was changed and changed back within a day is as if it had not been."""
    assert told(history) == expected


def test_what_was_used_is_marked_up_as_the_terms_were_that_day() -> None:
    """One line for a model, whenever it was used; the terms told are those at the end."""
    history = [FREE, replace(PRO, since_us=day(16))]
    first, second = shares(history, NOVEMBER)
    found = invoice(
        "acme", "2026-11", [(first, [line("small", 100)]), (second, [line("small", 50), line("large", 70)])]
    )
    assert [(one.model, one.requests, one.cost, one.markup) for one in found.lines] == [
        ("small", 4, 150, 5),
        ("large", 2, 70, 7),
    ]
    assert (found.price, found.terms, found.shares) == (15 * NANO, history[1], (first, second))


@given(st.integers(0, 10**12), st.lists(st.integers(0, 30 * DAY_US), max_size=5))
def test_the_shares_of_a_month_are_the_month(price: int, moments: list[int]) -> None:
    """They lie one after the other, and plans of one price come to it, to half a nano-dollar a share."""
    history = [
        Terms(since_us=NOVEMBER.start_us + moment, plan=str(number % 2), price=price)
        for number, moment in enumerate([-1, *sorted(moments)])
    ]
    found: list[Share] = [*shares(history, NOVEMBER)]
    assert [share.start_us for share in found] == [NOVEMBER.start_us, *(share.end_us for share in found[:-1])]
    assert found[-1].end_us == NOVEMBER.end_us
    assert abs(sum(share.price for share in found) - price) <= len(found) / 2
