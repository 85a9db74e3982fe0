"""A gateway in this process with two tenants alike, and a key of every kind in both."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.domain.keys import Caller, Key, Role
from farthing.domain.permissions import ROLES
from farthing.domain.secrets import digest, hint, mint
from farthing.domain.tenancy import Tenant
from farthing.settings import Settings, load
from farthing.store import Store, open_store
from tests.security.authorization.people import add_person
from tests.servers.asgi import Client, running

TENANTS = ("acme", "other")
HOUR_US = 3_600_000_000


def secret_of(name: str) -> str:
    """The same secret for the same name, in every run."""
    return mint(digest(name))


@pytest.fixture
def settings(migrated_file: Path, tmp_path: Path) -> Settings:
    """A demo's settings, its database in place and with something to seal keys under."""
    variables = {"XDG_DATA_HOME": str(tmp_path), "FARTHING_DEMO": "1", "FARTHING_ENCRYPTION_KEY": "A" * 43 + "="}
    settings = load(None, variables)
    file = Path(settings.database.url.get_secret_value().removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True)
    shutil.copy(migrated_file, file)
    return settings


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """The database, as another process sees it, with everything in it."""
    store = open_store(settings.database.url.get_secret_value(), clock=SystemClock())
    await _fill(store)
    yield store
    await store.aclose()


@pytest.fixture
async def client(settings: Settings, store: Store) -> AsyncIterator[Client]:
    """Asks the gateway without a key; `with_key(secret_of(NAME))` shows one."""
    async with running(settings) as application:
        yield Client(application)


async def add_key(store: Store, name: str, caller: Caller, **fields: int | bool | None) -> None:
    """A key of this name, whose id is its name."""
    key = Key(caller=caller, name=name, hint=hint(secret_of(name)), **fields)  # type: ignore[arg-type]
    await store.keys.create(key, digest(secret_of(name)), created_at_us=SystemClock().now_us())


async def _fill(store: Store) -> None:
    """In each tenant a key of each role, NAME being ROLE@TENANT, in team `blue`, and people and budgets."""
    await add_key(store, "admin", Caller(tenant="house", key_id="admin", role="admin"))
    for tenant in TENANTS:
        for role in ROLES[:-1]:
            await _add_member(store, f"{role}@{tenant}", tenant, role)
        await _add_member(store, f"red@{tenant}", tenant, "member", team="red")
        await add_person(store, f"person@{tenant}", tenant, "blue")
        for scope, subject in (("team", "blue"), ("tenant", tenant)):
            name = f"{scope}-budget@{tenant}"
            budget = Budget(id=name, tenant=tenant, scope=scope, subject=subject, window="day", limit=10**12)  # type: ignore[arg-type]
            await store.budgets.create(budget, created_at_us=1)
    await add_key(store, "expired", Caller(tenant="acme", key_id="expired"), expires_at_us=1)
    await add_key(store, "blocked", Caller(tenant="acme", key_id="blocked"), is_blocked=True)
    await add_key(store, "revoked", Caller(tenant="acme", key_id="revoked"))
    await store.keys.revoke("revoked", revoked_at_us=1)
    await store.tenancy.add_tenant(Tenant(tenant="shut", name="shut", is_blocked=True))
    await add_key(store, "of a blocked tenant", Caller(tenant="shut", key_id="shut"))


async def _add_member(store: Store, name: str, tenant: str, role: Role, team: str = "blue") -> None:
    await add_key(store, name, Caller(tenant=tenant, key_id=name, team=team, role=role))
