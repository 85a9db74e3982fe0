"""Virtual keys and budgets: who may ask, and for how much."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from farthing.domain.budget import Budget
from farthing.domain.errors import NotFound
from farthing.domain.keys import Caller, Key
from farthing.store.engine import Engines
from farthing.store.queries.quality import of_tenant
from farthing.store.schema import budgets, keys


class Keys:
    """Keys by digest: the database never sees a secret. Everything raises `Unavailable` while it is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def create(self, key: Key, digest: bytes, *, created_at_us: int) -> None:
        """Adds a key; `digest` is `farthing.domain.secrets.digest` of its secret. `key.caller.key_id` must be set."""
        caller = key.caller
        row = {
            "key_id": caller.key_id,
            "digest": digest,
            "name": key.name,
            "hint": key.hint,
            "tenant": caller.tenant,
            "team": caller.team,
            "user_id": caller.user,
            "allowed_models": None if caller.allowed_models is None else sorted(caller.allowed_models),
            "is_admin": caller.is_admin,
            "role": caller.role,
            "cache": caller.cache,
            "is_blocked": key.is_blocked,
            "created_at": created_at_us,
            "expires_at": key.expires_at_us,
        }
        async with self._engines.writing() as connection:
            await connection.execute(sa.insert(keys), row)

    async def list(self, tenant: str | None = None) -> list[Key]:
        """All keys, the oldest first, blocked ones too."""
        statement = sa.select(keys).where(*of_tenant(keys.c.tenant, tenant)).order_by(keys.c.created_at, keys.c.key_id)
        async with self._engines.reading() as connection:
            return [_key(row) for row in await connection.execute(statement)]

    async def revoke(self, key_id: str, *, tenant: str | None = None) -> None:
        """Blocks a key for good. Raises `NotFound`."""
        statement = sa.update(keys).where(keys.c.key_id == key_id, *of_tenant(keys.c.tenant, tenant))
        async with self._engines.writing() as connection:
            if (await connection.execute(statement.values(is_blocked=True))).rowcount == 0:
                raise NotFound("There is no key with this id.", param="key_id")

    async def load(self) -> dict[bytes, Key]:
        """Every key by digest, for the snapshot."""
        async with self._engines.reading("refresh") as connection:
            return {row.digest: _key(row) for row in await connection.execute(sa.select(keys))}


class Budgets:
    """What may be spent. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def create(self, budget: Budget, *, created_at_us: int) -> None:
        """Adds a budget."""
        row = {
            "budget_id": budget.id,
            "tenant": budget.tenant,
            "scope": budget.scope,
            "subject": budget.subject,
            "period": budget.window,
            "limit_nano": budget.limit,
            "is_hard": budget.is_hard,
            "created_at": created_at_us,
        }
        async with self._engines.writing() as connection:
            await connection.execute(sa.insert(budgets), row)

    async def load(self) -> list[Budget]:
        """Every budget, the oldest first."""
        statement = sa.select(budgets).order_by(budgets.c.created_at, budgets.c.budget_id)
        async with self._engines.reading("refresh") as connection:
            return [
                Budget(
                    id=row.budget_id,
                    tenant=row.tenant,
                    scope=row.scope,
                    subject=row.subject,
                    window=row.period,
                    limit=row.limit_nano,
                    is_hard=row.is_hard,
                )
                for row in await connection.execute(statement)
            ]


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        caller=Caller(
            tenant=row.tenant,
            key_id=row.key_id,
            team=row.team,
            user=row.user_id,
            role=row.role or ("admin" if row.is_admin else "member"),
            allowed_models=None if row.allowed_models is None else frozenset(row.allowed_models),
            cache=row.cache,
        ),
        name=row.name,
        hint=row.hint,
        is_blocked=row.is_blocked,
        expires_at_us=row.expires_at,
    )
