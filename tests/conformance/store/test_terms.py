"""What tenants pay since when stands on record for good."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farthing.domain.errors import Conflict
from farthing.domain.permissions import EVERYTHING
from farthing.domain.plans import PriceList, TenantPlan, Terms
from farthing.domain.tenancy import Tenant
from farthing.store import Store
from farthing.store.terms import PORTION
from tests.conformance.store.samples import NOON_US

PLANS = {name: TenantPlan(name=name, price=price, markup_basis_points=7) for name, price in (("pro", 20), ("team", 9))}
PRICES = PriceList(plans=PLANS, at_us=NOON_US)
PRO = Terms(since_us=NOON_US, plan="pro", price=20, markup_basis_points=7)


def tenant(name: str, plan: str | None) -> Tenant:
    """With nothing else to it."""
    return Tenant(tenant=name, name=name, plan=plan)


async def test_a_tenant_that_is_made_on_a_plan_pays_from_then_on(store: Store) -> None:
    """One without a plan has nothing on record, and one that is not made neither."""
    await store.tenancy.add_tenant(tenant("acme", "pro"), PRICES)
    await store.tenancy.add_tenant(tenant("bolt", None), PRICES)
    with pytest.raises(Conflict):
        await store.tenancy.add_tenant(tenant("bolt", "pro"), PRICES)
    assert (await store.terms.of("acme"), await store.terms.of("bolt")) == ([PRO], [])
    assert await store.terms.latest() == {"acme": PRO}


async def test_another_plan_is_added_and_nothing_is_overwritten(store: Store) -> None:
    """Another name or a block changes no terms, nor does the plan that it is on already."""
    await store.tenancy.add_tenant(tenant("acme", "pro"), PRICES)
    changes: tuple[dict[str, Any], ...] = (
        {"plan": "team"},
        {"name": "Acme"},
        {"is_blocked": True},
        {"plan": "team"},
        {"plan": "gone"},
        {"plan": None},
    )
    for number, change in enumerate(changes, start=1):
        await store.tenancy.change_tenant("acme", EVERYTHING, change, PriceList(plans=PLANS, at_us=NOON_US + number))
    assert await store.terms.of("acme") == [
        PRO,
        Terms(since_us=NOON_US + 1, plan="team", price=9, markup_basis_points=7),
        Terms(since_us=NOON_US + 5, plan="gone", price=None, markup_basis_points=None),
        Terms(since_us=NOON_US + 6),
    ]


@pytest.mark.parametrize(
    ("before", "first"),
    [
        (None, []),
        ("pro", [Terms(since_us=0, plan="pro", price=20, markup_basis_points=7)]),
        ("gone", [Terms(since_us=0, plan="gone", price=None, markup_basis_points=None)]),
    ],
)
async def test_what_was_before_the_first_record_is_written_with_it(
    store: Store, before: str | None, first: list[Terms]
) -> None:
    """A tenant that an older release has put on a plan was on it from ever on, whatever that charged."""
    await store.tenancy.add_tenant(tenant("acme", before))
    await store.tenancy.change_tenant("acme", EVERYTHING, {"plan": "team"}, PRICES)
    assert await store.terms.of("acme") == [
        *first,
        Terms(since_us=NOON_US, plan="team", price=9, markup_basis_points=7),
    ]


async def test_of_many_that_find_the_same_one_writes_it(store: Store) -> None:
    """What stands there last already, and what a tenant has left meanwhile, is not written."""
    names = [f"t{number:04}" for number in range(PORTION + 1)]
    for name in names:
        await store.tenancy.add_tenant(tenant(name, "pro"))
    await store.tenancy.change_tenant(names[0], EVERYTHING, {"plan": "team"})
    found = {
        name: Terms(since_us=NOON_US + number, plan="pro", price=20) for number, name in enumerate([*names, "none"])
    }
    later = {name: Terms(since_us=terms.since_us + 1, plan="pro", price=20) for name, terms in found.items()}
    await asyncio.gather(*(store.terms.add(each) for each in (found, later, found)))
    latest = await store.terms.latest()
    assert latest.keys() == {*names[1:]}
    assert [len(await store.terms.of(name)) for name in (names[0], names[1], names[-1])] == [0, 1, 1]


async def test_who_is_on_which_plan(store: Store) -> None:
    """Tenants without one are left out."""
    for name, plan in (("bolt", "pro"), ("acme", "pro"), ("dusk", "team"), ("east", None)):
        await store.tenancy.add_tenant(tenant(name, plan))
    assert await store.tenancy.plans() == {"pro": ["acme", "bolt"], "team": ["dusk"]}
