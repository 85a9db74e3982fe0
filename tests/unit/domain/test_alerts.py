"""When a budget tells, and what it says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.alerts import THRESHOLDS, budget_notices, reached
from farthing.domain.budget import DAY_US, Budget, span

MIDNIGHT_US = 1_764_547_200_000_000
"""1 December 2025 UTC."""
MONTHLY = Budget(id="b1", tenant="acme", scope="team", subject="support", window="month", limit=100_000_000_000)


@given(st.integers(0, 10**15), st.integers(-5, 10**15))
def test_a_threshold_is_reached_to_the_nano_dollar(spent: int, limit: int) -> None:
    """In integers; a limit of nothing is never come to."""
    expected = [percent for percent in THRESHOLDS if limit > 0 and spent * 100 - limit * percent >= 0]
    assert list(reached(spent, limit)) == expected


def test_a_notice_says_what_people_and_programs_need() -> None:
    """Whose budget, how much of it, and when it begins anew; exact amounts as text."""
    [half, most] = budget_notices(MONTHLY, span("month", MIDNIGHT_US + 5), 80_000_000_001, MIDNIGHT_US + 7)
    assert half.event_id == f"budget:b1:{MIDNIGHT_US}:100000000000:50"
    assert most.event_id == f"budget:b1:{MIDNIGHT_US}:100000000000:80"
    assert most.kind == "budget.threshold_reached"
    assert most.occurred_at_us == MIDNIGHT_US + 7
    assert most.text == (
        "The month's budget of team support has come to 80%: $80.000000001 of $100.00 are spent. "
        "Requests are refused when it is spent; it begins anew at 2026-01-01T00:00:00Z."
    )
    assert most.data == {
        "budget_id": "b1",
        "tenant": "acme",
        "scope": "team",
        "subject": "support",
        "window": "month",
        "is_hard": True,
        "threshold_percent": 80,
        "spent_usd": "80.000000001",
        "limit_usd": "100.00",
        "resets_at": "2026-01-01T00:00:00Z",
    }


def test_a_soft_budget_without_end_says_so() -> None:
    """It refuses nothing, and never begins anew."""
    whole = Budget(id="b2", tenant="acme", scope="tenant", subject="acme", window="total", limit=10, is_hard=False)
    *_, last = budget_notices(whole, span("total", MIDNIGHT_US), 10, MIDNIGHT_US)
    assert last.text == (
        "The budget of tenant acme has come to 100%: $0.00000001 of $0.00000001 are spent. "
        "It is watched and refuses nothing."
    )
    assert last.data["resets_at"] is None


def test_every_window_and_every_limit_tells_anew() -> None:
    """The next month's 50% and that of a raised limit are other events."""
    raised = Budget(id="b1", tenant="acme", scope="team", subject="support", window="month", limit=120_000_000_000)
    events = {
        notice.event_id
        for budget in (MONTHLY, raised)
        for moment in (MIDNIGHT_US, MIDNIGHT_US + 40 * DAY_US)
        for notice in budget_notices(budget, span("month", moment), 60_000_000_000, moment)
    }
    assert len(events) == 4
