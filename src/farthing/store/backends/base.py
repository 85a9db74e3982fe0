"""What a database must be able to do for the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from farthing.domain.exchange import Exchange
from farthing.store.aggregates import Cell


class PoolLimits(Struct, frozen=True, kw_only=True):
    """How many connections a purpose gets and how patient it is. Times in seconds."""

    size: int
    wait: float
    """For a free connection of the pool."""
    connect: float
    """For a new connection, and for the first answer of one that was idle."""
    statement: float
    """For one statement, enforced by PostgreSQL itself."""
    total: float
    """For a whole transaction, after which the connection is dropped."""
    begin: float | None = None
    """For all of this together until a transaction has begun, after which its user is told; None for no such bound."""
    is_durable: bool = False
    """Whether a commit must survive a power cut. The journal forgets what the ledger has committed."""


class Backend(Protocol):
    """One kind of database at one address."""

    name: str

    def engine(self, limits: PoolLimits) -> AsyncEngine:
        """A pool that connects when first used. Connections come without a transaction."""

    async def begin(self, connection: AsyncConnection, limits: PoolLimits, *, write: bool) -> None:
        """Begins a transaction, which proves that the connection lives."""

    def inserting(self, table: sa.Table) -> Any:  # noqa: ANN401 - each dialect has its own type
        """An `INSERT` that knows `on_conflict_do_update`."""

    def interrupt(self, driver_connection: Any) -> None:  # noqa: ANN401 - each driver has its own type
        """Makes whatever the connection is waiting for fail now. Does not block."""

    def is_away(self, error: Exception) -> bool:
        """Whether the error says that the database cannot be used now, rather than that the statement is wrong."""

    def is_indigestible(self, error: Exception) -> bool:
        """Whether the error says that a value cannot be stored."""

    def unprepared(self, exchanges: Sequence[Exchange]) -> Sequence[str]:
        """What `prepare` must make before these can be inserted."""

    async def prepare(self, connection: AsyncConnection, missing: Sequence[str]) -> None:
        """Makes room, in a transaction of its own. Several may try at once."""

    async def insert(self, connection: AsyncConnection, exchanges: Sequence[Exchange]) -> set[str]:
        """Adds the rows that are not there yet and returns their ids. The exchanges are sorted and distinct by id."""

    async def add(self, connection: AsyncConnection, cells: Sequence[Cell]) -> None:
        """Adds the counters to what `value_metrics` holds, in the given order."""

    async def count(self, connection: AsyncConnection, hits: Mapping[str, tuple[int, int]]) -> None:
        """Adds hits and savings to kept answers, by their key and in order; what is not kept is passed over."""

    async def keep(self, connection: AsyncConnection, answers: Sequence[Sequence[Any]]) -> None:
        """Writes rows of `response_cache`, in its columns' order, over older ones that were not voted down."""

    def forget(self) -> None:
        """Drops what was believed about the database, after something failed."""
