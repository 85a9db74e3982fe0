"""Tenants' own keys reach their requests, and a key that cannot be opened reaches nobody's."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from farthing.app.brought import BroughtKeys, build_vault
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.credentials import Bond, Credential, origin_of
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.ports import Provider
from farthing.providers.fake import FakeTransport
from farthing.settings import Settings
from tests.unit.app.conftest import SettingsOf

KEY, OTHER_KEY = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))
LOCAL = Provider(
    name="local", dialect="openai", base_url="http://127.0.0.1:9/v1", transport=FakeTransport(), api_key=Secret("ours")
)
PROVIDERS = {"local": LOCAL}


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """With a key to seal under."""
    return settings_of(FARTHING_ENCRYPTION_KEY=KEY)


@pytest.fixture
async def storage(settings: Settings) -> AsyncIterator[Storage]:
    """An empty database."""
    storage = Storage(settings, ManualClock())
    await storage.prepare()
    yield storage
    await storage.aclose()


async def bring(storage: Storage, settings: Settings, *, tenant: str = "acme", provider: str = "local") -> None:
    """A tenant brings a key for the address that the provider has now."""
    vault = build_vault(settings)
    assert vault is not None
    bond = Bond(tenant, f"c-{tenant}", origin_of(LOCAL.base_url))
    sealed = vault.seal(Secret(f"{tenant}'s"), bond)
    credential = Credential(bond=bond, provider=provider, sealed=sealed, hint="…", created_at_us=1)
    await storage.store.credentials.put(credential)


async def test_a_tenants_key_is_its_own(storage: Storage, settings: Settings) -> None:
    """The provider is the same but for the key and whose failures are counted; nothing is read twice."""
    brought = BroughtKeys(storage.store.credentials, settings)
    assert not await brought.refresh(PROVIDERS)
    await bring(storage, settings)
    assert await brought.refresh(PROVIDERS)
    own = brought.providers["acme", "local"]
    assert own == replace(LOCAL, api_key=Secret("acme's"), account="acme")
    assert (own.deployment, LOCAL.deployment) == ("local for acme", "local")
    assert not await brought.refresh(PROVIDERS)
    await storage.store.credentials.delete("acme", "local")
    assert await brought.refresh(PROVIDERS)
    assert brought.providers == {}


async def test_a_key_that_cannot_be_opened_locks_its_tenant_out(
    storage: Storage, settings: Settings, settings_of: SettingsOf, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the sealing key, under another one, or where the provider's address has changed."""
    await bring(storage, settings)
    moved = {"local": replace(LOCAL, base_url="http://127.0.0.2:9/v1")}
    for environment, providers in (({}, PROVIDERS), ({"FARTHING_ENCRYPTION_KEY": OTHER_KEY}, PROVIDERS)):
        brought = BroughtKeys(storage.store.credentials, settings_of(**environment))
        await brought.refresh(providers)
        assert brought.providers["acme", "local"] == replace(LOCAL, api_key=None, account="acme", is_locked=True)
    brought = BroughtKeys(storage.store.credentials, settings)
    await brought.refresh(PROVIDERS)
    assert not brought.providers["acme", "local"].is_locked
    assert await brought.refresh(moved)
    assert brought.providers["acme", "local"].is_locked
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "FARTHING_ENCRYPTION_KEY is not set",
        "it was sealed under a key that is not here",
        "the provider's address is not the one that it was brought for",
    ]


async def test_a_key_for_a_provider_that_is_gone_waits(storage: Storage, settings: Settings) -> None:
    """Nobody can ask it."""
    await bring(storage, settings, provider="gone")
    brought = BroughtKeys(storage.store.credentials, settings)
    await brought.refresh(PROVIDERS)
    assert brought.providers == {}


async def test_known_keys_outlive_the_database(
    storage: Storage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away nothing changes."""
    await bring(storage, settings)
    brought = BroughtKeys(storage.store.credentials, settings)
    await brought.refresh(PROVIDERS)

    async def away() -> tuple[int, int]:
        raise Unavailable("away")

    monkeypatch.setattr(storage.store.credentials, "version", away)
    assert not await brought.refresh(PROVIDERS)
    assert ("acme", "local") in brought.providers


async def test_who_has_a_key_is_locked_out_until_it_is_known(storage: Storage, settings: Settings) -> None:
    """A start without the database knows who has one, and serves them with nobody's; others as ever."""
    await bring(storage, settings)
    brought = BroughtKeys(storage.store.credentials, settings)
    brought.lock([("acme", "local"), ("acme", "gone")], PROVIDERS)
    assert brought.providers == {("acme", "local"): replace(LOCAL, api_key=None, account="acme", is_locked=True)}
    assert await brought.refresh(PROVIDERS)
    assert not brought.providers["acme", "local"].is_locked
