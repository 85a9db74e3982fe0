"""Ledger and invoice side by side: nothing is lost on either side, and the tolerance is exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.pricing import NANO
from farthing.domain.reconciliation import Booked, Charge, Entry, reconcile

HALF = Decimal("0.5")
DAY = st.sampled_from(["2026-11-01", "2026-11-02"])
MODEL = st.sampled_from(["", "small", "large"])
COST = st.integers(0, 10**15)
BOOKED = st.lists(st.builds(Booked, day=DAY, model=MODEL, requests=COST, tokens=COST, cost=COST, unpriced=COST))
CHARGES = st.lists(
    st.builds(Charge, day=DAY, model=MODEL, cost=st.integers(-(10**15), 10**15), tokens=st.none() | COST)
)


def booked(model: str, cost: int, day: str = "2026-11-02") -> Booked:
    """A ledger line."""
    return Booked(day=day, model=model, requests=3, tokens=700, cost=cost)


def charge(model: str, cost: int, day: str = "2026-11-02") -> Charge:
    """An invoice line."""
    return Charge(day=day, model=model, cost=cost)


def test_each_day_and_model_stands_beside_its_charge() -> None:
    """Several lines of an invoice for one day and model are one; days and models are sorted."""
    found = reconcile(
        [booked("small", 100), booked("large", 50), booked("small", 7, "2026-11-01")],
        [charge("small", 60), charge("small", 41), charge("small", 7, "2026-11-01")],
    )
    assert [(entry.day, entry.model, entry.ledger, entry.invoice) for entry in found.days] == [
        ("2026-11-01", "small", 7, 7),
        ("2026-11-02", "large", 50, 0),
        ("2026-11-02", "small", 100, 101),
    ]
    assert [(entry.model, entry.difference, entry.requests, entry.tokens) for entry in found.models] == [
        ("large", 50, 3, 700),
        ("small", -1, 6, 1400),
    ]
    assert (found.total.ledger, found.total.invoice, found.total.invoiced_tokens) == (157, 108, None)


def test_models_of_one_side_only_are_named() -> None:
    """Whichever side lacks them; a charge of nothing is a charge."""
    found = reconcile([booked("a", 5), booked("b", 5)], [charge("b", 0), charge("", 9)])
    assert (found.only_invoiced, found.only_booked) == ([""], ["a"])


@pytest.mark.parametrize(
    ("ledger", "invoice", "percent"),
    [(99, 100, -1.0), (150, 100, 50.0), (0, 100, -100.0), (5, 0, None), (-50, -100, -50.0)],
)
def test_a_difference_is_a_share_of_the_invoice(ledger: int, invoice: int, percent: float | None) -> None:
    """Of nothing there is no share."""
    assert Entry(ledger=ledger, invoice=invoice).percent == percent


@pytest.mark.parametrize(
    ("ledger", "invoice", "is_within"),
    [
        (1_005 * NANO, 1_000 * NANO, True),
        (1_005 * NANO + 1, 1_000 * NANO, False),
        (995 * NANO, 1_000 * NANO, True),
        (995 * NANO - 1, 1_000 * NANO, False),
        (10_000_000, 0, True),
        (10_000_001, 0, False),
        (1, 10_000_001, True),
        (0, 10_000_001, False),
        (0, 0, True),
    ],
)
def test_the_tolerance_is_exact(ledger: int, invoice: int, is_within: bool) -> None:
    """Half a percent of the invoice, or a cent, to the nano-dollar."""
    assert Entry(ledger=ledger, invoice=invoice).is_within(HALF) is is_within


def test_models_that_cancel_out_are_still_apart() -> None:
    """The whole agrees and no model does."""
    found = reconcile([booked("a", 2 * NANO), booked("b", NANO)], [charge("a", NANO), charge("b", 2 * NANO)])
    assert found.total.difference == 0
    assert not found.is_within(HALF)


def test_days_may_differ() -> None:
    """A request around midnight stands under either day."""
    found = reconcile([booked("a", NANO, "2026-11-01")], [charge("a", NANO, "2026-11-02")])
    assert len(found.days) == 2
    assert found.is_within(Decimal(0))


@given(BOOKED, CHARGES)
def test_both_sides_add_up(lines: list[Booked], charges: list[Charge]) -> None:
    """Days, models and the total tell of the same money."""
    found = reconcile(lines, charges)
    for entries in (found.days, found.models, [found.total]):
        assert sum(entry.ledger for entry in entries) == sum(line.cost for line in lines)
        assert sum(entry.invoice for entry in entries) == sum(charge.cost for charge in charges)
        assert sum(entry.unpriced for entry in entries) == sum(line.unpriced for line in lines)
        assert sum(entry.invoiced_tokens or 0 for entry in entries) == sum(one.tokens or 0 for one in charges)
