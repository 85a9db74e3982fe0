"""An SQLite file with the newest schema, made once for the test run and copied by who needs one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from farthing.store import migrate


def migrated(url: str) -> None:
    """Brings the schema at `url` up to date, beside the loop of the test that asks."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(migrate(url))).result()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the newest schema and nothing in it; only copies of it may be opened."""
    path = tmp_path_factory.mktemp("migrated") / "farthing.db"
    migrated(f"sqlite:///{path}")
    return path
