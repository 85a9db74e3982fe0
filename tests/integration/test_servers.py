"""The servers that other tests rely on are real, separate for each test, and can be hurt and mended."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import asyncpg
import pytest
from redis.asyncio import Redis as RedisClient
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.process import ServerFailed, program
from tests.servers.redis import Redis

ROOT = Path(__file__).parents[2]
FREEZE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tests.servers.process import Server
class Sleeper(Server):
    as_ourselves = True
    def ready(self):
        return len(self.pids()) == 1
    def pids(self):
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
server = Sleeper("sleeper", folder=Path(sys.argv[1]), port=1, command=["/bin/sh", "-c", "sleep 60 & wait"])
server.start()
server.freeze()
print(server.pid, *server.pids(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def answers(url: str) -> int:
    """What the database at `url` makes of 6 times 7, by a statement with parameters."""
    connection = await asyncpg.connect(url, statement_cache_size=0, timeout=5)
    try:
        return int(await connection.fetchval("SELECT $1::int * $2::int", 6, 7))
    finally:
        await connection.close()


async def pings(url: str) -> bool:
    """Whether Redis answers within 200 ms."""
    async with RedisClient.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2) as client:
        return bool(await client.ping())


async def test_postgres_answers_sql(postgres_database: str) -> None:
    """A test that asks for a database can talk SQL to PostgreSQL 15 or newer."""
    connection = await asyncpg.connect(postgres_database)
    version = int(await connection.fetchval("SHOW server_version_num"))
    await connection.close()
    assert version >= 150_000
    assert await answers(postgres_database) == 42


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_has_a_database_of_its_own(postgres_database: str, round_: int) -> None:
    """What one test creates, the next does not find."""
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("CREATE TABLE t (a int)")
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
    await connection.close()


async def test_pgbouncer_gives_each_transaction_any_server_connection(
    pgbouncer: PgBouncer, pgbouncer_database: str
) -> None:
    """The bouncer pools by transaction: many clients share few connections to PostgreSQL."""
    assert await answers(pgbouncer_database) == 42
    clients = [await asyncpg.connect(pgbouncer_database, statement_cache_size=0) for _ in range(30)]
    pids = [await client.fetchval("SELECT pg_backend_pid()") for client in clients]
    for client in clients:
        await client.close()
    assert len(set(pids)) == 1
    assert "|transaction" in pgbouncer.command("SHOW POOLS")


async def test_redis_keeps_and_forgets(redis_database: str) -> None:
    """Redis answers PING, keeps a value, and starts each test empty."""
    async with RedisClient.from_url(redis_database, decode_responses=True) as client:
        assert await client.ping()
        assert await client.dbsize() == 0
        assert await client.set("k", "v")
        assert await client.get("k") == "v"


async def test_a_frozen_postgres_is_silent_until_thawed(postgres: Postgres, postgres_database: str) -> None:
    """While frozen it answers nobody, not even on open connections; thawed, it goes on with the same statement."""
    connection = await asyncpg.connect(postgres_database)
    postgres.freeze()
    statement = asyncio.create_task(connection.fetchval("SELECT 1"))
    finished, _ = await asyncio.wait({statement}, timeout=0.3)
    assert finished == set()
    postgres.thaw()
    assert await asyncio.wait_for(statement, 5) == 1
    await connection.close()


async def test_a_killed_postgres_comes_back_with_its_data(postgres: Postgres, postgres_database: str) -> None:
    """After a crash the port refuses; after a start what was committed is there."""
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("CREATE TABLE t AS SELECT 7 AS a")
    postgres.kill()
    with pytest.raises(ConnectionRefusedError):
        await answers(postgres_database)
    connection.terminate()
    postgres.start()
    assert postgres.execute("SELECT a FROM t", postgres_database.rsplit("/", 1)[1]) == "7"


async def test_a_stopped_pgbouncer_comes_back(pgbouncer: PgBouncer, pgbouncer_database: str) -> None:
    """Stopped it refuses, started it serves the same database again."""
    pgbouncer.stop()
    assert not pgbouncer.running
    with pytest.raises(ConnectionRefusedError):
        await answers(pgbouncer_database)
    pgbouncer.start()
    assert await answers(pgbouncer_database) == 42


async def test_a_frozen_redis_times_out_and_a_killed_one_refuses(redis_server: Redis, redis_database: str) -> None:
    """Frozen: silence until the client's timeout. Killed: refused. Mended: it answers."""
    redis_server.freeze()
    with pytest.raises(RedisTimeoutError):
        await pings(redis_database)
    redis_server.thaw()
    assert await pings(redis_database)
    redis_server.kill()
    with pytest.raises(RedisConnectionError):
        await pings(redis_database)
    redis_server.mend()
    assert await pings(redis_database)


def test_a_frozen_server_dies_with_whoever_froze_it(tmp_path: Path) -> None:
    """It and its children, which can hear of nothing themselves."""
    command = [sys.executable, "-c", FREEZE_AND_DIE, str(tmp_path)]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    frozen = [Path("/proc") / pid for pid in died.stdout.split()]
    assert len(frozen) == 2
    assert until(lambda: not any(is_alive(process) for process in frozen))


def is_alive(process: Path) -> bool:
    """Whether it still runs or is frozen; what nobody has waited for yet is neither."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(done: Callable[[], bool]) -> bool:
    """Whether it came true within some seconds."""
    end = time.monotonic() + 10
    while not (answer := done()) and time.monotonic() < end:
        time.sleep(0.01)
    return answer


def test_a_server_outlives_the_thread_that_asked_for_it(redis_server: Redis) -> None:
    """Its leash is held by one that lasts as long as the tests."""
    redis_server.kill()
    thread = Thread(target=redis_server.start)
    thread.start()
    thread.join()
    assert redis_server._process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        redis_server._process.wait(0.5)


def test_a_missing_program_is_named_with_what_to_do() -> None:
    """Nobody has to guess why a server did not start."""
    with pytest.raises(ServerFailed, match="no-such-server is not installed: run `make servers`"):
        program("no-such-server")
