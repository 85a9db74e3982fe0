"""Whatever happens to two workers and their database, a hard budget is never exceeded, and all of it can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, Budget, Place, span
from farthing.domain.errors import InsufficientQuota, Unavailable
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller
from farthing.money.leases import SURE_S, Purse
from farthing.money.ledger import Ledger, Reservation
from tests.unit.money.lessor import MemoryLessor
from tests.unit.money.samples import MODEL, exchange, needs

CALLER = Caller(tenant="acme", key_id="k1")
START = 1_764_547_200_000_000
LIMIT = 1_000
BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=LIMIT)
_T = TypeVar("_T")


class Worker:
    """A process: what it holds, and the journal that outlives it."""

    def __init__(self, name: str, clock: ManualClock, lessor: MemoryLessor) -> None:
        self.name = name
        self.purse = Purse(
            lessor=lessor,
            worker=name,
            clock=clock,
            spawn=lambda work, name: asyncio.get_running_loop().create_task(work, name=name),
        )
        self.ledger = Ledger(clock, self.purse)
        self.open: list[tuple[Reservation, int, int]] = []
        """Holds with their amount and the moment they began."""
        self.is_certain = True
        """Whether the last commit's end was heard."""
        self.journal: list[Exchange] = []


class Race(RuleBasedStateMachine):
    """Two workers over one database that comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.clock = ManualClock(START)
        self.lessor = self.open_lessor()
        self.names = iter(f"w{number}" for number in range(10_000))
        self.numbers = iter(range(10_000_000))
        self.settled: dict[int, int] = {}
        """Everything ever settled, by the start of its window: the brute truth."""
        self.workers = [self.born(), self.born()]
        self.dead: list[Worker] = []

    def open_lessor(self) -> MemoryLessor:
        """The database's side, with the budget."""
        lessor = MemoryLessor()
        lessor.limits["b1"] = LIMIT
        return lessor

    def close_lessor(self) -> None:
        """It is not asked any more."""

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs to its end, and what it has started."""

        async def whole() -> _T:
            found = await work
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            return found

        return self.loop.run_until_complete(whole())

    def born(self) -> Worker:
        """A new process that knows the budget."""
        worker = Worker(next(self.names), self.clock, self.lessor)
        self.load(worker)
        return worker

    def load(self, worker: Worker) -> None:
        """Hears what was spent."""
        here = Place("b1", span("day", self.clock.now_us()).start_us)
        spent, now = self.lessor.spent[here], self.clock.now_us()
        worker.ledger.load([BUDGET], {"b1": spent}, today={}, at_us=now, is_certain=worker.is_certain)

    async def hold(self, worker: Worker, amount: int) -> str:
        """Holds so much, if it can; how that went."""
        now = self.clock.now_us()
        hold = worker.ledger.open(CALLER)
        try:
            if (grant := hold.raise_to(MODEL, needs(amount))) is not None:
                await grant
        except (InsufficientQuota, Unavailable) as error:
            hold.settle(0)
            return type(error).__name__
        worker.open.append((hold, amount, now))
        return "held"

    @rule(which=st.integers(0, 1), amounts=st.lists(st.integers(1, 400), min_size=1, max_size=4))
    def ask(self, which: int, amounts: list[int]) -> None:
        """Some requests at once."""
        worker = self.workers[which]

        async def all_of_them() -> list[str]:
            return await asyncio.gather(*(self.hold(worker, amount) for amount in amounts))

        self.run(all_of_them())

    @rule(which=st.integers(0, 1), share=st.floats(0, 1))
    def settle(self, which: int, share: float) -> None:
        """A request ends, having cost as much as was held, or less."""
        worker = self.workers[which]
        if not worker.open:
            return
        hold, amount, began = worker.open.pop(0)
        cost = round(amount * share)
        hold.settle(cost)
        start = span("day", began).start_us
        self.settled[start] = self.settled.get(start, 0) + cost
        number = next(self.numbers)
        row = replace(exchange(number), tenant="acme", key_id="k1", cost=cost, created_at_us=began)
        worker.journal.append(row)

    @rule(which=st.integers(0, 1))
    def commit(self, which: int) -> None:
        """The journal reaches the database, or seems not to."""
        worker = self.workers[which]
        batch = worker.journal[:3]
        worker.is_certain = False
        try:
            self.run(self.lessor.write(batch, worker.name, worker.ledger))
        except Unavailable:
            return
        del worker.journal[:3]
        worker.is_certain = True
        worker.ledger.committed(batch)

    @rule(which=st.integers(0, 1))
    def refresh(self, which: int) -> None:
        """Between two batches the worker compares itself with the database."""
        worker = self.workers[which]
        if not self.lessor.is_away:
            self.load(worker)
        with suppress(Unavailable):
            self.run(worker.purse.refresh())

    @rule(which=st.integers(0, 1))
    def tidy(self, which: int) -> None:
        """The worker looks after its leases."""
        self.clock.advance(0.25)
        self.run(self.workers[which].purse.tidy())

    @rule()
    def come_and_go(self) -> None:
        """The database goes away, or comes back."""
        self.lessor.is_away = not self.lessor.is_away

    @precondition(lambda self: not self.lessor.is_away)
    @rule()
    def lose(self) -> None:
        """The next transaction's end is not heard."""
        self.lessor.loses_acknowledgement = True

    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        """A worker dies in the middle of everything; another takes its place."""
        self.dead.append(self.workers[which])
        self.workers[which] = self.born()

    @precondition(lambda self: self.dead and not self.lessor.is_away)
    @rule()
    def inherit(self) -> None:
        """A living worker brings a dead one's journal into the ledger, and ends its leases."""
        dead = self.dead.pop()
        self.lessor.loses_acknowledgement = False
        self.run(self.lessor.write(dead.journal, dead.name, self.workers[0].ledger))
        self.run(self.lessor.drop(dead.name))

    @rule()
    def turn_the_day(self) -> None:
        """Midnight passes."""
        self.clock.set(self.clock.now_us() // DAY_US * DAY_US + DAY_US)

    @invariant()
    def nothing_is_exceeded(self) -> None:
        """What was settled and what the living hold stays within the limit, in each window; so does the database."""
        held: dict[int, int] = {}
        for worker in self.workers:
            for _, amount, began in worker.open:
                start = span("day", began).start_us
                held[start] = held.get(start, 0) + amount
        for start in {*held, *self.settled}:
            assert held.get(start, 0) + self.settled.get(start, 0) <= LIMIT
        for place in {*self.lessor.spent, *(place for place, _ in self.lessor.leases)}:
            assert self.lessor.spent[place] + self.lessor.leased(place) <= LIMIT

    def teardown(self) -> None:
        """When all is quiet, what is left can be spent to the last nano-dollar."""
        self.lessor.is_away = self.lessor.loses_acknowledgement = False
        try:
            self.end_everything()
            here = Place("b1", span("day", self.clock.now_us()).start_us)
            left = LIMIT - self.lessor.spent[here]
            assert self.run(self.hold(self.workers[0], left)) == "held"
            assert self.run(self.hold(self.workers[1], 1)) == "InsufficientQuota"
            assert self.settled.get(here.starts_us, 0) == self.lessor.spent[here]
        finally:
            self.close_lessor()
            self.loop.close()
            asyncio.set_event_loop(None)

    def end_everything(self) -> None:
        """All requests end, all rows are committed, and all that is idle goes back within two minutes."""
        while self.dead:
            self.inherit()
        for which, worker in enumerate(self.workers):
            while worker.open:
                self.settle(which, 1.0)
            while worker.journal:
                self.commit(which)
        for _ in range(2):
            for which in range(2):
                self.refresh(which)
            self.clock.advance(SURE_S)
        self.run(self.grow_quiet())

    async def grow_quiet(self) -> None:
        """Nothing is asked for two minutes."""
        for _ in range(480):
            if not any(self.lessor.leases.values()):
                return
            self.clock.advance(0.25)
            for worker in self.workers:
                await worker.purse.tidy()
        raise AssertionError(f"{self.lessor.leases} for ever")


TestRace = Race.TestCase
TestRace.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
