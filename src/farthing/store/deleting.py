"""Deletes what is old, however much it is, without keeping anybody from writing for long."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from farthing.store.engine import Engines

CHUNK = 1_000
"""Rows deleted in one transaction, so that nobody waits long for a lock."""


async def delete_all(engines: Engines, key: sa.Column[Any], *where: sa.ColumnElement[bool]) -> int:
    """Deletes the rows of the table of `key`, which tells them apart, and returns how many. Raises `Unavailable`."""
    some = sa.select(key).where(*where).limit(CHUNK)
    async with engines.reading() as connection:
        # Mostly there is none, and a look keeps nobody from writing.
        if (await connection.execute(some.limit(1))).first() is None:
            return 0
    deleted = 0
    while True:
        async with engines.writing() as connection:
            gone = await connection.execute(sa.delete(key.table).where(key.in_(some)))
        deleted += gone.rowcount
        if gone.rowcount < CHUNK:
            return deleted
