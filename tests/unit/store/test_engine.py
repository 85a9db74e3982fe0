"""Connections are bounded, in time as well, and errors are told apart; on SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from farthing.domain.errors import InvalidRequest, Unavailable
from farthing.store import engine as engine_module
from farthing.store.backends.base import PoolLimits
from farthing.store.backends.sqlite import WAL_PAGES, write_ahead
from farthing.store.engine import Engines

SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
HURRIED = PoolLimits(size=1, wait=0.1, connect=0.2, statement=0.2, total=0.3)


@pytest.fixture
async def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engines]:
    """Impatient pools over a file with one table."""
    limits = dict.fromkeys(("writer", "refresh", "requests", "people", "analysis", "migration"), HURRIED)
    monkeypatch.setattr(engine_module, "_limits", lambda *_: limits)
    engines = Engines(f"sqlite:///{tmp_path / 'test.db'}")
    async with engines.writing() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (x INTEGER UNIQUE)")
    yield engines
    await engines.aclose()


async def count(engines: Engines) -> int:
    """Rows of the table."""
    async with engines.reading() as connection:
        return await connection.scalar(sa.text("SELECT count(*) FROM t")) or 0


async def test_a_block_that_fails_leaves_nothing(engines: Engines) -> None:
    """Its error comes out as it is, and its connection goes back."""

    async def fail() -> None:
        async with engines.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(engines) == 0
    assert engines.figures()["people"] == {"size": 1, "open": 1, "in_use": 0}


async def test_a_reader_changes_nothing(engines: Engines) -> None:
    """What is written in a reading transaction is gone at its end."""
    async with engines.reading() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert await count(engines) == 0


async def test_a_wrong_statement_is_not_an_outage(engines: Engines) -> None:
    """Breaking a constraint is a mistake of ours, to be seen as such."""
    with pytest.raises(sa.exc.IntegrityError):
        async with engines.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1), (1)")


async def test_a_schema_that_is_not_there_yet_is_an_outage(engines: Engines) -> None:
    """Before the migration has run, nothing can be served."""
    with pytest.raises(Unavailable):
        async with engines.reading() as connection:
            await connection.exec_driver_sql("SELECT * FROM unmade")


async def test_a_number_too_large_is_the_callers_mistake(engines: Engines) -> None:
    """Said before the database has seen it."""
    with pytest.raises(InvalidRequest) as refused:
        async with engines.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (?)", (2**63,))
    assert refused.value.code == "invalid_parameter"


async def test_errors_do_not_tell_what_was_stored(engines: Engines) -> None:
    """A statement's values may be somebody's prompt: they do not reach a log."""
    with pytest.raises(sa.exc.IntegrityError) as failed:
        async with engines.writing() as connection:
            await connection.execute(sa.text("INSERT INTO t VALUES (:a), (:a)"), {"a": 1234567})
    assert "1234567" not in str(failed.value)


async def test_a_statement_that_takes_too_long_is_ended(engines: Engines) -> None:
    """It is interrupted, and the pool is as before."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        async with engines.reading() as connection:
            await connection.exec_driver_sql(SLOW)
    assert time.monotonic() - started < 1.5
    assert refused.value.retry_after == 2.0
    assert await count(engines) == 0


async def test_whoever_finds_no_free_connection_is_told_soon(engines: Engines) -> None:
    """Not queued for ever."""
    async with engines.reading():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await count(engines)
        assert time.monotonic() - started < 1.0


async def test_pools_do_not_starve_one_another(engines: Engines) -> None:
    """The writer writes while people hold all of theirs."""
    async with engines.reading("people"), engines.reading("refresh"), engines.writing("writer") as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert await count(engines) == 1


async def test_a_second_writer_waits_its_turn_or_is_told(engines: Engines) -> None:
    """The lock is taken at the beginning, and not waited for longer than the pool allows."""
    async with engines.writing("writer"):
        with pytest.raises(Unavailable):
            async with engines.writing("people"):
                pass
    async with engines.writing("people") as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1)")


