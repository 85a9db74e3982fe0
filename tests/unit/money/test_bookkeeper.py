"""The bookkeeper empties journals into the database, and loses nothing while there is none."""

import asyncio
import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange
from farthing.money import bookkeeper as module
from farthing.money.bookkeeper import Bookkeeper
from farthing.money.journal import Journal
from tests.unit.money.samples import cut_off, die, exchange, inherited, intent, names, spend


class Database:
    """Keeps rows by request id, or is away."""

    def __init__(self) -> None:
        self.rows: dict[str, Exchange] = {}
        self.batches: list[int] = []
        self.tries = 0
        self.away: Exception | None = None
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, exchanges: Sequence[Exchange], worker: str = "me") -> int:
        """Commits what is new."""
        self.tries += 1
        self.asked.set()
        await self.gate.wait()
        if self.away:
            raise self.away
        self.batches.append(len(exchanges))
        known = len(self.rows)
        for row in exchanges:
            self.rows.setdefault(row.request_id, row)
        return len(self.rows) - known


@pytest.fixture
def database() -> Database:
    """An empty database."""
    return Database()


@pytest.fixture
def clock() -> ManualClock:
    """A clock turned by the test."""
    return ManualClock()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """This worker's journal."""
    journal = Journal(root=tmp_path, name="me")
    yield journal
    if journal._current.is_open:
        journal.close()


@pytest.fixture
def told() -> list[Exchange]:
    """What the ledger has heard of."""
    return []


@pytest.fixture
def bookkeeper(
    journal: Journal, tmp_path: Path, database: Database, clock: ManualClock, told: list[Exchange]
) -> Bookkeeper:
    """A bookkeeper of one worker."""
    return Bookkeeper(journal=journal, root=tmp_path, write=database.write, clock=clock, committed=told.extend)


AWAY = Unavailable("The database is away.")


async def test_a_flush_commits_everything_settled_so_far(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, told: list[Exchange]
) -> None:
    """In bounded batches, and the ledger hears of it."""
    rows = spend(journal, *range(1_200))
    assert await bookkeeper.flush() == 1_200
    assert (database.batches, list(database.rows.values()), told) == ([500, 500, 200], rows, rows)
    assert await bookkeeper.flush() == 0
    assert database.tries == 3


async def test_two_flushes_at_once_write_each_row_once(
    bookkeeper: Bookkeeper, journal: Journal, database: Database
) -> None:
    """The second waits for the first, and then finds its work done."""
    spend(journal, *range(10))
    database.gate.clear()
    flushes = asyncio.gather(bookkeeper.flush(), bookkeeper.flush())
    await asyncio.sleep(0)
    database.gate.set()
    assert tuple(await flushes) == (10, 0)
    assert database.batches == [10]


async def test_people_who_ask_at_once_share_one_attempt(
    bookkeeper: Bookkeeper, journal: Journal, database: Database
) -> None:
    """Those who come when it has begun get another: they may have seen rows that it has not."""
    async with Supervisor() as supervisor:
        spend(journal, 1)
        database.gate.clear()
        first = [asyncio.ensure_future(bookkeeper.catch_up(supervisor.spawn)) for _ in range(50)]
        await database.asked.wait()
        spend(journal, 2)
        second = [asyncio.ensure_future(bookkeeper.catch_up(supervisor.spawn)) for _ in range(50)]
        database.gate.set()
        await asyncio.gather(*first, *second)
    assert database.batches == [1, 1]


async def test_people_hear_soon_that_the_database_says_nothing(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask, and however long it stays silent; what was begun goes on."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    async with Supervisor() as supervisor:
        spend(journal, 1)
        database.gate.clear()
        asked = [bookkeeper.catch_up(supervisor.spawn) for _ in range(50)]
        heard = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(error) for error in heard} == {Unavailable}
        assert database.tries == 1
        database.gate.set()
    assert len(database.rows) == 1


async def test_people_hear_at_once_that_the_database_is_away(
    bookkeeper: Bookkeeper, journal: Journal, database: Database
) -> None:
    """And those who ask when it is back are served."""
    async with Supervisor() as supervisor:
        spend(journal, 1)
        database.away = AWAY
        heard = await asyncio.gather(*(bookkeeper.catch_up(supervisor.spawn) for _ in range(5)), return_exceptions=True)
        assert heard == [AWAY] * 5
        database.away = None
        await bookkeeper.catch_up(supervisor.spawn)
    assert len(database.rows) == 1


async def test_a_flush_whose_caller_left_is_made_up_for(
    bookkeeper: Bookkeeper, journal: Journal, database: Database
) -> None:
    """A cancelled write commits nothing and loses nothing."""
    rows = spend(journal, *range(10))
    database.gate.clear()
    flush = asyncio.ensure_future(bookkeeper.flush())
    await asyncio.sleep(0)
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    database.gate.set()
    assert await bookkeeper.flush() == 10
    assert list(database.rows.values()) == rows


