"""Whether a budget has room is told without taking any of it."""

from __future__ import annotations

from farthing.background.clock import ManualClock
from farthing.domain.holding import PREFETCH_HOLDS
from farthing.money.ledger import Ledger
from tests.unit.money.lessor import MemoryLessor
from tests.unit.money.samples import MODEL, needs
from tests.unit.money.test_leases import BUDGET, CALLER, START, Worker


def test_a_budget_has_room_to_its_last_nano_dollar() -> None:
    """However often it is asked; a hold that was settled asks for nothing any more."""
    ledger = Ledger(ManualClock(START))
    ledger.load([BUDGET], {"b1": 900}, today={}, at_us=START)
    hold = ledger.open(CALLER)
    assert [hold.has_room(MODEL, needs(amount)) for amount in (100, 101, 100)] == [True, False, True]
    hold.settle(0)
    assert hold.has_room(MODEL, needs(101))


def test_where_others_spend_too_there_must_be_room_for_them() -> None:
    """What they have leased meanwhile is not known here."""
    worker = Worker("w1", MemoryLessor(), BUDGET)
    hold = worker.ledger.open(CALLER)
    most = BUDGET.limit // PREFETCH_HOLDS
    assert [hold.has_room(MODEL, needs(amount)) for amount in (most, most + 1)] == [True, False]
    hold.settle(0)
