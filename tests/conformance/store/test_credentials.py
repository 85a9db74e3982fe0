"""Tenants' own provider keys, over every database."""

from __future__ import annotations

import pytest

from farthing.domain.credentials import Bond, Credential
from farthing.domain.errors import NotFound
from farthing.store import Store
from tests.conformance.store.samples import NOON_US


def credential(tenant: str, credential_id: str, *, sealed: bytes = b"\x00sealed") -> Credential:
    """A key for OpenAI."""
    return Credential(
        bond=Bond(tenant, credential_id, "https://api.openai.com:443"),
        provider="openai",
        sealed=sealed,
        hint="…cdef",
        created_at_us=NOON_US,
    )


async def test_a_tenant_has_one_key_for_a_provider(store: Store) -> None:
    """A second takes the place of the first; others keep theirs."""
    await store.credentials.put(credential("acme", "c1"))
    await store.credentials.put(credential("bolt", "c2"))
    await store.credentials.put(credential("acme", "c3"))
    assert await store.credentials.list() == [credential("acme", "c3"), credential("bolt", "c2")]
    assert await store.credentials.list("bolt") == [credential("bolt", "c2")]


async def test_the_version_tells_of_changes(store: Store) -> None:
    """One that came, was replaced at the same moment by the clock, or went; a look changes nothing."""
    assert await store.credentials.version() == (0, 0)
    await store.credentials.put(credential("acme", "c1"))
    assert await store.credentials.version() == await store.credentials.version() == (1, 1)
    await store.credentials.put(credential("acme", "c2"))
    assert await store.credentials.version() == (1, 2)
    with pytest.raises(NotFound):
        await store.credentials.delete("bolt", "openai")
    await store.credentials.delete("acme", "openai")
    assert await store.credentials.version() == (0, 3)


async def test_a_key_is_forgotten(store: Store) -> None:
    """The tenant's own only; one that is not there is not found."""
    await store.credentials.put(credential("acme", "c1"))
    with pytest.raises(NotFound):
        await store.credentials.delete("bolt", "openai")
    await store.credentials.delete("acme", "openai")
    assert await store.credentials.list() == []


async def test_keys_are_sealed_anew(store: Store) -> None:
    """Many at a time, those for which there is a new seal, and not one that was replaced meanwhile."""
    for number in range(150):
        await store.credentials.put(credential(f"t{number:03}", f"c{number}", sealed=b"old" if number else b"new"))

    def change(each: Credential) -> bytes | None:
        return b"new" if each.sealed == b"old" else None

    assert await store.credentials.reseal(change) == 149
    assert {each.sealed for each in await store.credentials.list()} == {b"new"}
    assert await store.credentials.reseal(change) == 0
