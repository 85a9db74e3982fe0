"""Budgets are made, changed and deleted, and tell what was spent of them, whoever they are for."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from farthing.domain.budget import DAY_US, Budget, Scope, Step, Window
from farthing.domain.errands import errand_budgets
from farthing.domain.errors import Conflict, NotFound
from farthing.store import Store
from tests.conformance.store.samples import NOON_US, exchange

BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="month", limit=2**53 + 1)
FULL = Budget(
    id="b0",
    tenant="",
    scope="gateway",
    subject="",
    window="day",
    limit=0,
    is_hard=False,
    name="everybody",
    degrade=(Step(90, "cheaper"), Step(97, "cache_only")),
)


async def test_budgets_come_back_as_they_were(store: Store) -> None:
    """In order of their making, those of one tenant alone, or one."""
    await store.budgets.create(BUDGET, created_at_us=NOON_US)
    await store.budgets.create(FULL, created_at_us=NOON_US + 1)
    assert await store.budgets.load() == await store.budgets.list() == [BUDGET, FULL]
    assert await store.budgets.list("acme") == [BUDGET]
    assert await store.budgets.get("b0") == FULL


async def test_a_changed_budget_stays_whose_it_was(store: Store) -> None:
    """Limit, hardness, name and steps change; whose it is and its window do not."""
    await store.budgets.create(BUDGET, created_at_us=NOON_US)
    changes = {"limit": 7, "is_hard": False, "name": "new", "degrade": (Step(50, "cheaper"),)}
    await store.budgets.change(replace(BUDGET, scope="tenant", subject="bolt", window="day", **changes))
    assert await store.budgets.get("b1", tenant="acme") == replace(BUDGET, **changes)


async def test_of_two_who_change_a_budget_at_once_the_later_looks_again(store: Store) -> None:
    """Else a new name would bring back a limit that was lowered in between."""
    await store.budgets.create(BUDGET, created_at_us=NOON_US)
    await store.budgets.change(replace(BUDGET, limit=1), before=BUDGET)
    with pytest.raises(Conflict, match="meanwhile"):
        await store.budgets.change(replace(BUDGET, name="new"), before=BUDGET)
    assert await store.budgets.get("b1") == replace(BUDGET, limit=1)


async def test_of_many_who_make_the_same_budget_at_once_one_does(store: Store) -> None:
    """The others are refused, also afterwards; another window or subject is another budget."""
    made = await asyncio.gather(
        *(store.budgets.create(replace(BUDGET, id=f"b{number}"), created_at_us=NOON_US) for number in range(4)),
        return_exceptions=True,
    )
    assert made.count(None) == 1
    assert sum(isinstance(refused, Conflict) for refused in made) == 3
    with pytest.raises(Conflict, match="already"):
        await store.budgets.create(replace(BUDGET, id="b9", limit=1, is_hard=False), created_at_us=NOON_US)
    others = [replace(BUDGET, id="b5", window="day"), replace(BUDGET, id="b6", subject="k2")]
    for other in others:
        await store.budgets.create(other, created_at_us=NOON_US + 1)
    assert (await store.budgets.list())[1:] == others


async def test_a_budget_out_of_reach_is_not_found(store: Store) -> None:
    """Another tenant's as little as one that is not there."""
    await store.budgets.create(BUDGET, created_at_us=NOON_US)
    for budget, tenant in ((replace(BUDGET, id="b9"), None), (BUDGET, "bolt")):
        with pytest.raises(NotFound):
            await store.budgets.get(budget.id, tenant=tenant)
        with pytest.raises(NotFound):
            await store.budgets.change(budget, tenant=tenant)
        with pytest.raises(NotFound):
            await store.budgets.delete(budget.id, tenant=tenant)
    assert await store.budgets.list() == [BUDGET]


@pytest.mark.parametrize(
    ("scope", "tenant", "subject", "spent"),
    [
        ("key", "acme", "k1", 11),
        ("key", "bolt", "k1", 100),
        ("team", "acme", "support", 1),
        ("user", "acme", "ada", 10),
        ("tag", "acme", "feature=triage", 1),
        ("model", "acme", "small", 10),
        ("tenant", "acme", "acme", 11),
        ("gateway", "", "", 1_111),
        ("gateway", "", "judge", 1_000),
        ("gateway", "", "shadow", 0),
        ("key", "acme", "k9", 0),
    ],
)
async def test_what_is_spent_is_known_for_every_scope(
    store: Store, scope: Scope, tenant: str, subject: str, spent: int
) -> None:
    """From the sums that are written with the rows."""
    one = exchange(key_id="k1", user=None, model="large", cost=1)
    two = exchange(key_id="k1", team=None, user="ada", tags={}, cost=10)
    other = exchange(tenant="bolt", key_id="k1", cost=100)
    judged = exchange(tenant="bolt", key_id=None, team=None, user=None, tags={}, strategy="judge", cost=1_000)
    await store.ingest.write([one, two, other, judged])
    windows: tuple[Window, ...] = ("day", "week", "month", "total")
    budgets = [
        Budget(id=window, tenant=tenant, scope=scope, subject=subject, window=window, limit=1) for window in windows
    ]
    assert await store.queries.spent(budgets, NOON_US) == dict.fromkeys(windows, spent)
    assert (await store.queries.spent(budgets, NOON_US + DAY_US))["day"] == 0


async def test_budgets_that_come_with_plans_and_settings_follow_them(store: Store) -> None:
    """They come, change and go, with what was leased of them; nobody else touches them, and they touch no other."""
    own = Budget(id="b1", tenant="acme", scope="tenant", subject="acme", window="day", limit=1)
    await store.budgets.create(own, created_at_us=NOON_US)
    plan = replace(own, id="plan:acme", window="month", limit=2)
    shadow, _ = errand_budgets({"shadow": 5, "judge": 6})
    for wanted in (
        [plan],
        [shadow, plan],
        [replace(plan, limit=3, name="the plan")],
        [replace(plan, id="plan:bolt", tenant="bolt")],
        [],
    ):
        await store.budgets.follow({budget.id: budget for budget in wanted}, created_at_us=NOON_US + 1)
        assert await store.budgets.load() == [own, *wanted]
    await store.budgets.follow({plan.id: plan}, created_at_us=NOON_US)
    for brought, where in ((plan, "plan"), (shadow, "settings")):
        with pytest.raises(Conflict, match=where):
            await store.budgets.change(replace(brought, limit=9))
        with pytest.raises(Conflict, match=where):
            await store.budgets.delete(brought.id)
