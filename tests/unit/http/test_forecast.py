"""What the month will have cost, over HTTP."""

from __future__ import annotations

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.budget import DAY_US, Budget, span
from farthing.domain.pricing import NANO
from farthing.store import Store
from tests.conformance.store.samples import exchange
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS


async def spend(store: Store, days: int) -> int:
    """A dollar on each of the last whole days, by `acme`; the present moment."""
    now_us = SystemClock().now_us()
    today = now_us - now_us % DAY_US
    await store.ingest.write([exchange(created_at_us=today - n * DAY_US, cost=NANO) for n in range(1, days + 1)])
    return now_us


async def test_a_dollar_a_day(client: Client, store: Store) -> None:
    """In all for the caller's tenant, with its budgets of a month for an admin, and never another's."""
    now_us = await spend(store, 60)
    month = span("month", now_us)
    days = ((month.end_us or 0) - month.start_us) // DAY_US
    for tenant, window in (("acme", "month"), ("other", "month"), ("acme", "week")):
        name = f"{tenant}-{window}"
        budget = Budget(id=name, tenant=tenant, scope="tenant", subject=tenant, window=window, limit=NANO)  # type: ignore[arg-type]
        await store.budgets.create(budget, created_at_us=now_us)
    whole = (await client.with_key(SECRETS.acme).get("/v1/forecast")).json
    assert [whole["forecast"], *whole["interval"]] == pytest.approx([days] * 3)
    assert (whole["method"], whole["days_of_history"], whole["note"], whole["budgets"]) == ("estimated", 60, None, [])
    assert whole["past"][0]["error_percent"] == pytest.approx(0)
    assert whole["past"][0]["actual"] == whole["past"][0]["forecast"]
    theirs = (await client.with_key(SECRETS.admin).get("/v1/forecast")).json["budgets"]
    assert {one["budget_id"]: one["forecast"] for one in theirs} == {
        "acme-month": pytest.approx(days),
        "other-month": None,
    }


async def test_too_little_is_said(open_client: Client, store: Store) -> None:
    """Before a week is over there is no forecast."""
    await spend(store, 6)
    answer = (await open_client.get("/v1/forecast")).json
    assert (answer["forecast"], answer["interval"], answer["past"]) == (None, None, [])
    assert answer["note"] == "Too little to say: a forecast begins with 7 whole days of spending."
