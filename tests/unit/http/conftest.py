"""A demo gateway in this process, open or with keys, its database a file of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct

from farthing.background.clock import SystemClock
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest
from farthing.settings import Settings, load
from farthing.store import Store, open_store
from tests.servers.asgi import Client, running


class Secrets(Struct, frozen=True):
    """Keys in the database: two tenants' plain ones, and an admin's."""

    acme: str = "sk-acme"
    other: str = "sk-other"
    admin: str = "sk-admin"
    small_only: str = "sk-small"


SECRETS = Secrets()
CALLERS = {
    SECRETS.acme: Caller(tenant="acme", key_id="key-acme", team="support"),
    SECRETS.other: Caller(tenant="other", key_id="key-other"),
    SECRETS.admin: Caller(tenant="acme", key_id="key-admin", role="admin"),
    SECRETS.small_only: Caller(
        tenant="acme", key_id="key-small", allowed_models=frozenset({"demo/small", "farthing/complexity"})
    ),
}


@pytest.fixture
def settings(migrated_file: Path, tmp_path: Path) -> Settings:
    """A demo's settings, its database in place."""
    settings = load(None, {"XDG_DATA_HOME": str(tmp_path), "FARTHING_DEMO": "1"})
    file = Path(settings.database.url.get_secret_value().removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True)
    shutil.copy(migrated_file, file)
    return settings


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """The database, as another process sees it."""
    store = open_store(settings.database.url.get_secret_value(), clock=SystemClock())
    yield store
    await store.aclose()


@pytest.fixture
async def open_client(settings: Settings) -> AsyncIterator[Client]:
    """Asks a gateway that is open to everybody."""
    async with running(settings) as application:
        yield Client(application)


@pytest.fixture
async def client(settings: Settings, store: Store) -> AsyncIterator[Client]:
    """Asks a gateway that has keys, with none of them; `with_key` shows one."""
    for secret, caller in CALLERS.items():
        key = Key(caller=caller, name=secret, hint="…")
        await store.keys.create(key, digest(secret), created_at_us=1)
    async with running(settings) as application:
        yield Client(application)
