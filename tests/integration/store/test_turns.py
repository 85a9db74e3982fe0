"""Writers of one process over SQLite come one after another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from farthing.domain.errors import Unavailable
from farthing.store.engine import Engines


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    """Over an empty file."""
    return Engines(f"sqlite:///{tmp_path / 'farthing.db'}")


async def test_whoever_came_first_writes_first(engines: Engines) -> None:
    """The file itself lets in whoever asks when it is free, and some never were."""
    wrote: list[int] = []

    async def write(number: int) -> None:
        async with engines.writing() as connection:
            await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS turns (number INTEGER)"))
            wrote.append(number)

    async with engines.writing("writer"):
        writers = []
        for number in range(20):
            writers.append(asyncio.ensure_future(write(number)))
            await asyncio.sleep(0)
    await asyncio.gather(*writers)
    assert wrote == list(range(20))
    await engines.aclose()


async def test_a_turn_that_does_not_come_is_told_in_time(engines: Engines) -> None:
    """And takes nobody else's away."""
    async with engines.writing("writer"):
        with pytest.raises(Unavailable):
            async with engines.writing("refresh"):
                pass
    async with engines.writing("refresh"):
        pass
    await engines.aclose()
