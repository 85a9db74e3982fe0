"""The gateway as users start it: `farthing serve` in a process of its own, on a private port and folder."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import HttpServer, free_port, private_folder

PROBE_SECONDS = 2.0
FOREIGN = ("_API_KEY", "_PROXY")
"""Endings of variables that would let a test reach a real vendor, or a proxy stand in the way."""
OURS = {"PORT", "REDIS_URL", "DATABASE_URL", "HOME", "XDG_DATA_HOME"}
"""Variables that make settings and are set for each gateway anew, beside all that begin with FARTHING_."""


class Gateway(HttpServer):
    """`farthing serve` with the given farthing.toml; its database is a SQLite file in its folder unless told."""

    as_ourselves = True

    def __init__(
        self,
        settings: str,
        *,
        environment: Mapping[str, str] | None = None,
        database: str | None = None,
        redis: str | None = None,
        workers: int = 1,
        runner: tuple[str, ...] = (),
    ) -> None:
        """`environment` adds variables, `database` and `redis` are URLs, `runner` is a command such as taskset."""
        folder, port = private_folder("gateway"), free_port()
        file = folder / "farthing.toml"
        file.write_text(settings, encoding="utf-8")
        serve: list[str | Path] = [
            Path(sys.executable).with_name("farthing"),
            "serve",
            "--port",
            str(port),
            "--config",
            file,
        ]
        super().__init__("Farthing", folder=folder, port=port, command=[*runner, *serve, "--workers", str(workers)])
        self.environment = {
            **_without_settings(os.environ),
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "DATABASE_URL": database or f"sqlite:///{folder / 'farthing.db'}",
            **({"REDIS_URL": redis} if redis else {}),
            **(environment or {}),
        }

    def ready(self) -> bool:
        """Whether it says so itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What is left for a gateway that must know nothing of the machine's own settings and keys."""
    return {
        name: value
        for name, value in environment.items()
        if name not in OURS and not name.startswith("FARTHING_") and not name.upper().endswith(FOREIGN)
    }


StartGateway = Callable[..., Gateway]
"""Takes what `Gateway` takes, and gives it back started."""


@contextmanager
def running(settings: str, **options: Any) -> Iterator[Gateway]:
    """One that serves while the block lasts; `options` as of `Gateway`."""
    gateway = Gateway(settings, **options)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.remove()


@pytest.fixture
def start_gateway() -> Iterator[StartGateway]:
    """Starts gateways that are removed with their folders after the test."""
    with ExitStack() as stack:
        yield lambda settings, **options: stack.enter_context(running(settings, **options))
