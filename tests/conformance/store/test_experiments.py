"""Every result is counted once, the data of an experiment are frozen at its plan, and it ends once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.errors import Conflict, NotFound, Unavailable
from farthing.domain.experiments.definition import Phase
from farthing.ports.experiments import Kept
from farthing.store import Store, experiments, open_store
from farthing.store.schema import experiment_results
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.trials import WINNER, experiment, result, row


@pytest.fixture
async def running(store: Store) -> Store:
    """A store with one experiment."""
    await store.experiments.create(experiment())
    return store


async def patient(act: Callable[[], Awaitable[Any]]) -> Any:
    """Does it again while others keep an SQLite file for themselves."""
    while True:
        try:
            return await act()
        except Unavailable:
            await asyncio.sleep(0.01)


async def kept(store: Store, name: str = "exp-1") -> Kept:
    """How it stands."""
    return await store.experiments.get(None, name)


async def numbers(store: Store) -> list[int]:
    """The numbers of all results that are kept."""
    async with store.experiments._engines.reading() as connection:
        return sorted((await connection.execute(sa.select(experiment_results.c.seq))).scalars())


async def test_an_experiment_reads_back_as_it_was_made(store: Store) -> None:
    """Every field, for its own tenant and for whoever sees all; for another tenant it is not there."""
    made = experiment(hypothesis="½ the cost", early_stop=True, traffic=0.3)
    await store.experiments.create(made)
    assert (await store.experiments.get("acme", "exp-1")).experiment == made
    assert (await kept(store)).experiment == made
    for nobodys in (store.experiments.get("other", "exp-1"), store.experiments.get(None, "exp-2")):
        with pytest.raises(NotFound, match="no such experiment"):
            await nobodys


async def test_the_newest_experiments_come_first(store: Store) -> None:
    """A page, the rest of the list after it, and of one's own tenant alone."""
    for number in range(3):
        await store.experiments.create(experiment(id=f"e{number}", created_us=NOON_US + number // 2))
    await store.experiments.create(experiment(id="theirs", tenant="other"))

    async def page(**wanted: object) -> list[str]:
        return [each.experiment.id for each in await store.experiments.list("acme", **wanted)]  # type: ignore[arg-type]

    assert await page(limit=2) == ["e2", "e1"]
    assert await page(after="e1") == ["e0"]
    assert len(await store.experiments.list(None)) == 4


async def test_a_tenant_has_so_many_running_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are begun at once; others' are not counted, and what has ended makes room."""
    monkeypatch.setattr(experiments, "MOST_RUNNING", 3)
    await store.experiments.create(experiment(id="theirs", tenant="other"))
    begun = [patient(partial(store.experiments.create, experiment(id=f"e{number}"))) for number in range(5)]
    found = await asyncio.gather(*begun, return_exceptions=True)
    refused = [error for error in found if isinstance(error, Conflict)]
    assert (len(refused), {error.code for error in refused}) == (2, {"too_many_experiments"})
    running = await store.experiments.list("acme")
    await store.experiments.stop(None, running[0].experiment.id, at_us=NOON_US)
    await store.experiments.create(experiment(id="another"))
    assert len(await store.experiments.list("acme")) == 4


async def test_rows_of_the_ledger_become_results_in_their_order(running: Store) -> None:
    """In the same transaction: a row that comes again is no second result, nor is one of another tenant."""
    batch = [row(2, "bob", "test"), row(1), row(3, experiment_id="unknown"), row(4, tenant="other")]
    assert await running.ingest.write(batch) == 4
    assert await running.ingest.write([row(1), row(5, None)]) == 1
    tally = (await kept(running)).tally
    assert (tally.n, tally.late, tally.duplicates, tally.dropped) == (3, 0, 0, {})
    async with running.experiments._engines.reading() as connection:
        columns = experiment_results.c
        statement = sa.select(columns.seq, columns.user_id, columns.arm, columns.cost, columns.covariate)
        found = [tuple(each) for each in await connection.execute(statement.order_by(columns.seq))]
    unnamed = "00000000-0000-7000-8000-000000000005"
    assert found == [(1, "ann", "control", 300, 7), (2, "bob", "test", 300, 7), (3, unnamed, "control", 300, 7)]


async def test_what_a_vendor_refused_is_a_failure_of_its_arm(running: Store) -> None:
    """An arm whose model does not take what the others' do is not to look sound for it."""
    await running.ingest.write([row(1, status="error", http_status=400, error_code="unsupported_parameter", cost=0)])
    about, data = await running.experiments.data("acme", "exp-1")
    assert (about.tally.n, about.tally.dropped, [list(each.errors) for each in data.cohorts]) == (1, {}, [[1]])


async def test_what_never_began_is_counted_as_dropped(running: Store) -> None:
    """So is what has no known cost, by arm; an answer repeated under an idempotency key is nothing at all."""
    await running.ingest.write([row(1, status="rejected"), row(2, arm="test", cost=None), row(3, status="error")])
    await running.ingest.write([row(4, status="rejected"), row(5, cache_level="idempotency")])
    tally = (await kept(running)).tally
    assert (tally.n, tally.dropped) == (1, {"control": 2, "test": 1})
    _, data = await running.experiments.data("acme", "exp-1")
    assert [list(cohort.errors) for cohort in data.cohorts] == [[1]]


async def test_a_decision_nobody_can_read_leaves_the_first_phase(running: Store) -> None:
    """A result counts even where what was noted beside it is broken."""
    await running.ingest.write([row(1, decision="{"), row(2, decision=None), row(3, decision={"experiment": 7})])
    _, data = await running.experiments.data("acme", "exp-1")
    assert [(cohort.phase, sum(cohort.requests), sum(cohort.covariate)) for cohort in data.cohorts] == [(0, 3, 0)]


async def test_a_result_from_outside_counts_once(running: Store) -> None:
    """Whether it comes again from there, or was in the ledger already; a value that is none is counted apart."""
    assert await running.experiments.record("acme", "exp-1", result("r1")) == "counted"
    assert await running.experiments.record("acme", "exp-1", result("r1", cost=99)) == "duplicate"
    await running.ingest.write([row(1)])
    assert await running.experiments.record("acme", "exp-1", result(row(1).request_id)) == "duplicate"
    await running.experiments.refuse("acme", "exp-1")
    tally = (await kept(running)).tally
    assert (tally.n, tally.duplicates, tally.invalid, tally.version) == (2, 2, 1, "2-2-1-0-0-0")
    for act in (running.experiments.record("other", "exp-1", result("r2")), running.experiments.refuse("x", "exp-1")):
        with pytest.raises(NotFound):
            await act


async def test_many_writers_freeze_the_same_results(running: Store, database_url: str) -> None:
    """Eight at once, from inside and outside: every number once, a hundred are analysed, the others are late."""
    stores = [running, *(open_store(database_url, clock=ManualClock(NOON_US)) for _ in range(3))]

    async def report(writer: int) -> list[str]:
        store = stores[writer % 4]
        record = partial(store.experiments.record, "acme", "exp-1")
        names = [f"w{writer}-{number}" for number in range(8)]
        return [await patient(partial(record, result(name, name))) for name in names]

    async def ingest(writer: int) -> list[str]:
        for batch in range(4):
            first = writer * 100 + batch * 4
            rows = [row(number, f"u{number}", "test") for number in range(first, first + 4)]
            await patient(partial(stores[writer % 4].ingest.write, [*rows, row(1)]))
        return []

    said = await asyncio.gather(*(report(writer) for writer in range(4)), *(ingest(writer) for writer in range(4, 8)))
    now = await kept(running)
    assert await numbers(running) == list(range(1, 98))
    assert now.tally.n == 4 * 8 + 4 * 16 + 1
    assert {word for words in said for word in words} == {"counted"}
    for number in range(6):
        last = await running.experiments.record("acme", "exp-1", result(f"z{number}"))
        assert last == ("counted" if number < 3 else "late")
    after, data = await running.experiments.data("acme", "exp-1")
    assert (after.tally.late, data.late, data.n) == (3, 3, 100)
    assert sum(sum(cohort.requests) for cohort in data.cohorts) == 100
    for store in stores[1:]:
        await store.aclose()


async def test_of_many_deciders_one_is_first(running: Store) -> None:
    """The verdict is kept, with the number of the last result it rests on; whoever comes later changes nothing."""
    for number in range(3):
        await running.experiments.record("acme", "exp-1", result(f"r{number}"))
    now = await kept(running)
    await running.experiments.record("acme", "exp-1", result("late"))
    first = await asyncio.gather(*(running.experiments.decide(now, WINNER, at_us=NOON_US + n) for n in range(6)))
    assert sorted(first) == [False] * 5 + [True]
    after = await kept(running)
    assert (after.experiment.status, after.experiment.decided_n, after.experiment.verdict) == ("completed", 3, WINNER)
    assert (after.tally.n, after.tally.late) == (4, 1)
    assert await running.experiments.record("acme", "exp-1", result("later")) == "late"
    _, data = await running.experiments.data("acme", "exp-1")
    assert data.n == 3


async def test_nobody_decides_on_what_has_changed(running: Store) -> None:
    """A rating, a change or a stop in between: look again."""
    await running.ingest.write([row(1)])
    before = await kept(running)
    await running.feedback.rate(row(1).request_id, 5, tenant="acme", principal="k1")
    assert not await running.experiments.decide(before, WINNER, at_us=NOON_US)
    rated = await kept(running)
    wider = replace(rated.experiment, traffic=0.5)
    assert await running.experiments.change(wider, before=rated.experiment) == wider
    assert not await running.experiments.decide(rated, WINNER, at_us=NOON_US)
    with pytest.raises(Conflict, match="meanwhile"):
        await running.experiments.change(wider, before=rated.experiment)
    stopped = await running.experiments.stop("acme", "exp-1", at_us=NOON_US + 5)
    assert (stopped.experiment.status, stopped.experiment.completed_us) == ("cancelled", NOON_US + 5)
    assert (stopped.experiment.decided_n, stopped.experiment.traffic) == (1, 0.5)
    assert not await running.experiments.decide(stopped, WINNER, at_us=NOON_US)
    with pytest.raises(Conflict, match="ended"):
        await running.experiments.change(wider, before=wider)


async def test_whoever_comes_too_late_changes_no_number(running: Store) -> None:
    """Nobody reads anew what nobody has changed: a decision that is lost, a second stop, a roll-back of nothing."""
    before = await kept(running)
    await running.experiments.stop(None, "exp-1", at_us=NOON_US)
    first = await running.experiments.changes(None)
    assert first is not None
    assert not await running.experiments.decide(before, WINNER, at_us=NOON_US)
    assert not await running.experiments.roll_back("exp-1", at_us=NOON_US, reason="it fails")
    await running.experiments.stop(None, "exp-1", at_us=NOON_US)
    with pytest.raises(NotFound):
        await running.experiments.stop("other", "exp-1", at_us=NOON_US)
    assert await running.experiments.changes(first.number) is None


async def test_after_the_verdict_nothing_is_refused_any_more(running: Store) -> None:
    """What is told of the values that were none stays as it was decided on; another tenant's are still not there."""
    await running.experiments.refuse("acme", "exp-1")
    await running.experiments.stop(None, "exp-1", at_us=NOON_US)
    await running.experiments.refuse("acme", "exp-1")
    assert (await kept(running)).tally.invalid == 1
    with pytest.raises(NotFound):
        await running.experiments.refuse("other", "exp-1")


async def test_stopping_freezes_and_stopping_again_changes_nothing(running: Store) -> None:
    """Results go on being kept, and are late."""
    assert (await running.experiments.stop(None, "exp-1", at_us=NOON_US)).experiment.decided_n == 0
    assert await running.experiments.record("acme", "exp-1", result("r1")) == "late"
    again = await running.experiments.stop("acme", "exp-1", at_us=NOON_US + 9)
    assert (again.experiment.completed_us, again.tally.n, again.tally.late) == (NOON_US, 1, 1)
    with pytest.raises(NotFound):
        await running.experiments.stop("other", "exp-1", at_us=NOON_US)


async def test_a_rating_reaches_its_result_until_the_verdict(running: Store) -> None:
    """The mean of all that were given; nothing changes a verdict that was reached."""
    await running.ingest.write([row(1), row(2, experiment_id=None), row(3, experiment_id="unknown")])
    grades: tuple[tuple[str, Literal[4, 5]], ...] = (("k1", 5), ("k2", 4))
    for principal, grade in grades:
        for number in (1, 2, 3):
            await running.feedback.rate(row(number).request_id, grade, tenant="acme", principal=principal)
    now, data = await running.experiments.data("acme", "exp-1")
    assert [(list(each.rated), list(each.quality)) for each in data.cohorts] == [([1], [4.5])]
    assert now.tally.ratings == 2
    assert await running.experiments.decide(now, WINNER, at_us=NOON_US)
    await running.feedback.rate(row(1).request_id, 1, tenant="acme", principal="k3")
    assert await running.experiments.data("acme", "exp-1") == (await kept(running), data)


async def test_changes_are_followed_by_number(running: Store) -> None:
    """All at first, then what changed since; a number that went back means all again."""
    first = await running.experiments.changes(None)
    assert first is not None
    assert [each.id for each in first.experiments] == ["exp-1"]
    await running.experiments.record("acme", "exp-1", result("r1"))
    assert await running.experiments.changes(first.number) is None
    await running.experiments.create(experiment(id="exp-2"))
    second = await running.experiments.changes(first.number)
    assert second is not None
    assert ([each.id for each in second.experiments], second.has_all) == (["exp-2"], False)
    again = await running.experiments.changes(second.number + 1)
    assert again is not None
    assert ([each.id for each in again.experiments], again.has_all) == (["exp-1", "exp-2"], True)


async def test_a_phase_is_part_of_its_results(running: Store) -> None:
    """A user who falls into another arm in a new phase is no crossover."""
    later = replace(experiment(), phases=(Phase((0.5, 0.5), NOON_US), Phase((0.2, 0.8), NOON_US + 1)))
    await running.experiments.change(later, before=experiment())
    for number, (arm, phase) in enumerate((("control", 0), ("test", 1), ("test", 1))):
        await running.experiments.record("acme", "exp-1", result(f"r{number}", arm=arm, phase=phase))
    _, data = await running.experiments.data("acme", "exp-1", moves=True)
    found = [(each.phase, each.arm, list(each.requests)) for each in data.cohorts]
    assert (found, data.crossovers) == ([(0, "control", [1]), (1, "test", [2])], 0)
    assert data.moves is not None
    assert (list(data.moves.arm), list(data.moves.requests), data.moves.ends) == ([1, 1], [1, 1], (1, 2, 3))
