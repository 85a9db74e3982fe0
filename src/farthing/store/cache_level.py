"""The answer cache's last level: the database, which outlives every process."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from farthing.domain.authentic import payload_of, signed
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.ports import Clock
from farthing.ports.answers import CacheEntry
from farthing.store.deleting import delete_all
from farthing.store.engine import Engines
from farthing.store.rows import storable
from farthing.store.schema import response_cache
from farthing.store.sieve import Sieve

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.25
"""How long a request waits for the database before it counts as away."""
REST_SECONDS = 1.0
"""How long nothing is asked of a database that was away."""
MOST_PENDING = 1000
"""Answers that wait to be written; more are dropped, for they can be bought again."""
BREATH_SECONDS = 0.1
"""From one batch of answers to the next: what arrives meanwhile shares a transaction."""
CARRIED_SECONDS = 0.25
"""As `BREATH_SECONDS`, after a batch that went into the ledger with its rows: more of those are sooner there."""
LESSON = 1_000
"""Keys that are learnt at a time."""
OVERLAP_US = 2_000_000
"""How much later than the newest answer an older one may come into the database and still be noticed."""

_read_entry = msgspec.msgpack.Decoder(CacheEntry).decode
_write_entry = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")


class SqlCacheLevel:
    """Answers signed as in Redis: who can write into a table could put words into a model's mouth with it.

    Implements `farthing.ports.CacheLevel`.
    """

    name = "sql"

    def __init__(self, engines: Engines, clock: Clock, secret: Secret[bytes]) -> None:
        """`secret` signs the entries; all workers must have the same."""
        self._engines = engines
        self._clock = clock
        self._secret = secret
        self.corrupt = 0
        """Rows that were found and were not ours, or not whole."""
        self._foreign: dict[str, bytes] = {}
        """Such rows by key, to be removed."""
        self._pending: dict[str, CacheEntry] = {}
        self._writing = asyncio.Lock()
        self._is_emptying = False
        self._due = -math.inf
        """When the next batch is to be written; while the database is away nobody waits for it."""
        self._rests_until = 0.0
        self._is_away = False
        self._sieve = Sieve()
        self._newest = (0, "")
        """Moment and key up to which every answer is in the sieve."""
        self._knows_all = False

    def lacks(self, key: str) -> bool:
        """Whether surely no process has kept an answer under this key; never before `learn` has read them all."""
        return self._knows_all and self._sieve.lacks(key)

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down; None too where the database does not answer in time."""
        if self.lacks(key):
            return None
        now = self._clock.now_us()
        answers = response_cache.c
        alive = (answers.key == key, answers.expires_at > now, answers.invalidated.is_(False))

        async def read() -> bytes | None:
            async with asyncio.timeout(PATIENCE_SECONDS), self._engines.reading("refresh") as connection:
                return await connection.scalar(sa.select(answers.entry).where(*alive))

        raw = await self._ask(read)
        if raw is None:
            return None
        entry = self._read(key, raw)
        if entry is None:
            self._note_foreign(key, raw)
            return None
        # The column lies outside of what is signed.
        return entry if entry.expires_at_us > now else None

    def _read(self, key: str, raw: bytes) -> CacheEntry | None:
        payload = payload_of(self._secret, key, raw)
        try:
            return _read_entry(payload) if payload is not None else None
        except msgspec.MsgspecError:
            return None

    def _note_foreign(self, key: str, raw: bytes) -> None:
        if not self.corrupt:
            logger.warning("The database holds an answer that is not ours or not whole; each such answer is removed.")
        self.corrupt += 1
        if len(self._foreign) < MOST_PENDING:
            self._foreign[key] = raw

    async def learn(self) -> bool:
        """Reads which answers were kept, the oldest not yet known first. Until all are known, each `get` asks.

        To be called about every second: from then on an answer that another process kept is found. Each call reads a
        bounded number of keys, so that a flood of them makes us late, not slow. Returns whether all are known.
        """
        rows = await self._ask(self._unknown)
        for row in rows or ():
            self._sieve.add(row.key)
        if rows:
            self._newest = rows[-1].created_at, rows[-1].key
        if rows is not None and len(rows) < LESSON:
            self._knows_all = True
            self._newest = self._newest[0] - OVERLAP_US, ""
        return self._knows_all

    async def _unknown(self) -> Sequence[Any]:
        moment, key = self._newest
        answers = response_cache.c
        later = sa.or_(answers.created_at > moment, answers.key > key)
        newest = sa.select(answers.key, answers.created_at).where(answers.created_at >= moment, later)
        async with self._engines.reading("refresh") as connection:
            found = await connection.execute(newest.order_by(answers.created_at, answers.key).limit(LESSON))
            return found.all()

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry until it expires, unless its key was voted down.

        Returns when it is written, or at once where another `put` is writing: that one goes on until nothing is left.
        """
        await self.put_all([(key, entry)])

    async def put_all(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """As `put` of each."""
        for key, entry in answers:
            self._sieve.add(key)
            if len(self._pending) < MOST_PENDING:
                self._pending[key] = entry
        if self._is_emptying:
            return
        self._is_emptying = True
        try:
            while self._pending:
                due = self._due
                await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
                if self._due == due:
                    await self.flush()
        finally:
            self._is_emptying = False

    async def delete(self, key: str) -> None:
        """Leaves a tombstone: nothing is kept under this key any more."""
        self._pending.pop(key, None)
        tombstone = {column.name: None for column in response_cache.columns} | {
            "key": key,
            **dict.fromkeys(("tenant", "provider", "model", "prompt"), ""),
            **dict.fromkeys(("created_at", "expires_at"), self._clock.now_us()),
            **dict.fromkeys(("hits", "saved", "votes"), 0),
            "invalidated": True,
            "entry": b"",
        }
        new = self._engines.backend.inserting(response_cache)
        buried = {name: new.excluded[name] for name in ("invalidated", "entry")}
        await self._ask(
            partial(self._execute, new.on_conflict_do_update(index_elements=["key"], set_=buried), [tombstone])
        )

    async def flush(self) -> None:
        """Writes what is pending in one batch. To be called every second, and before a vote is looked up."""
        async with self._writing:
            if self._foreign:
                foreign, self._foreign = self._foreign, {}
                await self._ask(partial(self._remove, foreign))
            if self._pending:
                await self._ask(partial(self._keep, self._taken()))

    @asynccontextmanager
    async def carried(self) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        """What is pending, for a transaction that is begun anyway and ends within the block.

        Nothing where another writer could wait for this one in a circle.
        """
        if not self._pending or not self._engines.has_one_writer:
            yield ()
            return
        async with self._writing:
            yield self._taken()
            self._due = self._clock.monotonic() + CARRIED_SECONDS

    def _taken(self) -> Sequence[tuple[Any, ...]]:
        """All that is pending as rows, and no longer pending."""
        batch, self._pending = self._pending, {}
        return [self._row(key, batch[key]) for key in sorted(batch)]

    async def sweep(self) -> int:
        """Deletes what has expired and returns how many answers that were. Raises `Unavailable`."""
        answers = response_cache.c
        expired = (answers.expires_at <= self._clock.now_us(), answers.invalidated.is_(False))
        return await delete_all(self._engines, answers.key, *expired)

    async def _remove(self, foreign: Mapping[str, bytes]) -> None:
        """Deletes rows, unless they were replaced meanwhile."""
        answers = response_cache.c
        # In the order of the keys, as `flush` writes: two workers never wait for each other's rows.
        its = (answers.key == sa.bindparam("its"), answers.entry == sa.bindparam("raw"), answers.invalidated.is_(False))
        rows = [{"its": key, "raw": foreign[key]} for key in sorted(foreign)]
        await self._execute(sa.delete(response_cache).where(*its), rows)

    async def _execute(self, statement: sa.sql.expression.UpdateBase, rows: list[dict[str, Any]]) -> None:
        async with self._engines.writing() as connection:
            await connection.execute(statement, rows)

    async def _keep(self, answers: Sequence[tuple[Any, ...]]) -> None:
        async with self._engines.writing() as connection:
            await self._engines.backend.keep(connection, answers)
        self._due = self._clock.monotonic() + BREATH_SECONDS

    def _row(self, key: str, entry: CacheEntry) -> tuple[Any, ...]:
        """The answer in the order of the columns of `response_cache`."""
        return (
            key,
            entry.tenant,
            entry.provider,
            entry.model,
            entry.strategy,
            entry.tier,
            storable(entry.prompt),
            entry.created_at_us,
            entry.expires_at_us,
            *_UNTRIED,
            signed(self._secret, key, _write_entry(entry)),
        )

    async def _ask(self, work: Callable[[], Awaitable[_T]]) -> _T | None:
        """What the database says, None while it is away: it is then left alone for a moment, and reported once."""
        if self._clock.monotonic() < self._rests_until:
            return None
        try:
            found = await work()
        except (Unavailable, TimeoutError):
            self._rests_until = self._clock.monotonic() + REST_SECONDS
            self._report(is_away=True)
            return None
        self._report(is_away=False)
        return found

    def _report(self, *, is_away: bool) -> None:
        if is_away != self._is_away:
            self._is_away = is_away
            logger.warning("The answers in the database are %s.", "out of reach" if is_away else "back")


_UNTRIED = (0, 0, None, 0, False)
"""Hits, savings, score, votes and verdict of an answer that has just been bought."""
