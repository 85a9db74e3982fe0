"""Moves finished exchanges from the journal into the ledger: rows and sums in one transaction, each row once."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.domain.errors import InvalidRequest
from farthing.domain.exchange import Exchange
from farthing.store.aggregates import Cell, fold, hits
from farthing.store.cache_level import SqlCacheLevel
from farthing.store.engine import Engines
from farthing.store.experiment_results import settle, taking_part
from farthing.store.leases import Lessee
from farthing.store.rows import LAST_MOMENT_US, mended

ABSURD = 2**53
"""Nano-dollars, tokens or microseconds in one batch: 9 million dollars."""


class Ingest:
    """Writes batches; several processes may do so at once."""

    def __init__(self, engines: Engines, answers: SqlCacheLevel) -> None:
        """`answers` that wait to be kept go with the rows, where they can."""
        self._engines = engines
        self._answers = answers
        self._backend = engines.backend

    async def write(self, exchanges: Sequence[Exchange], lessee: Lessee | None = None) -> int:
        """How many of the exchanges are new; one whose id is known changes nothing.

        What the new ones cost is taken off the leases of `lessee` at the same moment.
        All of them are committed on return, or none. Raises `Unavailable`; the same batch may then be tried again.
        """
        # Writers that go through ids in one order wait for one another but never deadlock.
        by_id = {exchange.request_id: exchange for exchange in reversed(exchanges)}
        batch = [by_id[request_id] for request_id in sorted(by_id)]
        if not batch:
            return 0
        cells = fold(batch)
        if _are_absurd(cells):
            batch = [mended(exchange) for exchange in batch]
            cells = fold(batch)
        try:
            return await self._write(batch, cells, lessee)
        except InvalidRequest:
            batch = [mended(exchange) for exchange in batch]
            return await self._write(batch, fold(batch), lessee)
        except BaseException:
            self._backend.forget()
            raise

    async def _write(self, batch: Sequence[Exchange], cells: Sequence[Cell], lessee: Lessee | None) -> int:
        if missing := self._backend.unprepared(batch):
            async with self._engines.writing("writer") as connection:
                await self._backend.prepare(connection, missing)
        async with self._answers.carried() as answers, self._engines.writing("writer") as connection:
            new = await self._backend.insert(connection, batch)
            if answers:
                await self._backend.keep(connection, answers)
            if len(new) < len(batch):
                batch = [exchange for exchange in batch if exchange.request_id in new]
                cells = fold(batch)
            if new:
                await self._backend.add(connection, cells)
                if served := hits(batch):
                    await self._backend.count(connection, served)
                if lessee is not None:
                    await lessee.settle(connection, batch)
                if results := taking_part(batch):
                    await settle(connection, results)
        return len(new)


def _are_absurd(cells: Sequence[Cell]) -> bool:
    """Whether a vendor reported, or our clock showed, what sums and calendars would soon not hold."""
    _, _, buckets, _, _, *counters = zip(*cells, strict=True)
    return (
        min(buckets) < 0
        or max(buckets) > LAST_MOMENT_US
        or any(max(numbers) > ABSURD or min(numbers) < -ABSURD for numbers in counters)
    )
