"""Providers' keys that tenants bring along, sealed: the database never sees what opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from farthing.domain.credentials import Bond, Credential
from farthing.domain.errors import NotFound
from farthing.store.engine import Engines
from farthing.store.queries.quality import of_tenant
from farthing.store.schema import counters
from farthing.store.schema import provider_credentials as table
from farthing.store.tenancy import note_change

BATCH = 100
COUNTER = "credentials"
"""Counts changes, for no clock tells of a key that was replaced on a machine whose clock is behind."""

_VERSION = sa.select(
    sa.select(sa.func.count()).select_from(table).scalar_subquery(),
    sa.select(counters.c.value).where(counters.c.name == COUNTER).scalar_subquery(),
)


class Credentials:
    """One key for each tenant and provider. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def put(self, credential: Credential) -> None:
        """Keeps the key in place of the one that the tenant had for this provider, if any."""
        row = {
            "tenant": credential.bond.tenant,
            "credential_id": credential.bond.credential_id,
            "provider": credential.provider,
            "origin": credential.bond.origin,
            "sealed": credential.sealed,
            "hint": credential.hint,
            "created_at": credential.created_at_us,
        }
        new = self._engines.backend.inserting(table).values(**row)
        latest = {name: new.excluded[name] for name in row}
        async with self._engines.writing() as connection:
            await note_change(self._engines, connection, COUNTER)
            await connection.execute(new.on_conflict_do_update(index_elements=["tenant", "provider"], set_=latest))

    async def delete(self, tenant: str, provider: str) -> None:
        """Forgets the key. Raises `NotFound`."""
        statement = sa.delete(table).where(table.c.tenant == tenant, table.c.provider == provider)
        async with self._engines.writing() as connection:
            await note_change(self._engines, connection, COUNTER)
            if (await connection.execute(statement)).rowcount == 0:
                raise NotFound("This tenant has brought no key for this provider.", param="provider")

    async def list(self, tenant: str | None = None) -> list[Credential]:
        """Those of one tenant or of all, by tenant and provider."""
        statement = sa.select(table).where(*of_tenant(table.c.tenant, tenant))
        async with self._engines.reading("refresh") as connection:
            rows = await connection.execute(statement.order_by(table.c.tenant, table.c.provider))
            return [_credential(row) for row in rows]

    async def version(self) -> tuple[int, int]:
        """Differs whenever a key has come, gone or been replaced: their number, and how often that has happened."""
        async with self._engines.reading("refresh") as connection:
            number, changed = (await connection.execute(_VERSION)).one()
        return number, changed or 0

    async def reseal(self, change: Callable[[Credential], bytes | None]) -> int:
        """Gives each key the seal that `change` makes, where it makes one; how many. A hundred in a transaction.

        A key that was replaced meanwhile stays as it is.
        """
        changed = 0
        every = await self.list()
        for start in range(0, len(every), BATCH):
            fresh = [(each, sealed) for each in every[start : start + BATCH] if (sealed := change(each)) is not None]
            async with self._engines.writing() as connection:
                for each, sealed in fresh:
                    statement = sa.update(table).where(
                        table.c.tenant == each.bond.tenant,
                        table.c.credential_id == each.bond.credential_id,
                        table.c.sealed == each.sealed,
                    )
                    changed += (await connection.execute(statement.values(sealed=sealed))).rowcount
        return changed


def _credential(row: sa.Row[Any]) -> Credential:
    return Credential(
        bond=Bond(row.tenant, row.credential_id, row.origin),
        provider=row.provider,
        sealed=row.sealed,
        hint=row.hint,
        created_at_us=row.created_at,
    )
