"""Connections to the database: small pools, bounded in number and in time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from farthing.domain.errors import InvalidRequest, Unavailable
from farthing.store.backends import backend_for
from farthing.store.backends.base import Backend, PoolLimits

PoolName = Literal["writer", "refresh", "requests", "people", "analysis", "migration"]

CLOSING_SECONDS = 1.0
RETRY_AFTER_SECONDS = 2.0
REST_SECONDS = 0.5
"""For which nobody asks again once somebody has waited in vain: the others hear at once."""
PROMPT_SECONDS = 0.2
"""A refusal that comes sooner costs nobody patience."""
MARGIN_SECONDS = 0.05
_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)
"""By which, on the loop's clock, a transaction must have begun."""
ALARM = "alarm"
"""Under which a new connection keeps the timer that ends it."""


def _limits(backend: Backend, people: int) -> dict[PoolName, PoolLimits]:
    """The writer's own connections, so that nobody starves it; few for the rest of the gateway; more for people.

    Requests wait for theirs, when they are limited or bear an idempotency key, and so are not patient.
    """
    embedded = backend.name == "sqlite"
    return {
        "writer": PoolLimits(
            size=1 if embedded else 2, wait=5.0, connect=3.0, statement=10.0, total=15.0, is_durable=True
        ),
        "refresh": PoolLimits(size=2, wait=0.5, connect=1.0, statement=1.0, total=2.0),
        "requests": PoolLimits(size=2, wait=0.5, connect=0.8, statement=1.0, total=1.5),
        # A file is never away: whoever waits for a busy one is better served late than not.
        "people": PoolLimits(size=min(people, 4), wait=2.0, connect=3.0, statement=2.0, total=5.0, begin=4.0)
        if embedded
        else PoolLimits(size=people, wait=0.5, connect=0.8, statement=2.0, total=3.0, begin=1.0),
        "analysis": PoolLimits(size=1, wait=30.0, connect=3.0, statement=60.0, total=120.0),
        "migration": PoolLimits(size=1, wait=30.0, connect=30.0, statement=600.0, total=600.0, is_durable=True),
    }


class _Shared:
    """One reading transaction for several readers, begun by the first of them."""

    def __init__(self, pool: PoolName, stack: AsyncExitStack) -> None:
        self.pool = pool
        self.stack = stack
        self.connection: AsyncConnection | None = None


_SHARED: ContextVar[_Shared | None] = ContextVar("shared", default=None)


class Engines:
    """The pools of one database. They connect when first used and mend themselves."""

    def __init__(self, url: str, *, people: int = 10) -> None:
        """`people` is how many connections dashboards and reports may use. Raises ValueError for an unknown URL."""
        self.backend = backend_for(url)
        self._pools = {name: _Pool(self.backend, limits) for name, limits in _limits(self.backend, people).items()}
        # One file has one writer at a time, and lets in whoever happens to ask when it is free: some never were.
        self._turns = asyncio.Lock() if self.backend.name == "sqlite" else None

    @property
    def has_one_writer(self) -> bool:
        """Whether whoever writes is alone in the database meanwhile, and can wait for nobody in a circle."""
        return self._turns is not None

    def reading(self, pool: PoolName = "people") -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads. Raises `Unavailable`, and `InvalidRequest` for a value no column can hold."""
        shared = _SHARED.get()
        if shared is not None and shared.pool == pool:
            return self._shared(shared)
        return self._transaction(self._pools[pool], write=False)

    def writing(self, pool: PoolName = "people") -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at the end of its block. Raises as `reading`.

        Over SQLite those of one process come one after another, in the order in which they were begun.
        """
        return self._transaction(self._pools[pool], write=True)

    @asynccontextmanager
    async def together(self, pool: PoolName) -> AsyncIterator[None]:
        """Whoever reads from this pool within the block, in the same task, shares one transaction.

        To begin and to end one costs more than a short question. What is written meanwhile need not be seen within.
        """
        stack = AsyncExitStack()
        token = _SHARED.set(_Shared(pool, stack))
        try:
            yield
        finally:
            _SHARED.reset(token)
            # They have read what they wanted, or were told that they cannot.
            with suppress(Unavailable):
                await stack.aclose()

    @asynccontextmanager
    async def _shared(self, shared: _Shared) -> AsyncIterator[AsyncConnection]:
        if shared.connection is None:
            begun = self._transaction(self._pools[shared.pool], write=False)
            shared.connection = await shared.stack.enter_async_context(begun)
        try:
            yield shared.connection
        except Exception as error:
            # What failed may have ended the transaction: the next reader begins another.
            shared.connection = None
            with suppress(Unavailable):
                await shared.stack.aclose()
            self._tell(error)
            raise

    def figures(self) -> Mapping[str, Mapping[str, int]]:
        """For each pool its size, and how many connections are open and in use."""
        return {name: pool.figures() for name, pool in self._pools.items()}

    async def aclose(self) -> None:
        """Closes every connection."""
        for pool in self._pools.values():
            await pool.engine.dispose()

    @asynccontextmanager
    async def _transaction(self, pool: _Pool, *, write: bool) -> AsyncIterator[AsyncConnection]:
        watch = _Watch(self.backend)
        try:
            async with self._turn(pool.limits) if write else nullcontext():
                connection = await pool.begin(watch, write=write)
                try:
                    watch.allow(pool.limits.total)
                    yield connection
                    if write:
                        await connection.commit()
                finally:
                    watch.allow(CLOSING_SECONDS)
                    await asyncio.shield(connection.close())
        except Exception as error:
            self._tell(error)
            raise
        finally:
            watch.stop()

    @asynccontextmanager
    async def _turn(self, limits: PoolLimits) -> AsyncIterator[None]:
        """Until the writers who came before have ended. Raises `Unavailable` where that takes too long."""
        if self._turns is None:
            yield
            return
        try:
            async with asyncio.timeout(limits.begin or limits.wait):
                await self._turns.acquire()
        except TimeoutError:
            raise _away() from None
        try:
            yield
        finally:
            self._turns.release()

    def _tell(self, error: Exception) -> None:
        """Raises what callers know instead of the driver's error; returns where there is nothing to say."""
        if self.backend.is_away(error):
            raise _away() from error
        if self.backend.is_indigestible(error):
            message = "A value holds characters or a number that cannot be stored."
            raise InvalidRequest(message, code="invalid_parameter") from error


