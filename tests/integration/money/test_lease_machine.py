"""The race for a budget once more, over the ledger and the leases that a real SQLite database keeps."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, Budget, Place, Span, Standing
from farthing.domain.exchange import Exchange
from farthing.money.ledger import Ledger
from farthing.store import migrate, open_store
from farthing.store.leases import Lessee
from tests.unit.money.lessor import MemoryLessor
from tests.unit.money.test_lease_machine import BUDGET, START, Race

_folder = TemporaryDirectory(prefix="farthing-race-")


@cache
def _template() -> Path:
    """A database with the budget, made once."""
    path = Path(_folder.name) / "template.db"

    async def made() -> None:
        await migrate(f"sqlite:///{path}")
        store = open_store(f"sqlite:///{path}", clock=ManualClock(START))
        await store.budgets.create(BUDGET, created_at_us=START)
        await store.aclose()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(made())
    loop.close()
    return path


class StoredLessor(MemoryLessor):
    """The store's own leases and rows; what they come to is read past it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__()
        self.store = open_store(f"sqlite:///{path}", clock=ManualClock(START))

    @property
    def spent(self) -> dict[Place, int]:
        """The sum of the rows themselves."""
        days = f"SELECT created_at / {DAY_US} * {DAY_US}, SUM(cost) FROM requests GROUP BY 1"  # noqa: S608 - a constant
        return defaultdict(int, {Place("b1", start): cost for start, cost in self._read(days)})

    @spent.setter
    def spent(self, _: object) -> None:
        """Nobody but the rows says so."""

    @property
    def leases(self) -> dict[tuple[Place, str], int]:
        """Every lease."""
        rows = self._read("SELECT budget_id, starts_at, worker, amount FROM budget_leases")
        return defaultdict(int, {(Place(budget, start), worker): amount for budget, start, worker, amount in rows})

    @leases.setter
    def leases(self, _: object) -> None:
        """Nobody but the database says so."""

    def _read(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(self._path)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    async def grant(
        self,
        worker: str,
        places: Mapping[Place, tuple[Budget, Span]],
        choose: Callable[[Mapping[Place, Standing]], Mapping[Place, int]],
    ) -> None:
        """As the store."""
        self._begin()
        await self.store.leases.grant(worker, places, choose)
        self._end()

    async def give_back(self, worker: str, amounts: Mapping[Place, int]) -> None:
        """As the store."""
        self._begin()
        await self.store.leases.give_back(worker, amounts)
        self._end()

    async def own(self, worker: str, *, renew: bool) -> Mapping[Place, int]:
        """As the store."""
        self._begin()
        return await self.store.leases.own(worker, renew=renew)

    async def drop(self, worker: str) -> None:
        """As the store."""
        self._begin()
        await self.store.leases.drop(worker)

    async def write(self, rows: Iterable[Exchange], worker: str, ledger: Ledger) -> None:
        """As the store."""
        self._begin()
        await self.store.ingest.write(list(rows), Lessee(worker, ledger.charges))
        self._end()


class StoredRace(Race):
    """Two workers over one SQLite file."""

    def open_lessor(self) -> MemoryLessor:
        """A database of its own."""
        self.path = _template().with_name("race.db")
        shutil.copyfile(_template(), self.path)
        self.stored = StoredLessor(self.path)
        return self.stored

    def close_lessor(self) -> None:
        """Nothing of it is left."""
        self.loop.run_until_complete(self.stored.store.aclose())
        for name in (self.path, *self.path.parent.glob("race.db-*")):
            name.unlink()


TestStoredRace = StoredRace.TestCase
TestStoredRace.settings = settings(
    max_examples=5, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
