"""The budgets of a caller are found once, and anew as soon as they may be others."""

from __future__ import annotations

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, Budget
from farthing.domain.keys import Caller
from farthing.money import ledger as module
from farthing.money.ledger import Ledger

CALLER = Caller(tenant="acme", key_id="k1")
START = 1_764_547_200_000_000
DAILY = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=1_000)
ADAS = Budget(id="b2", tenant="acme", scope="user", subject="ada", window="month", limit=1_000)
TAGGED = Budget(id="b3", tenant="acme", scope="tag", subject="feature=triage", window="total", limit=1_000)


@pytest.fixture
def ledger() -> Ledger:
    """With all three budgets."""
    found = Ledger(ManualClock(START))
    load(found, DAILY, ADAS, TAGGED)
    return found


def load(ledger: Ledger, *budgets: Budget) -> None:
    """Gives the ledger budgets of which nothing is spent."""
    ledger.load(budgets, {}, today={}, at_us=START)


def names(ledger: Ledger, user: str | None = None, at_us: int = START) -> list[tuple[str, int]]:
    """The budgets that a request counts for, and the first moments of their windows."""
    return [(budget.id, account.span.start_us) for budget, account in ledger.open(CALLER, user, at_us=at_us).fixed]


def test_users_and_tags_have_their_own_budgets_each_time(ledger: Ledger) -> None:
    """However often the same key has asked before for others."""
    for _ in range(2):
        assert names(ledger) == [("b1", START)]
        assert names(ledger, "ada") == [("b1", START), ("b2", START)]
        assert names(ledger, "bob") == [("b1", START)]
        [_, (budget, _)] = ledger.open(CALLER, None, {"feature": "triage"}, at_us=START).fixed
        assert budget == TAGGED


def test_a_budget_that_comes_or_goes_is_noticed_at_the_next_load(ledger: Ledger) -> None:
    """The next request is the first to know."""
    assert names(ledger) == [("b1", START)]
    load(ledger, ADAS)
    assert names(ledger) == []
    load(ledger, DAILY)
    assert names(ledger) == [("b1", START)]


def test_a_new_day_has_a_new_window_and_a_clock_put_back_an_old_one(ledger: Ledger) -> None:
    """A month goes on."""
    later, before = START + DAY_US, START - DAY_US
    november = before - 29 * DAY_US
    assert names(ledger, "ada") == [("b1", START), ("b2", START)]
    assert names(ledger, "ada", later) == [("b1", later), ("b2", START)]
    assert names(ledger, "ada", before) == [("b1", before), ("b2", november)]
    assert names(ledger, "ada", later + 1) == [("b1", later), ("b2", START)]


def test_users_without_end_are_not_all_remembered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is forgotten is looked up again."""
    monkeypatch.setattr(module, "_MOST_KNOWN", 2)
    for user in ("ada", "bob", "eve", "ada"):
        assert ("b2", START) in names(ledger, "ada")
        assert names(ledger, user)[0] == ("b1", START)
