"""SQLite in WAL mode: one writer, readers that never wait for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from farthing.domain.exchange import Exchange
from farthing.store.aggregates import Cell
from farthing.store.backends.base import PoolLimits
from farthing.store.rows import row
from farthing.store.schema import COUNTERS, requests, value_metrics

_DIALECT = sqlite.dialect(paramstyle="qmark")


def _statement(element: sa.sql.expression.UpdateBase) -> str:
    return str(element.compile(dialect=_DIALECT))


_new_metrics = sqlite.insert(value_metrics)
_KNOWN = "SELECT request_id FROM requests WHERE request_id IN (SELECT value FROM json_each(?))"
_INSERT = _statement(sa.insert(requests))
_ADD = _statement(
    _new_metrics.on_conflict_do_update(
        index_elements=list(value_metrics.primary_key),
        set_={name: value_metrics.c[name] + _new_metrics.excluded[name] for name in COUNTERS},
    )
)


class Sqlite:
    """One database file."""

    name = "sqlite"

    def __init__(self, url: str) -> None:
        """Raises ValueError for a database in memory: every connection would see its own."""
        path = sa.make_url(url).database
        if not path or path == ":memory:":
            raise ValueError("an SQLite database needs a file: sqlite:///path")
        self.path = Path(path)

    def engine(self, limits: PoolLimits) -> AsyncEngine:
        """A pool of threads, each with a connection; the file and its folder are made when missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            sa.URL.create("sqlite+aiosqlite", database=str(self.path)),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=limits.size,
            max_overflow=0,
            hide_parameters=True,
            pool_timeout=limits.wait,
            connect_args={"isolation_level": None, "timeout": limits.connect},
        )
        pragmas = (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL" if limits.is_durable else "PRAGMA synchronous = NORMAL",
            "PRAGMA foreign_keys = ON",
        )

        @sa.event.listens_for(engine.sync_engine, "connect")
        def configure(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of the driver
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(pragma)
            cursor.close()

        return engine

    def opening(self, limits: PoolLimits, *, write: bool) -> tuple[str, tuple[str, ...]]:  # noqa: ARG002
        """A writer takes its lock at once: one that asks for it halfway fails where somebody else was faster."""
        return ("BEGIN IMMEDIATE" if write else "BEGIN"), ()

    def inserting(self, table: sa.Table) -> sqlite.Insert:
        """With the dialect's own upsert."""
        return sqlite.insert(table)

    def interrupt(self, driver_connection: Any) -> None:  # noqa: ANN401
        """Ends the statement that the connection's thread is running."""
        driver_connection._conn.interrupt()  # noqa: SLF001 - the public method is a coroutine, a timer cannot await it

    def is_away(self, error: Exception) -> bool:
        """Locked for too long, interrupted, full, unreadable, or not migrated."""
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        # The subclasses of DatabaseError beside OperationalError blame the statement.
        return isinstance(cause, sqlite3.OperationalError | OSError | sa.exc.TimeoutError) or (
            type(cause) is sqlite3.DatabaseError
        )

    def is_indigestible(self, error: Exception) -> bool:
        """Broken Unicode or an integer over 64 bits."""
        return isinstance(error, UnicodeEncodeError | OverflowError)

    def unprepared(self, exchanges: Sequence[Exchange]) -> Sequence[str]:  # noqa: ARG002
        """One table holds every month."""
        return ()

    async def prepare(self, connection: AsyncConnection, missing: Sequence[str]) -> None:
        """Nothing to make."""

    async def insert(self, connection: AsyncConnection, exchanges: Sequence[Exchange]) -> set[str]:
        """Looks first, then inserts: in between nobody else can write."""
        ids = msgspec.json.encode([exchange.request_id for exchange in exchanges]).decode()
        known = await connection.exec_driver_sql(_KNOWN, (ids,))
        seen = set(known.scalars())
        new = [exchange for exchange in exchanges if exchange.request_id not in seen]
        if new:
            await connection.exec_driver_sql(_INSERT, [tuple(row(exchange)) for exchange in new])
        return {exchange.request_id for exchange in new}

    async def add(self, connection: AsyncConnection, cells: Sequence[Cell]) -> None:
        """One upsert for each cell."""
        await connection.exec_driver_sql(_ADD, list(cells))

    def forget(self) -> None:
        """Nothing is remembered."""
