"""An empty, migrated database of each kind, open in the benchmark's own loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from benchmarks.micro.meter import Meter
from farthing.background.clock import SystemClock
from farthing.store import Store, migrate, open_store
from tests.servers.postgres import Postgres

DATABASES = ["sqlite", "postgresql"]


class Database(msgspec.Struct, frozen=True):
    """The store, and the process of its server where it has one."""

    store: Store
    server: int | None


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, meter: Meter) -> Iterator[Database]:
    """One of `DATABASES`."""
    server: int | None = None
    if kind == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('tmp_path') / 'farthing.db'}"
    else:
        url = request.getfixturevalue("postgres_database")
        postgres: Postgres = request.getfixturevalue("postgres")
        server = postgres.pid
    meter.run(migrate(url))
    store = open_store(url, clock=SystemClock())
    yield Database(store, server)
    meter.run(store.aclose())
