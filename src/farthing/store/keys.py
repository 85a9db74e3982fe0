"""Virtual keys: who may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.keys import Caller, Key
from farthing.domain.permissions import EVERYTHING, Reach
from farthing.domain.tenancy import KeyChanges, limits_or_none
from farthing.store.columns import Moment
from farthing.store.engine import Engines
from farthing.store.queries.quality import of_tenant
from farthing.store.schema import keys, teams, tenants
from farthing.store.tenancy import figures, last_change, note_change, note_owner, role_of, team_of, tenant_of, within

PORTION = 2000
"""Keys read at a time."""


class Keys:
    """Keys by digest: the database never sees a secret. Everything raises `Unavailable` while it is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def create(self, key: Key, digest: bytes, *, created_at_us: int, named_once: bool = False) -> None:
        """Adds a key; `digest` is `farthing.domain.secrets.digest` of its secret. `key.caller.key_id` must be set.

        Its tenant and team are added where they are not there. Raises `Conflict` with `named_once` where another key of
        the tenant that is not revoked has the same name.
        """
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
            "created_by": key.created_by,
            "expires_at": key.expires_at_us,
            "max_cost": caller.max_cost,
            **figures(caller),
        }
        async with self._engines.writing() as connection:
            row["changed"] = await note_change(self._engines, connection)
            if named_once:
                await _check_name(connection, caller.tenant, key.name)
            await note_owner(self._engines, connection, (caller.tenant, caller.team), created_at_us)
            await connection.execute(sa.insert(keys), row)

    async def list(self, tenant: str | None = None) -> list[Key]:
        """All keys, the oldest first, blocked ones too."""
        statement = sa.select(keys).where(*of_tenant(keys.c.tenant, tenant)).order_by(keys.c.created_at, keys.c.key_id)
        async with self._engines.reading() as connection:
            return [_listed(row) for row in await connection.execute(statement)]

    async def page(self, reach: Reach, *, limit: int, after: str | None = None) -> Sequence[Key]:
        """At most `limit` keys within reach, by id and so the oldest first, those after `after`."""
        where = [*_within(reach), *([] if after is None else [keys.c.key_id > after])]
        statement = sa.select(keys).where(*where).order_by(keys.c.key_id).limit(limit)
        async with self._engines.reading() as connection:
            return [_listed(row) for row in await connection.execute(statement)]

    async def get(self, key_id: str, reach: Reach) -> Key:
        """One of them. Raises `NotFound`."""
        async with self._engines.reading() as connection:
            return _listed(await _one(connection, key_id, reach))

    async def change(self, key: Key, reach: Reach, *, before: Key | None = None) -> Key:
        """Gives the key of this id this one's name, models, limits, ceiling, end and block, and returns it.

        Raises `NotFound`, `Conflict` where it is revoked, which is for good, where the name is another key's, or where
        it is not any more what it was `before`.
        """
        caller = key.caller
        values = {
            "name": key.name,
            "allowed_models": None if caller.allowed_models is None else sorted(caller.allowed_models),
            "is_blocked": key.is_blocked,
            "expires_at": key.expires_at_us,
            "max_cost": caller.max_cost,
            **figures(caller),
        }
        mine = keys.c.key_id == caller.key_id
        async with self._engines.writing() as connection:
            number = await note_change(self._engines, connection)
            now = await _one(connection, caller.key_id or "", reach)
            if now.revoked_at is not None:
                raise Conflict("This key is revoked, and that is for good. Make a new one.", param="key_id")
            if before is not None and _listed(now) != before:
                raise Conflict("Somebody else has changed this key meanwhile. Look at it again.", param="key_id")
            if now.name != key.name:
                await _check_name(connection, now.tenant, key.name)
            await connection.execute(sa.update(keys).where(mine).values(**values, changed=number))
            return _listed(await _one(connection, caller.key_id or "", reach))

    async def revoke(self, key_id: str, *, revoked_at_us: int, reach: Reach = EVERYTHING) -> None:
        """Blocks a key for good. Raises `NotFound`."""
        first = sa.func.coalesce(keys.c.revoked_at, sa.literal(revoked_at_us, Moment))
        statement = sa.update(keys).where(keys.c.key_id == key_id, *_within(reach))
        async with self._engines.writing() as connection:
            number = await note_change(self._engines, connection)
            changes = {"is_blocked": True, "revoked_at": first, "changed": number}
            if (await connection.execute(statement.values(**changes))).rowcount == 0:
                raise _unknown()

    async def load(self) -> Mapping[bytes, Key]:
        """Every key by digest."""
        changes = await self.changes(None)
        return changes.keys if changes is not None else {}

    async def changes(self, since: int | None) -> KeyChanges | None:
        """What changed after the change of this number, None for everything; None for nothing, which is quick to tell.

        Keys are read in portions, so that the loop is free in between and no statement takes long.
        """
        async with self._engines.reading("refresh") as connection:
            number = await last_change(connection)
            if number == since:
                return None
            found_tenants = [tenant_of(row) for row in await connection.execute(sa.select(tenants))]
            found_teams = [team_of(row) for row in await connection.execute(sa.select(teams))]
        # Numbers go back where a backup was restored.
        has_all = since is None or number < since
        where = [] if has_all else [sa.or_(keys.c.changed > since, keys.c.changed.is_(None))]
        return KeyChanges(
            number=number, keys=await self._read(where), has_all=has_all, tenants=found_tenants, teams=found_teams
        )

    async def census(self) -> tuple[int, int]:
        """How many keys there are, and how many are blocked: what older code changes without counting."""
        blocked = sa.func.sum(sa.case((keys.c.is_blocked, 1), else_=0))
        async with self._engines.reading("refresh") as connection:
            total, shut = (await connection.execute(sa.select(sa.func.count(), blocked).select_from(keys))).one()
            return int(total), int(shut or 0)

    async def _read(self, where: Sequence[sa.ColumnElement[bool]]) -> Mapping[bytes, Key]:
        found: dict[bytes, Key] = {}
        after = ""
        while True:
            statement = sa.select(keys).where(keys.c.key_id > after, *where).order_by(keys.c.key_id).limit(PORTION)
            async with self._engines.reading("refresh") as connection:
                rows = (await connection.execute(statement)).all()
            found.update((row.digest, _key(row)) for row in rows)
            if len(rows) < PORTION:
                return found
            after = rows[-1].key_id


