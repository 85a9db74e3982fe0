"""SQLite in WAL mode: one writer, readers that never wait for it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from farthing.domain.exchange import Exchange
from farthing.store.aggregates import Cell
from farthing.store.backends.base import PoolLimits
from farthing.store.backends.upserts import adding, keeping
from farthing.store.rows import COLUMNS, row
from farthing.store.schema import requests, response_cache, value_metrics

TOGETHER = 16
"""Rows in one statement: whoever runs one gives Python's lock away and has to fight for it afterwards."""

WAL_PAGES = 4000
"""Pages of 4 KiB in the log before they go into the file: a leaf of an index of hashes, which changed again and again
meanwhile, goes there once."""

_PRIMARY = 0xFF
"""The bits of an error's code that say which kind it is of."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_DIALECT = sqlite.dialect(paramstyle="qmark")


def _statement(element: sa.sql.expression.UpdateBase) -> str:
    return str(element.compile(dialect=_DIALECT))


_KNOWN = "SELECT request_id FROM requests WHERE request_id IN (SELECT value FROM json_each(?))"
_LEDGER = sa.table(requests.name, *map(sa.column, COLUMNS))
_NULL = math.nan
"""SQLite stores it as NULL, and Python's driver takes ten times as long over a None."""
_FLAGS = tuple(COLUMNS.index(name) for name in ("stream", "estimated"))
_VERDICT = (response_cache.columns.keys().index("invalidated"),)
_REQUEST_ID = COLUMNS.index("request_id")
_BEGIN = "BEGIN IMMEDIATE"


@cache
def _insert(rows: int) -> str:
    new = sa.insert(_LEDGER).values([dict.fromkeys(COLUMNS)] * rows)
    # A row that is known ends the transaction. Whoever only ends the statement has to note what each page was before.
    return _statement(new.prefix_with("OR ROLLBACK"))


@cache
def _keep_new(rows: int) -> str:
    new = sqlite.insert(response_cache).values([dict.fromkeys(response_cache.columns.keys())] * rows)
    # No row fails: as with `_insert`, nothing has to be noted for a way back.
    return _statement(new.prefix_with("OR IGNORE"))


_KEEP = _statement(keeping(sqlite.insert(response_cache)))


def _quick(values: Sequence[Any], flags: Sequence[int]) -> list[Any]:
    """The same in what the driver is quick with: neither None nor, in the places `flags`, bool."""
    quick = [_NULL if value is None else value for value in values]
    for flag in flags:
        quick[flag] = int(quick[flag])
    return quick


@cache
def _add(rows: int) -> str:
    new = sqlite.insert(value_metrics).values([dict.fromkeys(value_metrics.columns.keys())] * rows)
    return _statement(adding(new))


_COUNT = _statement(
    sa.update(response_cache)
    .where(response_cache.c.key == sa.bindparam("its"))
    .values(hits=response_cache.c.hits + sa.bindparam("more"), saved=response_cache.c.saved + sa.bindparam("nano"))
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
            "PRAGMA synchronous = FULL" if limits.is_durable else "PRAGMA synchronous = NORMAL",
            "PRAGMA foreign_keys = ON",
            f"PRAGMA wal_autocheckpoint = {WAL_PAGES}",
        )

        @sa.event.listens_for(engine.sync_engine, "connect")
        def configure(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of the driver
            cursor = connection.cursor()
            write_ahead(cursor)
            for pragma in pragmas:
                cursor.execute(pragma)
            cursor.close()

        return engine

    async def begin(self, connection: AsyncConnection, limits: PoolLimits, *, write: bool) -> None:  # noqa: ARG002
        """A writer takes its lock at once: one that asks for it halfway fails where somebody else was faster."""
        # SQLAlchemy, whose own way is three messages to the thread, has to know that there is something to end.
        await connection.begin()
        await _in_its_thread(connection, sqlite3.Connection.execute, _BEGIN if write else "BEGIN")

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
        """In a transaction that has done nothing yet: should any be known, it is begun anew."""
        return await _in_its_thread(connection, _insert_new, exchanges)

    async def add(self, connection: AsyncConnection, cells: Sequence[Cell]) -> None:
        """A few upserts, each of several cells."""
        await _in_its_thread(connection, _together, _add, cells)

    async def count(self, connection: AsyncConnection, hits: Mapping[str, tuple[int, int]]) -> None:
        """One update for each answer."""
        updates = [(number, saved, key) for key, (number, saved) in hits.items()]
        await _in_its_thread(connection, sqlite3.Connection.executemany, _COUNT, updates)

    async def keep(self, connection: AsyncConnection, answers: Sequence[Sequence[Any]]) -> None:
        """As if none were kept yet, which is so for most; only where some were, one upsert for each."""
        await _in_its_thread(connection, _keep, answers)

    def forget(self) -> None:
        """Nothing is remembered."""


def write_ahead(cursor: Any) -> None:  # noqa: ANN401 - as the connection
    """Puts the file of this connection into WAL mode. Raises `sqlite3.OperationalError`.

    Where somebody else writes to a file that is new, the change of its mode fails at once: a lock waits.
    """
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                raise
            cursor.execute("BEGIN EXCLUSIVE")
            cursor.execute("ROLLBACK")
        else:
            return


async def _in_its_thread(
    connection: AsyncConnection,
    work: Callable[Concatenate[sqlite3.Connection, _P], _T],
    *args: _P.args,
    **kw: _P.kwargs,
) -> _T:
    """Gives the connection's thread everything at once: each message to it costs as much as several rows."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    return await driver._execute(work, driver._conn, *args, **kw)  # type: ignore[no-any-return]  # noqa: SLF001 - nothing public runs more than one statement


def _insert_new(connection: sqlite3.Connection, exchanges: Sequence[Exchange]) -> set[str]:
    """As if none were known, which is so but after a crash; else it all begins anew, and looks first."""
    rows = [_quick(row(exchange), _FLAGS) for exchange in exchanges]
    try:
        _together(connection, _insert, rows)
    except sqlite3.IntegrityError:
        connection.execute(_BEGIN)
        rows = _unknown(connection, rows)
        _together(connection, _insert, rows)
    return {row[_REQUEST_ID] for row in rows}


def _unknown(connection: sqlite3.Connection, rows: Sequence[list[Any]]) -> list[list[Any]]:
    ids = msgspec.json.encode([row[_REQUEST_ID] for row in rows]).decode()
    known = {request_id for (request_id,) in connection.execute(_KNOWN, (ids,))}
    return [row for row in rows if row[_REQUEST_ID] not in known]


def _keep(connection: sqlite3.Connection, answers: Sequence[Sequence[Any]]) -> None:
    rows, before = [_quick(answer, _VERDICT) for answer in answers], connection.total_changes
    _together(connection, _keep_new, rows)
    if connection.total_changes - before < len(rows):
        connection.executemany(_KEEP, rows)


def _together(connection: sqlite3.Connection, statement: Callable[[int], str], rows: Sequence[Sequence[Any]]) -> None:
    """Runs the statement for all rows, several at a time."""
    even = len(rows) - len(rows) % TOGETHER
    full: list[list[Any]] = [[] for _ in range(0, even, TOGETHER)]
    for place in range(even):
        full[place // TOGETHER] += rows[place]
    connection.executemany(statement(TOGETHER), full)
    connection.executemany(statement(1), rows[even:])
