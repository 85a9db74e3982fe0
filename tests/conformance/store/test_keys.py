"""Virtual keys."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.errors import NotFound
from farthing.domain.keys import Caller, Key
from farthing.domain.permissions import Reach
from farthing.store import Store
from tests.conformance.store.samples import NOON_US

PLAIN = Key(caller=Caller(tenant="acme", key_id="k1"), name="plain", hint="sk-…1111")
FULL = Key(
    caller=Caller(
        tenant="bolt",
        key_id="k2",
        team="sales",
        user="bob",
        role="admin",
        allowed_models=frozenset({"small", "auto"}),
        cache=False,
    ),
    name="full",
    hint="sk-…2222",
    expires_at_us=NOON_US + 1,
)


async def test_keys_come_back_as_they_were(store: Store) -> None:
    """By digest for the snapshot, in order of their making for people, those of one tenant alone."""
    await store.keys.create(PLAIN, b"\x00" * 32, created_at_us=NOON_US)
    await store.keys.create(FULL, b"\xff" * 32, created_at_us=NOON_US - 1)
    assert await store.keys.load() == {b"\x00" * 32: PLAIN, b"\xff" * 32: FULL}
    listed = [replace(FULL, created_at_us=NOON_US - 1), replace(PLAIN, created_at_us=NOON_US)]
    assert await store.keys.list() == listed
    assert await store.keys.list("acme") == listed[1:]


async def test_a_revoked_key_is_blocked(store: Store) -> None:
    """It stays in the list, and its digest is still known."""
    await store.keys.create(PLAIN, b"1", created_at_us=NOON_US)
    await store.keys.revoke("k1", revoked_at_us=NOON_US)
    assert (await store.keys.load())[b"1"].is_blocked


@pytest.mark.parametrize(("key_id", "tenant"), [("k9", None), ("k1", "bolt")])
async def test_only_a_key_within_reach_is_revoked(store: Store, key_id: str, tenant: str | None) -> None:
    """An unknown key and another tenant's are not found."""
    await store.keys.create(PLAIN, b"1", created_at_us=NOON_US)
    with pytest.raises(NotFound):
        await store.keys.revoke(key_id, revoked_at_us=NOON_US, reach=Reach(tenant))
    assert not (await store.keys.load())[b"1"].is_blocked


async def test_a_key_that_allows_no_model_is_not_one_that_allows_all(store: Store) -> None:
    """An empty list of models and no list differ."""
    none = Key(caller=Caller(tenant="acme", key_id="k1", allowed_models=frozenset()), name="", hint="")
    await store.keys.create(none, b"1", created_at_us=NOON_US)
    assert (await store.keys.load())[b"1"].caller.allowed_models == frozenset()


async def test_a_store_that_is_there_answers(store: Store) -> None:
    """The health check asks the database itself, and the pools say what they hold."""
    await store.ping()
    assert store.pools()["people"]["open"] == 1
    assert {name: pool["in_use"] for name, pool in store.pools().items()} == dict.fromkeys(store.pools(), 0)
