"""An invoice adds up to the nano-dollar, and only its total is rounded."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.invoice import CENT, Line, half_even, invoice
from farthing.domain.plans import TenantPlan
from farthing.domain.pricing import NANO

COUNT = st.integers(0, 10**9)
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


def test_an_invoice_is_usage_markup_and_the_plans_price() -> None:
    """The dearest model comes first; 12.5 % of each line is added, and the plan's price to the sum."""
    plan = TenantPlan(name="pro", price=49 * NANO, markup_basis_points=1_250)
    found = invoice("acme", "2026-11", [line("small", 1_000_000_001), line("large", 3_000_000_000)], plan)
    assert [(one.model, one.cost, one.markup, one.amount) for one in found.lines] == [
        ("large", 3_000_000_000, 375_000_000, 3_375_000_000),
        ("small", 1_000_000_001, 125_000_000, 1_125_000_001),
    ]
    assert (found.used.requests, found.used.tokens_in, found.used.tokens_out) == (4, 60, 8)
    assert found.exact == 53_500_000_001
    assert found.total == 53_500_000_000
    assert (found.tenant, found.month, found.plan) == ("acme", "2026-11", "pro")


def test_without_a_plan_usage_is_passed_on_at_cost() -> None:
    """No markup and no price; a month without a request costs nothing."""
    found = invoice("acme", "2026-11", [line("small", 15_000_000)], None)
    assert (found.plan, found.price, found.lines[0].markup, found.exact) == (None, 0, 0, 15_000_000)
    assert invoice("acme", "2026-11", [], None).total == 0


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
    assert invoice("acme", "2026-11", [line("small", nano)], None).total == cents * CENT


@pytest.mark.parametrize(("cost", "markup"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (7, 2), (10, 2), (14, 4)])
def test_a_markup_is_rounded_to_the_even_nano_dollar(cost: int, markup: int) -> None:
    """A quarter of so many nano-dollars."""
    found = invoice("acme", "2026-11", [line("small", cost)], TenantPlan(name="pro", markup_basis_points=2_500))
    assert found.lines[0].markup == markup


@given(LINES, PLANS)
def test_an_invoice_agrees_with_decimal_arithmetic(lines: list[Line], plan: TenantPlan) -> None:
    """Line by line and in all, worked out independently."""
    found = invoice("acme", "2026-11", lines, plan)
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
