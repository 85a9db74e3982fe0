"""The schema comes up, goes back and comes up again on every database, whoever else lives there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.store import is_current, migrate, migrations
from farthing.store.cache_level import SqlCacheLevel
from farthing.store.columns import Identifier
from farthing.store.engine import Engines
from farthing.store.ingest import Ingest
from farthing.store.learning.schema import response_feedback
from farthing.store.migrations import HEAD, VERSION_TABLE
from farthing.store.schema import metadata, requests
from tests.conformance.store.samples import exchange

NO_ID = "00000000-0000-7000-8000-000000000000"
MIGRATE = "import asyncio, sys; from farthing.store import migrate; print(asyncio.run(migrate(sys.argv[1])))"
MIGRATE_AND_DIE = """
import asyncio, os, signal, sys
from farthing.store import migrations
finish = migrations._run
migrations._run = lambda *arguments: (finish(*arguments), os.kill(os.getpid(), signal.SIGKILL))
asyncio.run(migrations.migrate(sys.argv[1]))
"""


@pytest.fixture(params=["sqlite", "postgres", "pgbouncer"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'farthing.db'}"
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


async def inspect(url: str, look: Callable[[sa.Connection], Any]) -> Any:
    """What `look` sees in the database."""
    engines = Engines(url)
    async with engines.writing() as connection:
        found = await connection.run_sync(look)
    await engines.aclose()
    return found


def tables(connection: sa.Connection) -> set[str]:
    """All tables but partitions."""
    return {name for name in sa.inspect(connection).get_table_names() if not name.startswith("requests_y")}


def differences(connection: sa.Connection) -> list[Any]:
    """What Alembic would have to change to make the database what the code believes it to be."""

    def is_ours(thing: Any, name: str | None, kind: str, *_: object) -> bool:
        table = str(name) if kind == "table" else thing.table.name
        return not table.startswith(("requests_y", VERSION_TABLE, "alien"))

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
    return list(compare_metadata(context, metadata))


def ingest(engines: Engines) -> Ingest:
    """What writes the ledger."""
    return Ingest(engines, SqlCacheLevel(engines, ManualClock(), Secret(b"answers")))


async def test_up_down_and_up_again(empty_url: str) -> None:
    """Each way says whether it had something to do, and leaves what the code expects, rows and all."""
    assert not await is_current(empty_url)
    assert await migrate(empty_url)
    assert await is_current(empty_url)
    assert not await migrate(empty_url)
    engines = Engines(empty_url)
    assert await ingest(engines).write([exchange()]) == 1
    await engines.aclose()
    assert await inspect(empty_url, differences) == []
    assert await migrate(empty_url, "base")
    assert await inspect(empty_url, tables) <= {VERSION_TABLE}
    assert not await migrate(empty_url, "base")
    assert not await is_current(empty_url)
    assert await migrate(empty_url)
    assert await inspect(empty_url, differences) == []
    assert await inspect(empty_url, tables) == {*metadata.tables, VERSION_TABLE}


async def test_of_many_that_start_one_migrates(empty_url: str) -> None:
    """Four processes at once: one does the work, and all find it done."""
    command = [sys.executable, "-c", MIGRATE, empty_url]
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)
    ]
    answers = [await process.communicate() for process in processes]
    assert sorted(out.decode().strip() for out, _ in answers) == ["False", "False", "False", "True"], answers
    assert await is_current(empty_url)


async def test_a_migration_that_is_killed_leaves_nothing(empty_url: str) -> None:
    """Whoever comes next starts from the beginning, without anybody's help."""
    command = [sys.executable, "-c", MIGRATE_AND_DIE, empty_url]
    died = await asyncio.create_subprocess_exec(*command)
    assert await died.wait() == -9
    assert await inspect(empty_url, tables) == set()
    assert await migrate(empty_url)
    assert await is_current(empty_url)


