"""PostgreSQL, directly or through PgBouncer in transaction mode.

Behind PgBouncer every transaction may run on another server connection. So nothing is set outside a transaction, no
prepared statement has a name that could meet or miss another's, and locks end with their transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from farthing.domain.budget import DAY_US
from farthing.domain.exchange import Exchange
from farthing.store.aggregates import Cell
from farthing.store.backends.base import PoolLimits
from farthing.store.backends.upserts import adding, keeping
from farthing.store.columns import to_datetime
from farthing.store.rows import COLUMNS, row_with_datetime
from farthing.store.schema import response_cache, value_metrics

PARTITION_LOCK = 0x6661_7274_6832
"""Held while a partition is made."""

_AWAY = frozenset({"08", "28", "3D", "40", "53", "57", "58"})
"""Classes of SQLSTATE that pass: connection, login, no such database, deadlock, resources, operator, system."""
_AWAY_CODES = frozenset({"23514", "25006", "42P01", "55P03"})
"""No partition for the row, standby, not migrated yet, lock not to be had."""
_INDIGESTIBLE = "22"
"""Class of SQLSTATE for data that does not fit its type."""

_STAGE = "CREATE TEMPORARY TABLE farthing_batch (LIKE requests INCLUDING DEFAULTS) ON COMMIT DROP"
_INSERT = "INSERT INTO requests SELECT * FROM farthing_batch ON CONFLICT DO NOTHING RETURNING request_id::text"


def _add_statement() -> sa.sql.expression.UpdateBase:
    columns = list(value_metrics.columns)
    arrays = [sa.bindparam(column.name, type_=postgresql.ARRAY(column.type)) for column in columns]
    cells = sa.func.unnest(*arrays).table_valued(*(sa.column(column.name, column.type) for column in columns))
    cells = cells.render_derived(name="cells")
    return adding(postgresql.insert(value_metrics).from_select([column.name for column in columns], sa.select(cells)))


def _count_statement() -> sa.sql.expression.UpdateBase:
    answers = response_cache.c
    arrays = [
        sa.bindparam(name, type_=postgresql.ARRAY(kind))
        for name, kind in (("its", sa.Text), ("more", sa.BigInteger), ("nano", sa.BigInteger))
    ]
    served = sa.func.unnest(*arrays).table_valued(
        sa.column("its", sa.Text), sa.column("more", sa.BigInteger), sa.column("nano", sa.BigInteger)
    )
    served = served.render_derived(name="served")
    # An update alone locks in the order of its plan, and two of them could wait for one another.
    locked = sa.select(answers.key).where(answers.key.in_(sa.select(served.c.its))).order_by(answers.key)
    held = locked.with_for_update().cte("held")
    return (
        sa.update(response_cache)
        .values(hits=answers.hits + served.c.more, saved=answers.saved + served.c.nano)
        .where(answers.key == served.c.its, answers.key.in_(sa.select(held.c.key)))
    )


_ADD = _add_statement()
_KEEP = keeping(postgresql.insert(response_cache))
_COUNT = _count_statement()


class _Connection(asyncpg.Connection):
    """Closes without waiting for a server that may be silent."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """SQLAlchemy names a timeout where it gives a connection up, and none at the regular end."""
        if timeout is None:
            await super().close(timeout=1.0)
        else:
            self.terminate()


class Postgres:
    """One PostgreSQL database."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        """`url` as libpq takes it, `sslmode` and all."""
        self._url = url
        self._partitions: set[str] = set()

    def engine(self, limits: PoolLimits) -> AsyncEngine:
        """A pool of connections."""
        connect = partial(
            asyncpg.connect,
            self._url,
            timeout=limits.connect,
            connection_class=_Connection,
            statement_cache_size=0,
            # The driver's own spelling differs from the server's, so PgBouncer would set it anew in every transaction.
            server_settings={"client_encoding": "UTF8"},
        )
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            connect_args={"prepared_statement_cache_size": 0, "prepared_statement_name_func": str},
            poolclass=AsyncAdaptedQueuePool,
            pool_size=limits.size,
            max_overflow=0,
            hide_parameters=True,
            pool_timeout=limits.wait,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
        )

    async def begin(self, connection: AsyncConnection, limits: PoolLimits, *, write: bool) -> None:
        """Both settings end with the transaction."""
        await connection.exec_driver_sql(
            "SELECT set_config('statement_timeout', $1, true), set_config('transaction_read_only', $2, true)",
            (str(round(limits.statement * 1000)), "off" if write else "on"),
        )

    def inserting(self, table: sa.Table) -> postgresql.Insert:
        """With the dialect's own upsert."""
        return postgresql.insert(table)

    def interrupt(self, driver_connection: Any) -> None:  # noqa: ANN401
        """Drops the connection."""
        driver_connection.terminate()

    def is_away(self, error: Exception) -> bool:
        """Unreachable, silent, full, shutting down, locked for too long, or not migrated."""
        if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
            return True
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if code := getattr(cause, "sqlstate", None):
            return code[:2] in _AWAY or code in _AWAY_CODES
        if isinstance(cause, ValueError):
            return False
        return isinstance(cause, OSError | TimeoutError | sa.exc.TimeoutError | asyncpg.InterfaceError)

    def is_indigestible(self, error: Exception) -> bool:
        """What the driver cannot encode, or the server not store."""
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        code = getattr(cause, "sqlstate", None) or ""
        return code.startswith(_INDIGESTIBLE) or isinstance(
            cause, UnicodeEncodeError | OverflowError | asyncpg.DataError
        )

    def unprepared(self, exchanges: Sequence[Exchange]) -> Sequence[str]:
        """Months, as `2026-11`, whose partition has not been seen yet."""
        days = {exchange.created_at_us // DAY_US for exchange in exchanges}
        return sorted({to_datetime(day * DAY_US).strftime("%Y-%m") for day in days} - self._partitions)

    async def prepare(self, connection: AsyncConnection, missing: Sequence[str]) -> None:
        """Makes the months' partitions. Attaching a finished table blocks neither readers nor writers."""
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (PARTITION_LOCK,))
        for month in missing:
            first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
            next_month = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
            names = {"partition": f"requests_y{first:%Y}m{first:%m}", "first": str(first), "next": str(next_month)}
            found = await connection.exec_driver_sql("SELECT to_regclass($1)", (names["partition"],))
            if found.scalar() is None:
                for ddl in (_CREATE_PARTITION, _ATTACH_PARTITION):
                    await connection.execute(sa.DDL(ddl, context=names))  # type: ignore[no-untyped-call]
        self._partitions.update(missing)

    async def insert(self, connection: AsyncConnection, exchanges: Sequence[Exchange]) -> set[str]:
        """`COPY` into a table of this transaction, then across, leaving out what is there."""
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 - a connection in use has one
        await driver.execute(_STAGE)
        await driver.copy_records_to_table("farthing_batch", records=map(row_with_datetime, exchanges), columns=COLUMNS)
        return {record[0] for record in await driver.fetch(_INSERT)}

    async def add(self, connection: AsyncConnection, cells: Sequence[Cell]) -> None:
        """All cells in one upsert."""
        names = value_metrics.columns.keys()
        await connection.execute(_ADD, dict(zip(names, map(list, zip(*cells, strict=True)), strict=True)))

    async def count(self, connection: AsyncConnection, hits: Mapping[str, tuple[int, int]]) -> None:
        """All answers in one update, locked in their order first."""
        numbers, saved = zip(*hits.values(), strict=True)
        await connection.execute(_COUNT, {"its": list(hits), "more": list(numbers), "nano": list(saved)})

    async def keep(self, connection: AsyncConnection, answers: Sequence[Sequence[Any]]) -> None:
        """One upsert for each, sent together."""
        names = response_cache.columns.keys()
        await connection.execute(_KEEP, [dict(zip(names, answer, strict=True)) for answer in answers])

    def forget(self) -> None:
        """A partition may have been dropped under us."""
        self._partitions.clear()


_CREATE_PARTITION = "CREATE TABLE %(partition)s (LIKE requests INCLUDING ALL)"
_ATTACH_PARTITION = "ALTER TABLE requests ATTACH PARTITION %(partition)s FOR VALUES FROM ('%(first)s') TO ('%(next)s')"