async def test_a_task_that_is_cancelled_gives_its_connection_back(engines: Engines) -> None:
    """At whatever moment, a hundred times."""

    async def work() -> None:
        async with engines.reading() as connection:
            await connection.exec_driver_sql("SELECT count(*) FROM t")

    for number in range(100):
        task = asyncio.create_task(work())
        await asyncio.sleep(number % 20 * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert engines.figures()["people"]["in_use"] == 0
    assert await count(engines) == 0


async def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    """Nothing is overwritten."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database" * 100)
    engines = Engines(f"sqlite:///{path}")
    with pytest.raises(Unavailable):
        await count(engines)
    await engines.aclose()
    assert path.read_bytes() == b"not a database" * 100


async def test_the_ledgers_own_connection_survives_a_power_cut(tmp_path: Path) -> None:
    """The journal forgets what the ledger has committed: that commit must be on disk, others need not wait for it."""
    engines = Engines(f"sqlite:///{tmp_path / 'test.db'}")
    found = {}
    for pool in ("writer", "people"):
        async with engines.writing(pool) as connection:
            found[pool] = await connection.scalar(sa.text("PRAGMA synchronous"))
            assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
            assert await connection.scalar(sa.text("PRAGMA wal_autocheckpoint")) == WAL_PAGES
    await engines.aclose()
    assert found == {"writer": 2, "people": 1}


async def test_readers_together_share_a_transaction(engines: Engines) -> None:
    """Of one pool, within the block alone; other pools and writers have their own."""
    async with engines.together("refresh"):
        async with engines.reading("refresh") as first:
            pass
        async with engines.reading("refresh") as second, engines.reading() as other:
            assert first is second
            assert other is not second
        assert engines.figures()["refresh"]["in_use"] == 1
    assert engines.figures()["refresh"]["in_use"] == 0
    async with engines.reading("refresh") as later:
        assert later is not first


async def test_a_reader_who_fails_does_not_fail_the_next(engines: Engines) -> None:
    """It hears of its own error, and the next one begins another transaction."""
    async with engines.together("refresh"):
        with pytest.raises(Unavailable):
            async with engines.reading("refresh") as first:
                await first.exec_driver_sql("SELECT * FROM nothing")
        with pytest.raises(LookupError):
            async with engines.reading("refresh"):
                raise LookupError
        async with engines.reading("refresh") as next_one:
            assert next_one is not first
            assert (await next_one.exec_driver_sql("SELECT 1")).scalar() == 1
    assert engines.figures()["refresh"]["in_use"] == 0


async def test_a_new_file_that_somebody_else_writes_to_is_waited_for(tmp_path: Path) -> None:
    """Until they have done, or for as long as a connection may take."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engines = Engines(f"sqlite:///{path}")
    opening = asyncio.ensure_future(count_tables(engines))
    await asyncio.sleep(0.05)
    assert not opening.done()
    other.execute("ROLLBACK")
    assert await opening == 0
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    await engines.aclose()


def test_a_file_that_cannot_be_written_to_is_not_waited_for(tmp_path: Path) -> None:
    """No lock stands in the way of its mode."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as made:
        made.execute("CREATE TABLE t (x INTEGER)")
    address = f"file:{tmp_path / 'old.db'}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        write_ahead(reader.cursor())


async def test_a_new_file_that_stays_locked_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as good as away."""
    monkeypatch.setattr(engine_module, "_limits", lambda *_: {"requests": HURRIED})
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        engines = Engines(f"sqlite:///{tmp_path / 'new.db'}")
        with pytest.raises(Unavailable):
            await count_tables(engines)
    await engines.aclose()


async def count_tables(engines: Engines) -> int:
    """Tables of the database."""
    async with engines.reading("requests") as connection:
        return await connection.scalar(sa.text("SELECT count(*) FROM sqlite_master")) or 0
