"""Moves what the journals hold into the database, and waits with it while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange
from farthing.money import folder
from farthing.money.journal import Journal
from farthing.money.reader import Batch
from farthing.money.recovery import Estate
from farthing.ports import Clock, Spawn

logger = logging.getLogger(__name__)

BATCH = 500
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
RETRY_AFTER_S = 2.0
PATIENCE_S = 0.8
"""For which somebody who wants to see the latest rows waits for them."""
SEARCH_EVERY_S = 5.0
"""How often to look for journals whose worker has died."""

Write = Callable[[Sequence[Exchange], str], Awaitable[int]]
"""Commits a worker's exchanges in one transaction, passing over those it knows, and says how many were new."""


class _Source(Protocol):
    @property
    def name(self) -> str: ...

    def drain(self, limit: int) -> Batch | None: ...

    def commit(self, batch: Batch) -> None: ...


class Bookkeeper:
    """Empties this worker's journal and those of dead workers. Nothing leaves a journal before it is committed."""

    def __init__(
        self,
        *,
        journal: Journal,
        root: Path,
        write: Write,
        clock: Clock,
        committed: Callable[[Sequence[Exchange]], None] = lambda _: None,
        bury: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`committed` hears of every batch of this worker's own once it is in the database.

        `bury` hears of every worker whose rows all are and that will bring no more, by its journal's name.
        """
        self._journal = journal
        self._root = root
        self._write = write
        self._clock = clock
        self._committed = committed
        self._bury = bury
        self._lock = asyncio.Lock()
        self._attempt: asyncio.Task[int] | None = None
        """To catch up, which has not begun yet."""
        self._estate: Estate | None = None
        self._recovered = 0
        self._is_certain = True
        self._pause_s = 0.0
        self._resume_at = self._search_at = clock.monotonic()

    async def flush(self) -> int:
        """Commits everything settled by this worker so far; the number of new rows. Raises what `write` raises."""
        async with self._lock:
            return await self._flush()

    async def catch_up(self, spawn: Spawn) -> None:
        """As `flush`, for people: all who ask before it begins share one, and nobody waits long.

        Raises `Unavailable` as soon as it fails, or after `PATIENCE_S`, while it goes on.
        """
        if self._attempt is None:
            self._attempt = spawn(self._try(), "catching up with the journal")
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._attempt)
        except TimeoutError:
            message = "The latest requests are not in the database yet. Try again shortly."
            raise Unavailable(message, retry_after=RETRY_AFTER_S) from None

    async def _try(self) -> int:
        async with self._lock:
            # Whoever asks from now on may have settled more.
            self._attempt = None
            return await self._flush()

    async def _flush(self) -> int:
        self._is_certain = False
        rows = await self._move(self._journal, self._committed)
        self._is_certain = True
        return rows

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[bool]:
        """Nothing of this worker is on its way into the database; whether it is known what of it is there.

        After a commit whose end was not heard it is not, until the batch has come again.
        """
        async with self._lock:
            yield self._is_certain

    async def work(self) -> None:
        """One round, to be called a few times a second: this worker's journal, and now and then those of dead ones.

        While the database is away the rounds in between are skipped, up to 5 s.
        """
        if self._clock.monotonic() < self._resume_at:
            return
        try:
            await self.flush()
            await self._inherit()
        except (Unavailable, OSError) as error:
            self._rest(error)
        else:
            if self._pause_s:
                logger.info("the ledger is being written again")
            self._pause_s = 0.0

    async def stop(self) -> None:
        """Commits what can be committed and closes the journal; the rest is found at the next start."""
        try:
            await self.flush()
            if self._bury is not None:
                await self._bury(self._journal.name)
        except (Unavailable, OSError) as error:
            logger.warning("the last requests stay in the journal until the next start: %s", error)
        if self._estate is not None:
            self._estate.close()
        self._journal.close()

    def _rest(self, error: Exception) -> None:
        if not self._pause_s:
            logger.warning("the ledger cannot be written, the journal keeps its rows: %s", error)
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        self._resume_at = self._clock.monotonic() + self._pause_s

    async def _inherit(self) -> None:
        while estate := self._estate or self._find():
            self._estate = estate
            while not estate.is_done:
                self._recovered += await self._move(estate, lambda _: None)
            if self._bury is not None:
                await self._bury(estate.name)
            estate.close()
            logger.info("recovered %d requests from the journal of a worker that died", self._recovered)
            self._estate, self._recovered = None, 0

    def _find(self) -> Estate | None:
        """The next orphan, None until it is time to look again."""
        now = self._clock.monotonic()
        if now < self._search_at:
            return None
        orphan = next(folder.orphans(self._root), None)
        if orphan is None:
            self._search_at = now + SEARCH_EVERY_S
            return None
        return Estate(orphan)

    async def _move(self, source: _Source, committed: Callable[[Sequence[Exchange]], None]) -> int:
        """Until the source is caught up with."""
        rows, is_behind = 0, True
        while is_behind and (batch := source.drain(BATCH)) is not None:
            # Reading and summing a batch take milliseconds each: requests get their turn in between.
            await asyncio.sleep(0)
            rows += await self._write(batch.exchanges, source.name)
            source.commit(batch)
            committed(batch.exchanges)
            is_behind = len(batch.exchanges) == BATCH
        return rows
