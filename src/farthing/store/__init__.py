"""The ledger in SQLite or PostgreSQL through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from farthing.domain.secrecy import Secret
from farthing.ports import Clock
from farthing.store.budgets import Budgets
from farthing.store.cache_level import SqlCacheLevel
from farthing.store.credentials import Credentials
from farthing.store.engine import Engines
from farthing.store.experiments import Experiments
from farthing.store.feedback import Feedback
from farthing.store.idempotency import SqlIdempotentAnswers
from farthing.store.ingest import Ingest
from farthing.store.keys import Keys
from farthing.store.learning.comparisons import Comparisons
from farthing.store.learning.lessons import Lessons
from farthing.store.learning.promises import Promises
from farthing.store.learning.runs import Runs
from farthing.store.leases import Leases
from farthing.store.limits import SqlLimits
from farthing.store.migrations import is_current, migrate
from farthing.store.outbox import SqlOutbox
from farthing.store.queries import Queries
from farthing.store.schema import alerts, report_deliveries
from farthing.store.sessions import Sessions
from farthing.store.tenancy import Tenancy
from farthing.store.terms import PlanTerms

if TYPE_CHECKING:
    from farthing.store.proof import Prover
    from farthing.store.repricing import Repricing

__all__ = ["Store", "is_current", "migrate", "open_store"]


class Store:
    """Everything that lives in the database. It connects when first used and outlives outages."""

    def __init__(self, engines: Engines, clock: Clock, secret: Secret[bytes]) -> None:
        self._engines = engines
        self.cache_level = SqlCacheLevel(engines, clock, secret)
        self.ingest = Ingest(engines, self.cache_level)
        self.queries = Queries(engines)
        self.feedback = Feedback(engines, clock, self.cache_level)
        self.keys = Keys(engines)
        self.tenancy = Tenancy(engines)
        self.terms = PlanTerms(engines)
        self.budgets = Budgets(engines)
        self.leases = Leases(engines)
        self.credentials = Credentials(engines)
        self.experiments = Experiments(engines)
        self.lessons = Lessons(engines, clock)
        self.comparisons = Comparisons(engines, clock)
        self.promises = Promises(engines)
        self.runs = Runs(engines, secret)
        self.outbox = SqlOutbox(engines, clock, alerts)
        self.report_outbox = SqlOutbox(engines, clock, report_deliveries)
        self.sessions = Sessions(engines)
        self.limits = SqlLimits(engines, clock)
        self.idempotent = SqlIdempotentAnswers(engines, clock)

    @property
    def repricing(self) -> Repricing:
        """Gives rows without a cost the one that has become known."""
        from farthing.store.repricing import Repricing

        return Repricing(self._engines)

    @property
    def prover(self) -> Prover:
        """Compares sums with the rows that they are of."""
        from farthing.store.proof import Prover

        return Prover(self._engines)

    async def ping(self) -> None:
        """Returns if the database answers. Raises `Unavailable`."""
        async with self._engines.reading() as connection:
            await connection.execute(sa.select(1))

    def together(self) -> AbstractAsyncContextManager[None]:
        """What the gateway follows is read in one transaction within the block."""
        return self._engines.together("refresh")

    def pools(self) -> Mapping[str, Mapping[str, int]]:
        """For each pool of connections its size, and how many are open and in use."""
        return self._engines.figures()

    async def aclose(self) -> None:
        """Writes what is pending and closes every connection."""
        await self.cache_level.flush()
        await self._engines.aclose()


def open_store(url: str, *, clock: Clock, pool_max: int = 10, secret: Secret[bytes] | None = None) -> Store:
    """A store at `sqlite:///path` or `postgresql://…`; connects to nothing yet.

    `pool_max` bounds the connections for dashboards, reports and administration; the gateway itself takes seven more.
    `secret` signs kept answers; without one the URL does, password included.
    Raises ValueError for any other URL.
    """
    return Store(Engines(url, people=pool_max), clock, secret or Secret(url.encode()))
