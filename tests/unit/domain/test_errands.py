"""What the gateway may spend on its own behalf."""

from __future__ import annotations

from farthing.domain.budget import Budget, charged, subjects
from farthing.domain.errands import errand_budgets
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller


def test_each_errand_has_a_daily_budget_of_all_tenants() -> None:
    """Hard, and known by a name; without limits there is none."""
    assert list(errand_budgets({"shadow": 5})) == [
        Budget(
            id="learning:shadow",
            tenant="",
            scope="gateway",
            subject="shadow",
            window="day",
            limit=5,
            name="shadow calls",
        )
    ]
    assert list(errand_budgets({})) == []


def test_an_errand_counts_for_its_tenant_and_for_itself() -> None:
    """Before it is done and afterwards alike, and a request of the tenant's own does not count for it."""
    exchange = Exchange(
        request_id="r", created_at_us=1, status="ok", route="judge", dialect="openai", tenant="acme", strategy="judge"
    )
    known = subjects(Caller(tenant="acme", errand="judge"), None, {})
    assert known == charged(exchange) == [("gateway", "", ""), ("tenant", "acme", "acme"), ("gateway", "", "judge")]
    assert ("gateway", "", "judge") not in subjects(Caller(tenant="acme"), None, {})
