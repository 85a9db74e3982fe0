"""The schema's history: each revision can be applied and taken back, on both databases."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.store.engine import Engines

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every revision this release knows, in order."""
HEAD = REVISIONS[-1]

VERSION_TABLE = "farthing_version"
"""Our own name: a database may be shared with others who use Alembic."""

_LOCK = 0x6661_7274_6831
"""Held by the one process that migrates."""
_FOLDER = Path(__file__).parent


async def is_current(url: str) -> bool:
    """Whether the schema is the one this release wants, or a later release's. Raises `Unavailable`."""
    engines = Engines(url)
    try:
        async with engines.reading() as connection:
            return _serves(await _revision(connection))
    finally:
        await engines.aclose()


async def migrate(url: str, revision: str = HEAD) -> bool:
    """Brings the schema to a revision, or takes it back to one (`base` is an empty database); whether it had to.

    Everything happens in one transaction, so a process killed meanwhile leaves nothing behind. Of several processes one
    migrates and the others wait for it. Raises `Unavailable`.
    """
    engines = Engines(url)
    try:
        async with engines.writing("migration") as connection:
            if engines.backend.name == "postgresql":
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
            current = await _revision(connection)
            if (
                current == revision
                or (revision == HEAD and _serves(current))
                or (current is None and revision == "base")
            ):
                return False
            await connection.run_sync(_run, current, revision)
            return True
    finally:
        await engines.aclose()


def _serves(revision: str | None) -> bool:
    """A revision that we do not know was made by a later release, which keeps what we need."""
    return revision is not None and (revision == HEAD or revision not in REVISIONS)


async def _revision(connection: AsyncConnection) -> str | None:
    """What the database says it is at, None before the first migration."""
    if not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(VERSION_TABLE)):
        return None
    version = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))
    return (await connection.execute(sa.select(version.c.version_num))).scalar()


def _run(connection: sa.Connection, current: str | None, revision: str) -> None:
    # Alembic takes half a second to import, and most starts have nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    goes_back = current is not None and (revision == "base" or REVISIONS.index(revision) < REVISIONS.index(current))
    (command.downgrade if goes_back else command.upgrade)(config, revision)
