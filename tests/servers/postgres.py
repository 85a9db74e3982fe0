"""A real PostgreSQL, shared by the test run, with a fresh database for each test that asks."""

from __future__ import annotations

import signal
import subprocess
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.servers.process import Server, ServerFailed, free_port, private_folder, program, unprivileged

USER = "farthing"
PSQL_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    # No need to survive a power cut; a killed server still has every commit, which synchronous_commit guarantees.
    "fsync": "off",
    "full_page_writes": "off",
}


class Postgres(Server):
    """PostgreSQL on a private port; everybody on this machine is trusted as the user `farthing`."""

    stop_signal = signal.SIGINT

    def __init__(self) -> None:
        folder, port = private_folder("postgres"), free_port()
        data = folder / "data"
        settings = {**SETTINGS, "port": str(port), "unix_socket_directories": str(folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [_postgres_program("postgres"), "-D", data, *options]
        super().__init__("PostgreSQL", folder=folder, port=port, command=command)
        initdb: list[str | Path] = [
            _postgres_program("initdb"),
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "-N",
        ]
        done = subprocess.run(unprivileged([*initdb, "--no-locale"]), check=False, capture_output=True, cwd=folder)
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed: {done.stderr.decode(errors='replace')}")

    def url(self, database: str = "postgres") -> str:
        """Where `database` is, as DATABASE_URL has it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> str:
        """As `psql`, in `database`; blocks."""
        return psql(self.url(database), sql)

    def ready(self) -> bool:
        """Whether it takes connections."""
        return accepts_connections(self.port)


def psql(url: str, sql: str) -> str:
    """What one statement answers: rows on lines, columns parted by `|`. Raises `ServerFailed` with its complaint."""
    command: list[str | Path] = [_postgres_program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PSQL_SECONDS)
    if done.returncode != 0:
        raise ServerFailed(done.stderr.strip())
    return done.stdout.strip()


def accepts_connections(port: int) -> bool:
    """Whether something that speaks PostgreSQL's protocol takes connections on `port`."""
    probe: list[str | Path] = [_postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(probe, check=False).returncode == 0


@cache
def _postgres_program(name: str) -> Path:
    """Debian has a folder for each version, of which the newest comes first; what is on the PATH are slow scripts."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    return next((folder / name for folder in versions if (folder / name).exists()), None) or program(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server itself, for tests that stop, kill or freeze it."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """The URL of a new, empty database."""
    postgres.mend()
    name = f"test_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.mend()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