async def test_a_flush_says_when_the_database_is_away(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, told: list[Exchange]
) -> None:
    """Whoever asked for fresh figures must know."""
    spend(journal, 1)
    database.away = AWAY
    with pytest.raises(Unavailable):
        await bookkeeper.flush()
    assert told == []


async def test_it_knows_when_it_does_not_know_what_is_in_the_database(
    bookkeeper: Bookkeeper, journal: Journal, database: Database
) -> None:
    """From a commit that broke off until the batch has come again."""
    seen: list[bool] = []
    for away in (None, AWAY, None):
        spend(journal, len(seen))
        database.away = away
        with suppress(Unavailable):
            await bookkeeper.flush()
        async with bookkeeper.paused() as is_certain:
            seen.append(is_certain)
    assert seen == [True, False, True]


async def test_while_the_database_is_away_it_is_asked_ever_more_rarely(
    bookkeeper: Bookkeeper,
    journal: Journal,
    database: Database,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At 0.1, 0.3, 0.7 … and then every 5 s; nothing is lost, and one line is logged at each change."""
    caplog.set_level(logging.INFO)
    rows = spend(journal, *range(10))
    database.away = AWAY
    tries = []
    for tenth in range(300):
        before = database.tries
        await bookkeeper.work()
        if database.tries > before:
            tries.append(tenth)
        clock.advance(0.1000001)
    assert tries == [0, 1, 3, 7, 15, 31, 63, 113, 163, 213, 263]
    database.away = None
    clock.advance(5)
    await bookkeeper.work()
    assert list(database.rows.values()) == rows
    await bookkeeper.work()
    assert caplog.messages == [
        "the ledger cannot be written, the journal keeps its rows: The database is away.",
        "the ledger is being written again",
    ]


async def test_a_segment_that_cannot_be_read_is_tried_again(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is out of descriptors waits for better times."""
    spend(journal, 1)

    def fail(journal: Journal, limit: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "drain", fail)
        await bookkeeper.work()
    clock.advance(1)
    await bookkeeper.work()
    assert len(database.rows) == 1


async def test_what_dead_workers_left_is_recovered_at_the_start(
    bookkeeper: Bookkeeper,
    database: Database,
    tmp_path: Path,
    told: list[Exchange],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Settled and interrupted, from every folder; the ledger of this worker never held money for them."""
    caplog.set_level(logging.INFO)
    for number, name in enumerate("ab"):
        dead = Journal(root=tmp_path, name=name)
        spend(dead, number)
        dead.open(intent(exchange(10 + number)))
        die(dead)
    await bookkeeper.work()
    rows = [exchange(0), cut_off(exchange(10)), exchange(1), cut_off(exchange(11))]
    assert (list(database.rows.values()), told) == (rows, [])
    assert names(tmp_path) == ["me"]
    assert caplog.messages == ["recovered 2 requests from the journal of a worker that died"] * 2


async def test_a_worker_that_dies_later_is_found_within_seconds(
    bookkeeper: Bookkeeper, database: Database, tmp_path: Path, clock: ManualClock
) -> None:
    """The others look every 5 s."""
    await bookkeeper.work()
    dead = Journal(root=tmp_path, name="dead")
    rows = spend(dead, 1)
    die(dead)
    await bookkeeper.work()
    assert database.rows == {}
    clock.advance(5)
    await bookkeeper.work()
    assert list(database.rows.values()) == rows


async def test_a_recovery_that_the_database_interrupts_goes_on_where_it_was(
    bookkeeper: Bookkeeper, database: Database, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder stays with its heir until everything in it is committed."""
    monkeypatch.setattr(module, "BATCH", 10)
    dead = Journal(root=tmp_path, name="dead")
    rows = spend(dead, *range(25))
    die(dead)
    database.away = AWAY
    await bookkeeper.work()
    assert inherited(tmp_path) == []
    database.away = None
    clock.advance(1)
    await bookkeeper.work()
    assert (database.batches, list(database.rows.values())) == ([10, 10, 5], rows)
    assert names(tmp_path) == ["me"]


async def test_a_stop_commits_the_rest_and_leaves_nothing(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, tmp_path: Path
) -> None:
    """A clean restart has nothing to recover."""
    rows = spend(journal, *range(10))
    await bookkeeper.stop()
    assert list(database.rows.values()) == rows
    assert names(tmp_path) == []


async def test_a_stop_without_a_database_leaves_everything_on_disk(
    bookkeeper: Bookkeeper, journal: Journal, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """This worker's rows, and those it was about to recover, are found at the next start."""
    dead = Journal(root=tmp_path, name="dead")
    left = spend(dead, 1)
    die(dead)
    database.away = AWAY
    await bookkeeper.work()
    rows = spend(journal, 2)
    await bookkeeper.stop()
    assert "stay in the journal" in caplog.messages[-1]
    assert inherited(tmp_path) == left + rows
