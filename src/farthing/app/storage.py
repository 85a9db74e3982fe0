"""Where things are kept: the database, Redis where there is one, and the cache levels over both."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import Any

from farthing.app.keyfile import KeyFile
from farthing.cache import MemoryLevel, Notice, RedisLevel, RedisLimits, RedisLink, RedisValues, Tiered
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.ports import Clock
from farthing.ports.answers import SharedValues
from farthing.ports.limits import SharedLimits
from farthing.settings import Settings
from farthing.store import is_current, migrate, open_store
from farthing.store.cache_level import SqlCacheLevel

logger = logging.getLogger(__name__)

COUNTING_TIMEOUT_S = 0.2
MEMORY_BYTES = 64 * 1024 * 1024


class Storage:
    """Connects when first used; what is away is done without until it comes back."""

    def __init__(self, settings: Settings, clock: Clock, *, worker: str = "") -> None:
        """`worker` is this process's own name among all of them."""
        self._url = settings.database.url.get_secret_value()
        self._clock = clock
        self._is_prepared = False
        self.is_alone = settings.server.workers == 1 and self._url.startswith("sqlite")
        """Whether no other process can have the database."""
        self._knows_answers = False
        self.secret = shared_secret(settings)
        """What all workers and hosts of one gateway know and nobody else."""
        self.key_file = None if settings.key_file is None else KeyFile(settings.key_file, self.secret, clock)
        """What this host knows of keys; None where the database is on its disk."""
        self.store = open_store(self._url, clock=clock, pool_max=settings.database.pool_max, secret=self.secret)
        notice = Notice()
        self._redis = self._link(settings, clock, notice)
        self.shared: SharedValues | None = RedisValues(self._redis) if self._redis else None
        # Requests have a patience of their own: a busy worker must not take itself for a Redis that is away.
        self._counting = self._link(settings, clock, notice, timeout_s=COUNTING_TIMEOUT_S)
        self.limits: SharedLimits | None = RedisLimits(self._counting) if self._counting else None
        """Where rates are counted; None where this worker is the only one."""
        if self.limits is None and not self.is_alone:
            self.limits = self.store.limits
        memory = MemoryLevel(clock=clock, capacity_bytes=MEMORY_BYTES)
        shared = RedisLevel(self._redis, secret=self.secret, clock=clock, worker=worker) if self._redis else None
        self._signed: tuple[RedisLevel | SqlCacheLevel, ...] = (*((shared,) if shared else ()), self.store.cache_level)
        self.cache = Tiered(memory, self.store.cache_level, shared=shared)

    def corrupt(self) -> Mapping[str, int]:
        """For each shared level of kept answers how many were found that were not ours, or not whole."""
        return {level.name: level.corrupt for level in self._signed}

    @staticmethod
    def _link(settings: Settings, clock: Clock, notice: Notice, **more: float) -> RedisLink | None:
        url, prefix = settings.redis.url, settings.redis.key_prefix
        return RedisLink(url.get_secret_value(), clock=clock, prefix=prefix, notice=notice, **more) if url else None

    async def warm_up(self) -> None:
        """Connects to Redis, where there is one."""
        if self._redis is not None:
            await self._redis.warm_up()

    async def prepare(self) -> None:
        """Brings the schema up to date, once. While the database is away it is logged, and tried again when asked."""
        if self._is_prepared:
            return
        try:
            if not await is_current(self._url):
                await migrate(self._url)
        except Unavailable:
            logger.warning("the database does not answer; requests are served and kept in the journal meanwhile")
        else:
            self._is_prepared = True

    async def learn_answers(self) -> None:
        """Hears of answers that other processes have kept; where there are none, of those of earlier runs."""
        if not (self.is_alone and self._knows_answers):
            self._knows_answers = await self.store.cache_level.learn()

    async def flush_answers(self) -> None:
        """Brings kept answers and their hit counts into the database."""
        await self.store.cache_level.flush()

    async def sweep(self) -> None:
        """Deletes expired answers, and notices told long ago, from the database."""
        try:
            await self.store.cache_level.sweep()
            await self.store.outbox.sweep()
            await self.store.report_outbox.sweep()
            await self.store.idempotent.sweep()
            await self.store.limits.sweep()
            await self.store.sessions.sweep(self._clock.now_us())
        except Unavailable:
            logger.info("expired answers are swept when the database is back")

    async def health(self) -> dict[str, Any]:
        """`ok`, `away` or `off` for the database and Redis."""
        try:
            await self.store.ping()
            database = "ok"
        except Unavailable:
            database = "away"
        if self._redis is None:
            return {"database": database, "redis": "off"}
        return {"database": database, "redis": "ok" if await self._redis.ping() else "away"}

    async def aclose(self) -> None:
        """Closes every connection."""
        if self.key_file is not None:
            self.key_file.release()
        await self.store.aclose()
        for link in (self._redis, self._counting):
            if link is not None:
                await link.aclose()


def shared_secret(settings: Settings) -> Secret[bytes]:
    """Made of the master key, else of the secret that the identity provider knows, else of the way to the database."""
    client = settings.oidc.client_secret if settings.oidc is not None else None
    shared = settings.master_key or client or settings.database.url
    return Secret(hmac.digest(b"farthing answers", shared.get_secret_value().encode(), "sha256"))
