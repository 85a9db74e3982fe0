"""What a ledger makes of requests that come late, and of commits whose end was not heard."""

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US
from farthing.domain.errors import InsufficientQuota
from farthing.money.ledger import Ledger
from tests.unit.money.test_ledger import BUDGET, CALLER, START, load, reserve, row, spend


def test_whoever_arrived_before_midnight_finds_that_day_as_it_was() -> None:
    """A body that comes slowly, or a wait for another's answer, is no way into a day that is spent."""
    ledger = Ledger(ManualClock(START))
    load(ledger, BUDGET)
    spend(ledger, 1_000)
    load(ledger, BUDGET, at_us=START + DAY_US + 600_000_000)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1, at_us=START + DAY_US - 1)
    reserve(ledger, CALLER, 1_000, at_us=START + DAY_US)


def test_a_commit_whose_end_was_not_heard_is_not_counted_twice() -> None:
    """Neither in the budget nor in the day's spending; what others have spent is known afterwards."""
    ledger = Ledger(ManualClock(START))
    load(ledger, BUDGET)
    spend(ledger, 400)
    ledger.load([BUDGET], {"b1": 400}, today={"acme": 400}, at_us=START, is_certain=False)
    ledger.committed([row(400)])
    assert ledger.spent_today("acme") == 400
    reserve(ledger, CALLER, 600).settle(0)
    load(ledger, BUDGET, spent=500, today=500)
    assert ledger.spent_today("acme") == 500
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 501)