def _away() -> Unavailable:
    return Unavailable("The database cannot be used right now.", retry_after=RETRY_AFTER_SECONDS)


class _Watch:
    """Drops a connection whose time is up; cancelling its user instead would wait for a silent server's goodbye."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._connection: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self.has_fired = False

    def guard(self, driver_connection: Any, seconds: float) -> None:  # noqa: ANN401 - each driver has its own type
        self._connection = driver_connection
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._fire)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        self.has_fired = True
        self._backend.interrupt(self._connection)


class _Pool:
    """Connections for one purpose."""

    def __init__(self, backend: Backend, limits: PoolLimits) -> None:
        self.limits = limits
        self.engine: AsyncEngine = backend.engine(limits)
        self._backend = backend
        self._rests_until = 0.0
        # Before SQLAlchemy's own listener, which asks a first connection for its version and waits for ever.
        event.listen(self.engine.sync_engine.pool, "connect", self._arm, insert=True)
        event.listen(self.engine.sync_engine.pool, "checkout", self._disarm)

    def figures(self) -> Mapping[str, int]:
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            raise TypeError("the backend's pool is not bounded")
        in_use = pool.checkedout()
        return {"size": pool.size(), "open": pool.checkedin() + in_use, "in_use": in_use}

    async def begin(self, watch: _Watch, *, write: bool) -> AsyncConnection:
        """A connection in a transaction, and proof that it lives, in the time that the limits allow for both."""
        now = asyncio.get_running_loop().time
        began = now()
        if began < self._rests_until:
            raise _away()
        patience = self.limits.begin
        _DEADLINE.set(math.inf if patience is None else began + patience)
        try:
            return await self._begin_anew(watch, write=write)
        except Exception as error:
            # Nobody's turn to come is no sign that the database is away.
            was_in_vain = self._backend.is_away(error) and not isinstance(error, PoolTimeout)
            if patience is not None and was_in_vain and now() - began > PROMPT_SECONDS:
                self._rests_until = now() + REST_SECONDS
            raise

    def _arm(self, connection: AdaptedConnection, record: ConnectionPoolEntry) -> None:
        loop = asyncio.get_running_loop()
        driver = connection.driver_connection
        record.info[ALARM] = loop.call_at(self._due(), self._backend.interrupt, driver)

    def _due(self) -> float:
        """When a connection must have answered: before its user loses patience, for it is dropped more cleanly."""
        return min(asyncio.get_running_loop().time() + self.limits.connect, _DEADLINE.get() - MARGIN_SECONDS)

    def _disarm(self, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        alarm: asyncio.TimerHandle | None = record.info.pop(ALARM, None)
        if alarm is not None:
            alarm.cancel()

    async def _begin_anew(self, watch: _Watch, *, write: bool) -> AsyncConnection:
        try:
            return await self._begin(watch, write=write)
        except DBAPIError as error:
            if watch.has_fired or not error.connection_invalidated:
                raise
            # The server had dropped an idle connection. The pool knows that now and opens a new one.
            return await self._begin(watch, write=write)

    async def _begin(self, watch: _Watch, *, write: bool) -> AsyncConnection:
        # Waiting for one's turn, for a connection and for its first answer add up, and a turn may come in vain.
        async with asyncio.timeout_at(None if _DEADLINE.get() == math.inf else _DEADLINE.get()):
            connection = await self.engine.connect()
        try:
            raw = await connection.get_raw_connection()
            watch.guard(raw.driver_connection, self._due() - asyncio.get_running_loop().time())
            await self._backend.begin(connection, self.limits, write=write)
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        return connection
