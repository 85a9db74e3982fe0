"""Keys as those who manage and those who follow them see them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits
from farthing.domain.permissions import EVERYTHING, Reach
from farthing.store import Store, keys
from farthing.store.schema import keys as table
from tests.conformance.store.samples import NOON_US

LIMITS = Limits(requests_per_minute=1, concurrent_requests=3)


def key(name: str, tenant: str = "acme", team: str | None = None, **fields: Any) -> Key:
    """A key whose id is its name."""
    return Key(caller=Caller(tenant=tenant, key_id=name, team=team, **fields), name=name, hint="…")


async def make(store: Store, *made: Key) -> None:
    """Adds the keys; the digest of each is its name."""
    for one in made:
        await store.keys.create(one, one.name.encode(), created_at_us=NOON_US)


async def test_only_what_changed_since_is_told(store: Store) -> None:
    """With a number that rises; nothing for the newest, everything for none and for one that is not known."""
    assert await store.keys.changes(0) is None
    await make(store, key("k1"), key("k2"))
    first = await store.keys.changes(None)
    assert first is not None
    assert (set(first.keys), first.has_all) == ({b"k1", b"k2"}, True)
    assert await store.keys.changes(first.number) is None
    await store.keys.revoke("k2", revoked_at_us=NOON_US)
    second = await store.keys.changes(first.number)
    assert second is not None
    assert second.number > first.number
    assert not second.has_all
    assert {name: one.is_revoked for name, one in second.keys.items()} == {b"k2": True}
    restored = await store.keys.changes(second.number + 1)
    assert restored is not None
    assert restored.has_all


async def test_tenants_and_teams_come_with_every_change(store: Store) -> None:
    """And are made with the first key that names them."""
    await make(store, key("k1", team="blue"), key("k2", team="blue"), key("k3"))
    changes = await store.keys.changes(None)
    assert changes is not None
    assert [(tenant.tenant, tenant.name, tenant.is_blocked) for tenant in changes.tenants] == [("acme", "acme", False)]
    assert [(team.tenant, team.team, team.limits) for team in changes.teams] == [("acme", "blue", None)]
    await store.tenancy.change_tenant("acme", EVERYTHING, {"is_blocked": True})
    blocked = await store.keys.changes(changes.number)
    assert blocked is not None
    assert (blocked.keys, [tenant.is_blocked for tenant in blocked.tenants]) == ({}, [True])


async def test_rows_of_older_code_are_told_with_every_change(store: Store) -> None:
    """They bear no number; the census shows that there are some."""
    await make(store, key("k1"), key("k2"))
    async with store._engines.writing() as connection:
        older = {"changed": None, "role": None, "is_admin": True, "is_blocked": True}
        await connection.execute(sa.update(table).where(table.c.key_id == "k2").values(**older))
    assert await store.keys.census() == (2, 1)
    changes = await store.keys.changes(1)
    assert changes is not None
    found = changes.keys[b"k2"]
    assert (found.caller.role, found.is_blocked, found.is_revoked) == ("admin", True, False)


async def test_many_keys_are_read_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left out and none told twice, whether the last portion is full or not."""
    monkeypatch.setattr(keys, "PORTION", 2)
    for number in range(5):
        await make(store, key(f"k{number}"))
        assert set(await store.keys.load()) == {f"k{one}".encode() for one in range(number + 1)}


async def test_a_page_keeps_to_its_reach(store: Store) -> None:
    """In order of ids, after the one that is named."""
    await make(store, key("k3", team="blue"), key("k1", team="red"), key("k2", "other", team="blue"), key("k4"))

    async def page(reach: Reach, limit: int = 9, after: str | None = None) -> list[str | None]:
        return [one.caller.key_id for one in await store.keys.page(reach, limit=limit, after=after)]

    assert await page(EVERYTHING) == ["k1", "k2", "k3", "k4"]
    assert await page(Reach("acme")) == ["k1", "k3", "k4"]
    assert await page(Reach("acme", "blue")) == ["k3"]
    assert await page(Reach("acme", "")) == []
    assert await page(EVERYTHING, 2, "k1") == ["k2", "k3"]


