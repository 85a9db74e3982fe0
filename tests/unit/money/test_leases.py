"""Workers lease parts of a budget: together they never spend more than it holds, and no money stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, Budget, Place
from farthing.domain.errors import InsufficientQuota, Unavailable
from farthing.domain.keys import Caller
from farthing.money.leases import HEALTHY_S, RENEW_EVERY_S, SURE_S, VALID_S, Purse
from farthing.money.ledger import LATE_US, Ledger, Reservation
from tests.unit.money.lessor import MemoryLessor
from tests.unit.money.samples import MODEL, exchange, needs

CALLER = Caller(tenant="acme", key_id="k1", team="support")
START = 1_764_547_200_000_000
BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=1_000)
TEAM = Budget(id="b2", tenant="acme", scope="team", subject="support", window="day", limit=500)
PLACE = Place("b1", START)


class Worker:
    """A ledger with a purse, and rows that wait to be committed."""

    def __init__(self, name: str, lessor: MemoryLessor, *budgets: Budget) -> None:
        self.clock = ManualClock(START)
        self.lessor = lessor
        self.tasks: list[asyncio.Task[Any]] = []
        self.purse = Purse(lessor=lessor, worker=name, clock=self.clock, spawn=self.spawn)
        self.ledger = Ledger(self.clock, self.purse)
        self.budgets = budgets
        for budget in budgets:
            lessor.limits[budget.id] = budget.limit
        self.load()
        self.number = 0

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task of the test's."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.append(task)
        return task

    def load(self) -> None:
        """Hears what the database says was spent."""
        now = self.clock.now_us()
        spent = {place.budget_id: nano for place, nano in self.lessor.spent.items() if place.starts_us == START}
        self.ledger.load(self.budgets, spent, today={}, at_us=now)

    async def hold(self, amount: int) -> Reservation:
        """Holds so much, waiting where that is needed."""
        hold = self.ledger.open(CALLER)
        try:
            if (grant := hold.raise_to(MODEL, needs(amount))) is not None:
                await grant
        except BaseException:
            hold.settle(0)
            raise
        return hold

    async def spend(self, amount: int, *, held: int | None = None) -> None:
        """Holds, settles and commits."""
        hold = await self.hold(amount if held is None else held)
        hold.settle(amount)
        await self.commit(amount)

    async def commit(self, cost: int) -> None:
        """A row reaches the database."""
        self.number += 1
        row = replace(exchange(self.number), tenant="acme", key_id="k1", team="support", cost=cost)
        rows = [replace(row, created_at_us=START, request_id=f"{self.purse.worker}-{self.number}")]
        await self.lessor.write(rows, self.purse.worker, self.ledger)
        self.ledger.committed(rows)

    def pass_time(self, seconds: float) -> None:
        """Time goes on."""
        self.clock.advance(seconds)


@pytest.fixture
def lessor() -> MemoryLessor:
    """An empty database."""
    return MemoryLessor()


@pytest.fixture
async def workers(lessor: MemoryLessor) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two, with the same budget of a thousand."""
    both = Worker("w1", lessor, BUDGET), Worker("w2", lessor, BUDGET)
    yield both
    for worker in both:
        await asyncio.gather(*worker.tasks)