async def test_other_peoples_tables_are_left_alone(empty_url: str) -> None:
    """Neither their rows, nor their own record of migrations, up or down."""

    def settle(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE alien (id INTEGER PRIMARY KEY, text VARCHAR)")
        connection.exec_driver_sql("INSERT INTO alien VALUES (1, 'theirs')")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")

    def look(connection: sa.Connection) -> list[Any]:
        statements = ("SELECT id, text FROM alien", "SELECT version_num FROM alembic_version")
        return [tuple(connection.exec_driver_sql(statement).one()) for statement in statements]

    await inspect(empty_url, settle)
    for revision in (HEAD, "base", HEAD):
        assert await migrate(empty_url, revision)
        assert await inspect(empty_url, look) == [(1, "theirs"), ("theirs",)]


async def test_a_later_release_may_have_been_here(empty_url: str) -> None:
    """A schema newer than this code serves it: nothing is migrated, nothing taken back."""
    await migrate(empty_url)

    def advance(connection: sa.Connection) -> None:
        version = sa.table(VERSION_TABLE, sa.column("version_num"))
        connection.execute(sa.update(version).values(version_num="9999"))

    await inspect(empty_url, advance)
    assert await is_current(empty_url)
    assert not await migrate(empty_url)


async def test_later_columns_do_not_disturb_older_code(empty_url: str) -> None:
    """Rows are written and read by name, so a column that a later release added is left to its default."""
    await migrate(empty_url)
    engines = Engines(empty_url)
    async with engines.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE requests ADD COLUMN later INTEGER NOT NULL DEFAULT 7")
    assert await ingest(engines).write([exchange()]) == 1
    async with engines.reading() as connection:
        assert await connection.scalar(sa.text("SELECT later FROM requests")) == 7
    await engines.aclose()


async def test_rows_of_older_code_have_no_audio_from_a_cache(empty_url: str) -> None:
    """Its rows, before and after, say that there is none, and going back counts such tokens as cached, as it does."""
    await migrate(empty_url)
    engines = Engines(empty_url)
    assert await ingest(engines).write([exchange()]) == 1
    await migrate(empty_url, "0005")
    await migrate(empty_url)
    known = [column for column in requests.c if column.name not in {"request_id", "cached_audio_tokens"}]
    names = ["request_id", *(column.name for column in known)]
    again = sa.select(sa.literal(NO_ID, Identifier), *known)
    older = sa.insert(requests).from_select(names, again)
    async with engines.writing() as connection:
        await connection.execute(older)
    async with engines.reading() as connection:
        found = await connection.execute(sa.select(requests.c.cached_tokens, requests.c.cached_audio_tokens))
        assert [tuple(row) for row in found] == [(13, 0), (13, 0)]
    await engines.aclose()


async def test_ratings_of_older_code_are_peoples(empty_url: str) -> None:
    """It names no source, knows people alone, and does not find other opinions when it is gone back to."""
    await migrate(empty_url)
    engines = Engines(empty_url)
    fields = {"created_at": 1, "tenant": "acme", "request_id": NO_ID, "quality": 1.0}
    async with engines.writing() as connection:
        await connection.execute(sa.insert(response_feedback), {**fields, "principal": "ann"})
        await connection.execute(sa.insert(response_feedback), {**fields, "principal": "j", "source": "judge"})
    said = sa.select(response_feedback.c.principal, response_feedback.c.source).order_by(response_feedback.c.principal)
    async with engines.reading() as connection:
        assert [tuple(row) for row in await connection.execute(said)] == [("ann", "explicit"), ("j", "judge")]
    await migrate(empty_url, "0009")
    await migrate(empty_url)
    async with engines.reading() as connection:
        assert [tuple(row) for row in await connection.execute(said)] == [("ann", "explicit")]
    await engines.aclose()


async def test_a_table_in_use_is_waited_for_in_short_turns(postgres_database: str, monkeypatch: Any) -> None:
    """Nobody queues behind a migration for long: it gives way and tries again, at last in vain."""
    await migrate(postgres_database, "0002")
    holder = await asyncpg.connect(postgres_database)
    reader = await asyncpg.connect(postgres_database)
    async with holder.transaction():
        await holder.execute("LOCK TABLE keys IN ACCESS SHARE MODE")
        waiting = asyncio.create_task(migrate(postgres_database))
        longest = 0.0
        for _ in range(30):
            began = asyncio.get_running_loop().time()
            await reader.fetchval("SELECT count(*) FROM keys")
            longest = max(longest, asyncio.get_running_loop().time() - began)
            await asyncio.sleep(0.02)
        assert not waiting.done()
        monkeypatch.setattr(migrations, "_ATTEMPTS", 2)
        with pytest.raises(Unavailable):
            await migrate(postgres_database)
    assert longest < 2
    assert await waiting
    assert await is_current(postgres_database)
    for connection in (holder, reader):
        await connection.close()


async def test_a_database_that_is_away_is_unavailable() -> None:
    """Nobody listens there."""
    for ask in (is_current, migrate):
        with pytest.raises(Unavailable):
            await ask("postgresql://farthing@127.0.0.1:9/farthing")