async def test_a_key_is_changed_in_what_may_change(store: Store) -> None:
    """Owner, role and secret stay, and so does who made it."""
    made = replace(key("k1", team="blue", role="auditor"), created_by="k0")
    await make(store, made)
    caller = Caller(tenant="x", key_id="k1", role="admin", allowed_models=frozenset({"m"}), limits=LIMITS)
    wanted = Key(caller=caller, name="new", hint="x", is_blocked=True, expires_at_us=NOON_US + 1)
    found = await store.keys.change(wanted, EVERYTHING)
    stays = replace(caller, tenant="acme", team="blue", role="auditor")
    assert found == replace(wanted, caller=stays, hint="…", created_at_us=NOON_US, created_by="k0")
    assert await store.keys.get("k1", Reach("acme", "blue")) == found


async def test_only_keys_within_reach_are_found_and_changed(store: Store) -> None:
    """Another tenant's and another team's are as unknown as none."""
    await make(store, key("k1", team="blue"))
    for reach in (Reach("other"), Reach("acme", "red")):
        for attempt in (
            store.keys.get("k1", reach),
            store.keys.change(key("k1"), reach),
            store.keys.revoke("k1", revoked_at_us=NOON_US, reach=reach),
        ):
            with pytest.raises(NotFound):
                await attempt
    assert not (await store.keys.get("k1", EVERYTHING)).is_blocked


async def test_a_revoked_key_never_comes_back(store: Store) -> None:
    """Whoever would unblock it is told; revoking it again leaves the moment of the first time."""
    await make(store, key("k1"))
    await store.keys.revoke("k1", revoked_at_us=NOON_US)
    await store.keys.revoke("k1", revoked_at_us=NOON_US + 1)
    with pytest.raises(Conflict):
        await store.keys.change(key("k1"), EVERYTHING)
    assert (await store.keys.load())[b"k1"].is_revoked
    async with store._engines.reading() as connection:
        assert (await connection.execute(sa.select(table.c.revoked_at))).scalar_one() == NOON_US


async def test_of_two_who_change_a_key_at_once_the_later_looks_again(store: Store) -> None:
    """Else a new name would bring back a key that was blocked in between."""
    await make(store, key("k1"))
    before = await store.keys.get("k1", EVERYTHING)
    await store.keys.change(replace(before, is_blocked=True), EVERYTHING, before=before)
    with pytest.raises(Conflict, match="meanwhile"):
        await store.keys.change(replace(before, name="new"), EVERYTHING, before=before)
    assert (await store.keys.get("k1", EVERYTHING)) == replace(before, is_blocked=True)


async def test_a_name_is_given_once_where_that_is_wanted(store: Store) -> None:
    """In one tenant, among keys that are not revoked."""
    await make(store, key("k1"))

    async def again(tenant: str, key_id: str) -> None:
        same = Key(caller=Caller(tenant=tenant, key_id=key_id), name="k1", hint="…")
        await store.keys.create(same, key_id.encode(), created_at_us=NOON_US, named_once=True)

    with pytest.raises(Conflict):
        await again("acme", "k2")
    await again("other", "k3")
    await make(store, key("k4"))
    with pytest.raises(Conflict):
        await store.keys.change(replace(key("k4"), name="k1"), EVERYTHING)
    await store.keys.revoke("k1", revoked_at_us=NOON_US)
    await again("acme", "k5")


async def test_of_two_who_give_one_name_at_once_one_is_refused(store: Store) -> None:
    """Changes are made one after the other, and each has its own number."""

    async def one(number: int) -> None:
        same = Key(caller=Caller(tenant="acme", key_id=f"k{number}"), name="same", hint="…")
        await store.keys.create(same, b"%d" % number, created_at_us=NOON_US, named_once=True)

    found = await asyncio.gather(*map(one, range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in found) == ["Conflict"] * 3 + ["NoneType"]
    assert len(await store.keys.load()) == 1