async def _one(connection: AsyncConnection, key_id: str, reach: Reach) -> sa.Row[Any]:
    row = (await connection.execute(sa.select(keys).where(keys.c.key_id == key_id, *_within(reach)))).first()
    if row is None:
        raise _unknown()
    return row


async def _check_name(connection: AsyncConnection, tenant: str, name: str) -> None:
    """Raises `Conflict`. Sees whoever else makes a key: changes are made one after the other."""
    same = (keys.c.tenant == tenant, keys.c.name == name, keys.c.revoked_at.is_(None))
    if (await connection.execute(sa.select(keys.c.key_id).where(*same).limit(1))).first() is not None:
        raise Conflict("Another key of this tenant has this name already.", param="name")


def _unknown() -> NotFound:
    return NotFound("There is no key with this id.", param="key_id")


def _within(reach: Reach) -> list[sa.ColumnElement[bool]]:
    return within(reach, keys.c.tenant, keys.c.team)


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        caller=Caller(
            tenant=row.tenant,
            key_id=row.key_id,
            team=row.team,
            user=row.user_id,
            role=role_of(row.role or ("admin" if row.is_admin else "member")),
            allowed_models=None if row.allowed_models is None else frozenset(row.allowed_models),
            cache=row.cache,
            limits=limits_or_none(row.requests_per_minute, row.tokens_per_minute, row.concurrent_requests),
            max_cost=row.max_cost,
        ),
        name=row.name,
        hint=row.hint,
        is_blocked=row.is_blocked,
        is_revoked=row.revoked_at is not None,
        expires_at_us=row.expires_at,
    )


def _listed(row: sa.Row[Any]) -> Key:
    return replace(_key(row), created_at_us=row.created_at, created_by=row.created_by)
