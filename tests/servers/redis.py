"""A real Redis, shared by the test run, emptied for each test that asks."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.servers.process import Server, free_port, private_folder, program

PROBE_SECONDS = 1.0


class Redis(Server):
    """Redis on a private port; it keeps nothing on disk."""

    def __init__(self) -> None:
        folder, port = private_folder("redis"), free_port()
        options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": "no"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        super().__init__("Redis", folder=folder, port=port, command=[program("redis-server"), *arguments])

    @property
    def url(self) -> str:
        """Where it is, as REDIS_URL has it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, line: str) -> str:
        """The first line of what Redis answers to an inline command, such as `FLUSHALL`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PROBE_SECONDS) as connection:
            connection.sendall(line.encode() + b"\r\n")
            with connection.makefile("rb") as answer:
                return answer.readline().decode().strip()

    def ready(self) -> bool:
        """Whether it answers PING."""
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """The server itself, for tests that stop, kill or freeze it."""
    server = Redis()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_database(redis_server: Redis) -> Iterator[str]:
    """The URL of an empty Redis."""
    redis_server.mend()
    redis_server.command("FLUSHALL")
    yield redis_server.url
    redis_server.mend()