async def test_two_workers_spend_a_budget_to_the_last_nano_dollar(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Of two hundred requests at once those that fit are held, each worker asking once for all that wait."""
    holding = [worker.hold(10) for worker in workers for _ in range(100)]
    found = await asyncio.gather(*holding, return_exceptions=True)
    held = [hold for hold in found if isinstance(hold, Reservation)]
    assert (len(held), sum(isinstance(hold, InsufficientQuota) for hold in found)) == (100, 100)
    assert (lessor.leased(PLACE), lessor.grants) == (1_000, 2)


async def test_what_is_leased_needs_no_asking(lessor: MemoryLessor, workers: tuple[Worker, Worker]) -> None:
    """What one request left of its hold serves the next."""
    first, _ = workers
    await first.spend(10, held=50)
    hold = first.ledger.open(CALLER)
    assert hold.raise_to(MODEL, needs(40)) is None
    hold.settle(40)
    assert (lessor.grants, lessor.leased(PLACE), lessor.spent[PLACE]) == (1, 40, 10)


async def test_a_refusal_tells_what_all_workers_hold(workers: tuple[Worker, Worker]) -> None:
    """Spent and reserved are everybody's."""
    first, second = workers
    await first.spend(100)
    hold = await first.hold(700)
    with pytest.raises(InsufficientQuota, match=r"\$0\.0000001 of \$0\.000001 are spent, \$0\.0000007 are reserved"):
        await second.hold(300)
    hold.settle(0)


async def test_idle_money_goes_back_to_the_others(lessor: MemoryLessor, workers: tuple[Worker, Worker]) -> None:
    """What nobody has used between two looks."""
    first, second = workers
    (await first.hold(1_000)).settle(0)
    with pytest.raises(InsufficientQuota):
        await second.hold(1)
    for _ in range(2):
        first.pass_time(0.25)
        await first.purse.tidy()
    assert lessor.leased(PLACE) == 0
    (await second.hold(1_000)).settle(0)


async def test_who_spends_much_leases_ahead(lessor: MemoryLessor) -> None:
    """For a minute and a half without the database, but a sixteenth of what is free at most."""
    worker = Worker("w1", lessor, replace(BUDGET, limit=10_000_000))
    for _ in range(40):
        await worker.spend(1_000)
        worker.pass_time(0.25)
        await worker.purse.tidy()
    account = worker.ledger.accounts[PLACE]
    assert 200_000 < account.lease == lessor.leased(PLACE) <= 10_000_000 // 16
    lessor.is_away = True
    for _ in range(200):
        (await worker.hold(1_000)).settle(1_000)
    lessor.is_away = False
    worker.pass_time(0.25)
    assert account.pending == 200_000


async def test_several_budgets_hold_a_request_or_none_does(lessor: MemoryLessor) -> None:
    """The smaller one refuses, and nothing is leased of the larger."""
    worker = Worker("w1", lessor, BUDGET, TEAM)
    with pytest.raises(InsufficientQuota, match="team support"):
        await worker.hold(501)
    await worker.hold(400)
    found = await asyncio.gather(worker.hold(200), worker.hold(100), return_exceptions=True)
    assert [type(each) for each in found] == [InsufficientQuota, Reservation]
    assert (lessor.leased(PLACE), lessor.leased(Place("b2", START))) == (500, 500)
    await asyncio.gather(*worker.tasks)


async def test_others_that_took_the_rest_are_found_out_by_asking(lessor: MemoryLessor) -> None:
    """What this worker does not know, the database does."""
    one, other = Worker("w1", lessor, BUDGET, TEAM), Worker("w2", lessor, BUDGET, TEAM)
    await one.hold(400)
    with pytest.raises(InsufficientQuota, match="team support"):
        await other.hold(200)
    assert lessor.leased(PLACE) == 400
    assert other.ledger.used_up(START) == frozenset()
    await one.commit(400)
    with pytest.raises(InsufficientQuota, match="team support"):
        await other.hold(200)
    assert other.ledger.used_up(START) == {"b2"}
    await asyncio.gather(*one.tasks, *other.tasks)


async def test_while_the_database_is_away_nothing_beyond_the_lease_is_spent(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Who needs more is told to wait, and not that the budget is spent."""
    first, _ = workers
    (await first.hold(50)).settle(0)
    lessor.is_away = True
    (await first.hold(50)).settle(0)
    with pytest.raises(Unavailable) as told:
        await first.hold(51)
    assert (told.value.code, told.value.retry_after) == ("accounting_unavailable", 2)
    assert first.ledger.accounts[PLACE].held == 0
    for _ in range(2):
        await first.purse.tidy()
    lessor.is_away = False
    (await first.hold(1_000)).settle(0)
    assert lessor.leased(PLACE) == 1_000


async def test_a_grant_whose_end_was_not_heard_is_found_again(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Once the database has answered for long enough that nothing of it can be on its way any more."""
    first, _ = workers
    lessor.loses_acknowledgement = True
    with pytest.raises(Unavailable):
        await first.hold(600)
    account = first.ledger.accounts[PLACE]
    await first.purse.refresh()
    assert (account.lease, lessor.leased(PLACE)) == (0, 600)
    first.pass_time(SURE_S)
    await first.purse.refresh()
    assert account.lease == 600


async def test_a_lease_that_was_taken_away_is_not_used(lessor: MemoryLessor, workers: tuple[Worker, Worker]) -> None:
    """The database's figure counts where it is smaller."""
    first, _ = workers
    (await first.hold(600)).settle(0)
    await lessor.drop("w1")
    await first.purse.refresh()
    assert first.ledger.accounts[PLACE].lease == 0


async def test_a_worker_that_cannot_renew_stops_before_others_take_its_lease(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """After nine and a half minutes."""
    first, _ = workers
    (await first.hold(600)).settle(0)
    lessor.is_away = True
    first.pass_time(VALID_S)
    await first.purse.tidy()
    assert first.ledger.accounts[PLACE].lease == 600
    first.pass_time(1)
    await first.purse.tidy()
    assert first.ledger.accounts[PLACE].lease == 0


async def test_a_worker_that_was_stopped_for_long_asks_before_it_uses_what_it_had(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Before it has looked after anything its lease may be gone, and another worker's."""
    first, second = workers
    (await first.hold(600)).settle(0)
    first.pass_time(VALID_S + 31)
    await lessor.drop("w1")
    (await second.hold(1_000)).settle(1_000)
    with pytest.raises(InsufficientQuota):
        await first.hold(1)
    assert first.ledger.accounts[PLACE].lease == 0


async def test_leases_of_the_dead_are_ended_by_those_who_know_the_database_well(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Not right after it came back, when nobody has had time to renew."""
    first, _ = workers
    await first.purse.refresh()
    assert lessor.reaped == []
    first.pass_time(HEALTHY_S)
    await first.purse.refresh()
    await first.purse.refresh()
    assert lessor.reaped == [600.0]
    lessor.is_away = True
    with pytest.raises(Unavailable):
        await first.purse.refresh()
    lessor.is_away = False
    first.pass_time(RENEW_EVERY_S)
    await first.purse.refresh()
    first.pass_time(HEALTHY_S)
    await first.purse.refresh()
    assert lessor.reaped == [600.0, 600.0]


async def test_a_waiting_request_whose_client_left_takes_nothing(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """The others in the same transaction get theirs."""
    first, _ = workers
    leaving, staying = asyncio.ensure_future(first.hold(600)), asyncio.ensure_future(first.hold(700))
    await asyncio.sleep(0)
    leaving.cancel()
    hold = await staying
    assert leaving.cancelled()
    assert (first.ledger.accounts[PLACE].held, lessor.leased(PLACE), first.ledger.open_holds) == (700, 700, 1)
    hold.settle(0)


async def test_an_answer_dearer_than_its_hold_is_booked_and_made_up_for(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """What others hold under the same lease is covered again as far as there is money."""
    first, _ = workers
    other = await first.hold(100)
    await first.spend(150, held=50)
    account = first.ledger.accounts[PLACE]
    assert (account.lease, account.held, lessor.spent[PLACE]) == (0, 100, 150)
    await first.purse.tidy()
    assert (account.lease, lessor.leased(PLACE)) == (100, 100)
    other.settle(0)


async def test_a_budget_that_was_deleted_refuses_nobody(lessor: MemoryLessor, workers: tuple[Worker, Worker]) -> None:
    """Also before this worker has heard of it."""
    first, _ = workers
    del lessor.limits["b1"]
    (await first.hold(10)).settle(10)
    first.budgets = ()
    first.load()
    await first.purse.tidy()
    assert first.ledger.accounts == {}


async def test_a_new_day_has_a_lease_of_its_own(lessor: MemoryLessor, workers: tuple[Worker, Worker]) -> None:
    """A request counts where it began, though it ends later, and the old window is forgotten when all is settled."""
    first, _ = workers
    late = await first.hold(900)
    first.clock.set(START + DAY_US)
    (await first.hold(1_000)).settle(0)
    first.load()
    assert set(first.ledger.accounts) == {PLACE, Place("b1", START + DAY_US)}
    late.settle(900)
    await first.commit(900)
    first.pass_time(LATE_US // 1_000_000)
    first.load()
    assert (lessor.spent[PLACE], set(first.ledger.accounts)) == (900, {Place("b1", START + DAY_US)})


async def test_a_failure_that_nobody_expected_leaves_nobody_waiting(
    lessor: MemoryLessor, workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told to try again, and the next request asks anew."""
    first, _ = workers

    async def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(lessor, "grant", fail)
        with pytest.raises(Unavailable):
            await first.hold(10)
    with pytest.raises(RuntimeError):
        await first.tasks.pop()
    (await first.hold(10)).settle(0)


async def test_a_worker_without_budgets_asks_for_nothing(lessor: MemoryLessor) -> None:
    """The database hears of it now and then only."""
    worker = Worker("w1", lessor)
    await worker.purse.refresh()
    lessor.is_away = True
    await worker.purse.refresh()
    await worker.purse.tidy()


async def test_a_lease_that_is_remembered_by_the_database_alone_goes_back(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """Its grant was not heard of, and its window is over since."""
    first, _ = workers
    yesterday = Place("b1", START - DAY_US)
    lessor.leases[yesterday, "w1"] = 70
    await first.purse.refresh()
    assert lessor.leased(yesterday) == 70
    first.pass_time(SURE_S)
    await first.purse.refresh()
    assert lessor.leased(yesterday) == 0


async def test_what_could_not_be_given_back_is_found_again(
    lessor: MemoryLessor, workers: tuple[Worker, Worker]
) -> None:
    """The database went away just then; nothing is spent of it meanwhile."""
    first, _ = workers
    (await first.hold(50)).settle(0)
    await first.purse.tidy()
    lessor.is_away = True
    await first.purse.tidy()
    account = first.ledger.accounts[PLACE]
    assert (account.lease, lessor.leased(PLACE)) == (0, 50)
    lessor.is_away = False
    for seconds in (0.5, SURE_S):
        first.pass_time(seconds)
        await first.purse.refresh()
    assert account.lease == 50
