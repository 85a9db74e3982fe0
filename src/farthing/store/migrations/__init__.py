"""The schema's history: each revision can be applied and taken back, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import Unavailable
from farthing.store.engine import Engines

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0011",
    "0010",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
"""Every revision this release knows, in order."""
HEAD = REVISIONS[-1]

VERSION_TABLE = "farthing_version"
"""Our own name: a database may be shared with others who use Alembic."""

_LOCK = 0x6661_7274_6831
"""Held by the one process that migrates."""
_LOCK_PATIENCE_MS = 50
"""How long a change of a table may queue for it. Whoever asks after it waits as well, requests' rows among them."""
_ATTEMPTS = 180
_REST_S = 0.1, 0.3
"""Between two attempts, in which everybody else gets on."""
_NO_LOCK = "55P03"
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

    Each revision has a transaction of its own: a process killed meanwhile leaves nothing half done, and no table stays
    locked while an index of another is built. An empty database is filled in one, and so is the way back to it. Of
    several processes one migrates and the others wait for it. Where a table is in use for longer, it begins anew a
    little later, for about a minute. Raises `Unavailable`.
    """
    engines, dice = Engines(url), Random()  # noqa: S311 - spreads attempts, guards nothing
    had_to = False
    try:
        left = _ATTEMPTS
        while True:
            try:
                if not await _attempt(engines, revision):
                    return had_to
                had_to, left = True, _ATTEMPTS
                continue
            except Unavailable as error:
                left -= 1
                if not left or not _is_locked(error):
                    raise
            await asyncio.sleep(dice.uniform(*_REST_S))
    finally:
        await engines.aclose()


async def _attempt(engines: Engines, revision: str) -> bool:
    """One step of the way. False where there was none to make."""
    is_shared = engines.backend.name == "postgresql"
    async with engines.writing("migration") as connection:
        if is_shared:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
        current = await _revision(connection)
        if current == revision or (revision == HEAD and _serves(current)) or (current is None and revision == "base"):
            return False
        if is_shared:
            patience = f"{_LOCK_PATIENCE_MS}ms"
            await connection.exec_driver_sql("SELECT set_config('lock_timeout', $1, true)", (patience,))
        await connection.run_sync(_run, current, _step(current, revision))
        return True


def _step(current: str | None, revision: str) -> str:
    """How far one transaction goes."""
    if current is None or revision == "base":
        return revision
    here, there = REVISIONS.index(current), REVISIONS.index(revision)
    return REVISIONS[min(here + 1, there)]


def _is_locked(error: Unavailable) -> bool:
    """Whether a table was in use for longer than we may wait."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) == _NO_LOCK


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
