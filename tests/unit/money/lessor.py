"""The database's side of leases in memory: exact, and away or forgetful when told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from farthing.domain.budget import Budget, Place, Span, Standing
from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange
from farthing.money.ledger import Ledger

AWAY = Unavailable("The database is away.")


class MemoryLessor:
    """What was spent and what is leased. Implements `farthing.money.leases.Lessor`."""

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}
        self.spent: dict[Place, int] = defaultdict(int)
        self.leases: dict[tuple[Place, str], int] = defaultdict(int)
        self.rows: set[str] = set()
        self.grants = 0
        self.reaped: list[float] = []
        self.is_away = False
        self.loses_acknowledgement = False
        """Whether the next transaction is carried out, and its end not heard."""

    def leased(self, place: Place) -> int:
        """To all workers together."""
        return sum(amount for (where, _), amount in self.leases.items() if where == place)

    async def grant(
        self,
        worker: str,
        places: Mapping[Place, tuple[Budget, Span]],
        choose: Callable[[Mapping[Place, Standing]], Mapping[Place, int]],
    ) -> None:
        """Adds what is chosen."""
        self._begin()
        self.grants += 1
        standings = {
            place: Standing(limit=self.limits[place.budget_id], spent=self.spent[place], leased=self.leased(place))
            for place in places
            if place.budget_id in self.limits
        }
        for place, amount in choose(standings).items():
            assert 0 < amount <= standings[place].free
            self.leases[place, worker] += amount
        self._end()

    async def give_back(self, worker: str, amounts: Mapping[Place, int]) -> None:
        """Takes off so much."""
        self._begin()
        self._lower(worker, amounts)
        self._end()

    async def own(self, worker: str, *, renew: bool) -> Mapping[Place, int]:
        """The worker's leases."""
        self._begin()
        return {place: amount for (place, whose), amount in self.leases.items() if whose == worker}

    async def drop(self, worker: str) -> None:
        """Ends the worker's leases."""
        self._begin()
        for place, whose in [*self.leases]:
            if whose == worker:
                del self.leases[place, whose]

    async def reap(self, after_s: float) -> int:
        """Notes that it was asked."""
        self._begin()
        self.reaped.append(after_s)
        return 1

    async def write(self, rows: Iterable[Exchange], worker: str, ledger: Ledger) -> None:
        """Commits rows as the store does: what is new is spent, and leaves the lease of the worker."""
        self._begin()
        new = [row for row in rows if row.request_id not in self.rows]
        self.rows |= {row.request_id for row in new}
        charges = ledger.charges(new)
        for place, cost in charges.items():
            self.spent[place] += cost
        self._lower(worker, charges)
        self._end()

    def _lower(self, worker: str, amounts: Mapping[Place, int]) -> None:
        for place, amount in amounts.items():
            self.leases[place, worker] = max(0, self.leases[place, worker] - amount)

    def _begin(self) -> None:
        if self.is_away:
            raise AWAY

    def _end(self) -> None:
        if self.loses_acknowledgement:
            self.loses_acknowledgement = False
            raise AWAY
