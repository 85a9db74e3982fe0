"""A real PgBouncer in transaction mode before the test run's PostgreSQL."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest

from tests.servers.postgres import USER, Postgres, accepts_connections, psql
from tests.servers.process import Server, free_port, private_folder, program

POOL_SIZE = 10


class PgBouncer(Server):
    """PgBouncer on a private port; nothing a production set-up would have to allow is allowed here."""

    def __init__(self, postgres: Postgres, *, through: int | None = None) -> None:
        """`through` is the port by which PostgreSQL is reached, if not its own."""
        folder, port = private_folder("pgbouncer"), free_port()
        users, settings = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{USER}" ""\n', encoding="utf-8")
        settings.write_text(
            textwrap.dedent(f"""
            [databases]
            * = host=127.0.0.1 port={through or postgres.port} user={USER}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir = {folder}
            auth_type = trust
            auth_file = {users}
            admin_users = {USER}
            pool_mode = transaction
            default_pool_size = {POOL_SIZE}
            max_client_conn = 500
            """),
            encoding="utf-8",
        )
        super().__init__("PgBouncer", folder=folder, port=port, command=[program("pgbouncer"), settings])

    def url(self, database: str) -> str:
        """Where `database` is when reached through the bouncer, as DATABASE_URL has it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def command(self, sql: str) -> str:
        """What the admin console answers, for instance to `PAUSE`, `RESUME`, `SHOW POOLS`."""
        return psql(self.url("pgbouncer"), sql)

    def ready(self) -> bool:
        """Whether it takes connections."""
        return accepts_connections(self.port)


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    """The bouncer itself, for tests that stop, kill, pause or freeze it."""
    server = PgBouncer(postgres)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def pgbouncer_database(pgbouncer: PgBouncer, postgres_database: str) -> str:
    """The URL of a new, empty database, reached through the bouncer."""
    pgbouncer.mend()
    return pgbouncer.url(postgres_database.rsplit("/", 1)[1])
