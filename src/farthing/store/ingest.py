"""Moves finished exchanges from the journal into the ledger: rows and sums in one transaction, each row once."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.domain.errors import InvalidRequest
from farthing.domain.exchange import Exchange
from farthing.store.aggregates import fold
from farthing.store.cache_level import count_hits
from farthing.store.engine import Engines
from farthing.store.rows import mended


class Ingest:
    """Writes batches; several processes may do so at once."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._backend = engines.backend

    async def write(self, exchanges: Sequence[Exchange]) -> int:
        """How many of the exchanges are new; one whose id is known changes nothing.

        All of them are committed on return, or none. Raises `Unavailable`; the same batch may then be tried again.
        """
        # Writers that go through ids in one order wait for one another but never deadlock.
        by_id = {exchange.request_id: exchange for exchange in reversed(exchanges)}
        batch = [by_id[request_id] for request_id in sorted(by_id)]
        try:
            return await self._write(batch)
        except InvalidRequest:
            return await self._write([mended(exchange) for exchange in batch])
        except BaseException:
            self._backend.forget()
            raise

    async def _write(self, batch: Sequence[Exchange]) -> int:
        if not batch:
            return 0
        if missing := self._backend.unprepared(batch):
            async with self._engines.writing("writer") as connection:
                await self._backend.prepare(connection, missing)
        async with self._engines.writing("writer") as connection:
            new = await self._backend.insert(connection, batch)
            if new:
                added = [exchange for exchange in batch if exchange.request_id in new]
                await self._backend.add(connection, fold(added))
                await count_hits(connection, added)
        return len(new)
