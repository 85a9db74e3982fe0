"""The real servers whose work is counted: PostgreSQL that keeps statistics of its statements, PgBouncer, Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from benchmarks.accounting import account
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

DATABASE = "scale"


class CountingPostgres(Postgres):
    """PostgreSQL that counts calls, rows and log volume of every kind of statement."""

    def __init__(self) -> None:
        super().__init__()
        for setting in ("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_utility=on"):
            self._command += ["-c", setting]

    @property
    def cpu_seconds(self) -> float:
        """Used so far by the server and its living backends."""
        assert self._process is not None
        return account(self._process.pid).cpu_seconds


class CountingRedis(Redis):
    """Redis that tells what it was asked."""

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO, by name."""
        return dict(line.partition(":")[::2] for line in self.answer(f"INFO {section}").splitlines() if ":" in line)

    def answer(self, line: str) -> str:
        """All lines of a bulk answer."""
        import socket

        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(line.encode() + b"\r\n")
            stream.flush()
            size = int(stream.readline()[1:])
            return stream.read(size).decode()


class Servers(Struct, frozen=True):
    """All three, running."""

    postgres: CountingPostgres
    pgbouncer: PgBouncer
    redis: CountingRedis


@contextmanager
def servers() -> Iterator[Servers]:
    """Started with an empty database called `scale`, and removed afterwards."""
    postgres, redis = CountingPostgres(), CountingRedis()
    pgbouncer = PgBouncer(postgres)
    try:
        for server in (postgres, redis, pgbouncer):
            server.start()
        postgres.execute(f"CREATE DATABASE {DATABASE}")
        postgres.execute("CREATE EXTENSION pg_stat_statements", DATABASE)
        yield Servers(postgres, pgbouncer, redis)
    finally:
        for server in (pgbouncer, redis, postgres):
            server.remove()
