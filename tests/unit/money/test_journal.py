"""The journal keeps what it has noted until it is committed, and takes nothing on that it could not settle."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Attempt, Exchange
from farthing.money import reader
from farthing.money.journal import Journal
from farthing.ports import Journal as Port
from tests.unit.money.samples import cut_off, die, drained, exchange, inherited, intent, spend

SEGMENT = 64 * 1024


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal with small segments."""
    journal = Journal(root=tmp_path, name="me", segment_bytes=SEGMENT)
    yield journal
    journal.close()


class Disk:
    """Allows so many more bytes to be allocated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 0
        allocate = os.posix_fallocate

        def limited(descriptor: int, offset: int, length: int) -> None:
            if length > self.free:
                raise OSError(28, "No space left on device")
            self.free -= length
            allocate(descriptor, offset, length)

        monkeypatch.setattr(os, "posix_fallocate", limited)


@pytest.fixture
def full_disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that filled up after the journal had begun."""
    return Disk(monkeypatch)


def opened_until_refused(journal: Journal, first: int = 0) -> tuple[list[int], Unavailable]:
    """The numbers of the requests that were opened before one was refused, and the refusal."""
    opened: list[int] = []
    for number in range(first, first + 10_000):
        try:
            journal.open(intent(exchange(number)))
        except Unavailable as refusal:
            return opened, refusal
        opened.append(number)
    raise AssertionError("nothing was refused")


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for the flusher's thread, which runs on real time."""
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert holds()


def is_synced(journal: Journal) -> bool:
    """Whether the disk has confirmed everything."""
    return all(segment.synced == segment.end for segment in journal._flusher._segments)


def files(tmp_path: Path) -> list[str]:
    """Names of the journal's segments."""
    return sorted(path.name for path in (tmp_path / "me").glob("*.segment"))


def test_what_is_settled_is_offered_until_it_is_committed(journal: Port) -> None:
    """In order, in batches no larger than asked for, the same batch again until the database has it."""
    assert isinstance(journal, Journal)
    expected = spend(journal, *range(5))
    first = journal.drain(3)
    assert first is not None
    assert list(first.exchanges) == expected[:3]
    assert journal.drain(3) is first
    journal.commit(first)
    second = journal.drain(3)
    assert second is not None
    assert list(second.exchanges) == expected[3:]
    journal.commit(second)
    assert journal.drain(3) is None


def test_what_is_offered_is_what_an_heir_would_read(tmp_path: Path) -> None:
    """It is not read back from the file, but says the same: a decision as its text as well."""
    given = [replace(exchange(1), decision={"metadata": {"length": 0.1}}, tags={"a": "b"}, score=0.5), exchange(2)]
    offered = []
    for is_heir in (False, True):
        journal = Journal(root=tmp_path, name=f"heir {is_heir}", segment_bytes=SEGMENT)
        for settled in given:
            journal.open(intent(settled))
            journal.settle(settled)
        if is_heir:
            die(journal)
            offered.append(inherited(tmp_path))
        else:
            offered.append([*drained(journal)])
            journal.close()
    assert offered[0] == offered[1]
    assert offered[0][0].decision == '{"metadata":{"length":0.1}}'


def test_more_than_is_remembered_is_read_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, over the ends of segments, and what comes meanwhile and after it as well."""
    monkeypatch.setattr(reader, "MOST_FRESH", 101)
    expected = spend(journal, *range(300))
    found: list[Exchange] = []
    for number in range(300, 310):
        batch = journal.drain(40)
        assert batch is not None
        found += batch.exchanges
        # Only a batch that is not full says that nothing more is there.
        assert len(batch.exchanges) == 40 or found == expected
        journal.commit(batch)
        expected += spend(journal, number)
    found += drained(journal)
    assert found == expected
    assert spend(journal, *range(400, 500)) == list(drained(journal))


def test_an_open_request_is_not_offered(journal: Journal) -> None:
    """Only how it ended is worth a row while its worker lives."""
    settled = exchange(1)
    journal.open(intent(settled))
    assert (journal.drain(3), journal.open_requests) == (None, 1)
    journal.settle(settled)
    assert ([*drained(journal)], journal.open_requests) == ([settled], 0)


def test_a_request_without_an_intent_is_settled_as_well(journal: Journal) -> None:
    """Cached and rejected requests never had one."""
    journal.settle(exchange(1, cost=0))
    assert list(drained(journal)) == [exchange(1, cost=0)]


def test_segments_disappear_when_nothing_in_them_is_owed(journal: Journal, tmp_path: Path) -> None:
    """However much passes through, the disk holds the current segment and its successor."""
    for number in range(2_000):
        spend(journal, number)
        if number % 100 == 99:
            assert len(list(drained(journal))) == 100
    assert len(files(tmp_path)) == 2
    assert journal._number > 10


def test_an_open_request_keeps_its_segment_and_no_other(journal: Journal, tmp_path: Path) -> None:
    """A stream that lasts for minutes pins the few megabytes its intent stands in."""
    journal.open(intent(exchange(0)))
    kept = files(tmp_path)[0]
    for number in range(1, 1_000):
        spend(journal, number)
    list(drained(journal))
    assert files(tmp_path)[0] == kept
    assert len(files(tmp_path)) == 3
    journal.settle(exchange(0))
    assert list(drained(journal)) == [exchange(0)]
    assert kept not in files(tmp_path)


def test_segments_wait_on_disk_while_nobody_drains(journal: Journal, tmp_path: Path) -> None:
    """A database that is away costs disk, not memory: only the last segments stay mapped."""
    for number in range(2_000):
        spend(journal, number)
    assert len(files(tmp_path)) > 10
    eventually(lambda: is_synced(journal))
    spend(journal, *range(2_000, 2_200))
    assert Path("/proc/self/maps").read_text(encoding="utf-8").count(str(tmp_path)) <= 5
    assert list(drained(journal, 500)) == [exchange(number) for number in range(2_200)]


def test_a_full_disk_refuses_new_requests_and_settles_those_under_way(
    journal: Journal, full_disk: Disk, tmp_path: Path
) -> None:
    """Not one request more is opened than can be settled, and every one of them is."""
    opened, refusal = opened_until_refused(journal)
    assert (refusal.status, refusal.code, refusal.retry_after) == (503, "accounting_unavailable", 1)
    assert len(opened) > 10
    grown = [replace(exchange(number), error_code="x" * 3_900) for number in opened]
    for settled in grown:
        journal.settle(settled)
    assert list(drained(journal)) == grown


def test_a_full_disk_refuses_to_note_what_was_never_opened(journal: Journal, full_disk: Disk) -> None:
    """The room that is left belongs to requests under way."""
    opened, _ = opened_until_refused(journal)
    with pytest.raises(Unavailable, match="cannot be recorded"):
        deque(_settle_strangers(journal), maxlen=0)
    grown = [replace(exchange(number), error_code="x" * 3_900) for number in opened]
    for settled in grown:
        journal.settle(settled)
    assert [found for found in drained(journal) if found.cost] == grown


def _settle_strangers(journal: Journal) -> Iterator[None]:
    for number in range(20_000, 30_000):
        journal.settle(exchange(number, cost=0))
        yield


def test_traffic_is_taken_again_as_soon_as_the_disk_has_room(journal: Journal, full_disk: Disk) -> None:
    """No restart, no waiting."""
    opened_until_refused(journal)
    full_disk.free = SEGMENT
    journal.open(intent(exchange(10_000)))
    full_disk.free = 10 * SEGMENT


def test_a_settlement_that_outgrew_its_reserve_is_kept_short_on_a_full_disk(journal: Journal, full_disk: Disk) -> None:
    """Its money is kept, its explanations are not."""
    settled = replace(
        exchange(1),
        decision={"candidates": ["x" * 30_000]},
        reason="why",
        attempts=(Attempt(model="demo/small", provider="demo"),),
    )
    opened, _ = opened_until_refused(journal, first=1)
    journal.settle(settled)
    assert list(drained(journal)) == [replace(settled, decision=None, reason=None, attempts=())]
    for number in opened[1:]:
        journal.settle(exchange(number))


def test_a_settlement_that_outgrew_its_reserve_is_kept_whole_where_there_is_room(journal: Journal) -> None:
    """Even when it is longer than a segment."""
    settled = replace(exchange(1), reason="x" * 2 * SEGMENT)
    journal.open(intent(exchange(1)))
    journal.settle(settled)
    assert list(drained(journal)) == [settled]
    spend(journal, 2)
    assert list(drained(journal)) == [exchange(2)]


def test_opening_again_replaces_the_intent(journal: Journal, tmp_path: Path) -> None:
    """A fallback asks another model for the same request: the last intent stands, and room is kept once."""
    journal.open(intent(exchange(1)))
    reserved = journal._reserved
    journal.open(intent(replace(exchange(1), model="demo/big")))
    assert reserved - 10 < journal._reserved < reserved + 10
    other = Journal(root=tmp_path, name="other", segment_bytes=SEGMENT)
    other.open(intent(exchange(1)))
    other.open(intent(replace(exchange(1), model="demo/big")))
    die(other)
    assert inherited(tmp_path) == [cut_off(replace(exchange(1), model="demo/big"))]
    journal.settle(exchange(1))
    assert (list(drained(journal)), journal._reserved) == ([exchange(1)], 0)


def test_the_disk_has_everything_within_moments(journal: Journal) -> None:
    """After a power cut at most the last moments are missing; the flusher needs no further call."""
    for number in range(3):
        spend(journal, number)
        eventually(lambda: is_synced(journal))


def test_the_flusher_sleeps_while_nothing_happens_and_wakes_for_the_next_record(tmp_path: Path) -> None:
    """An idle gateway does not wake the machine."""
    journal = Journal(root=tmp_path, name="me", segment_bytes=SEGMENT, sync_every_s=0.0001)
    for number in range(3):
        eventually(lambda: journal._flusher.is_asleep)
        spend(journal, number)
        eventually(lambda: is_synced(journal))
    journal.close()


def test_a_disk_that_does_not_sync_refuses_new_requests(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What could be lost is not begun; one line when it happens and one when it is over."""
    with monkeypatch.context() as broken:

        def fail(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        broken.setattr(os, "fdatasync", fail)
        journal.settle(exchange(0))
        eventually(lambda: journal._flusher.failure is not None)
        with pytest.raises(Unavailable) as refusal:
            journal.open(intent(exchange(1)))
        assert refusal.value.code == "accounting_unavailable"
    eventually(lambda: journal._flusher.failure is None)
    journal.open(intent(exchange(1)))
    journal.settle(exchange(1))
    list(drained(journal))
    assert [message.split(",")[0] for message in caplog.messages] == [
        "the journal cannot be brought to disk",
        "the journal is on disk again",
    ]


def test_a_journal_that_owes_nothing_leaves_nothing(tmp_path: Path) -> None:
    """A clean stop needs no recovery."""
    journal = Journal(root=tmp_path, name="me", segment_bytes=SEGMENT)
    spend(journal, 1)
    list(drained(journal))
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_is_owed_something_is_left_to_an_heir(tmp_path: Path) -> None:
    """What was not committed at the stop is found at the next start: settled, offered, or open."""
    for name in ("settled", "offered", "open"):
        journal = Journal(root=tmp_path, name=name, segment_bytes=SEGMENT)
        if name == "open":
            journal.open(intent(exchange(3)))
        else:
            spend(journal, 1 if name == "settled" else 2)
        if name == "offered":
            journal.drain(1)
        journal.close()
    assert inherited(tmp_path) == [exchange(2), cut_off(exchange(3)), exchange(1)]
    assert list(tmp_path.iterdir()) == []


def test_a_stop_while_files_cannot_be_read_leaves_them_to_an_heir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted that was not read."""
    monkeypatch.setattr(reader, "MOST_FRESH", 0)
    journal = Journal(root=tmp_path, name="me", segment_bytes=SEGMENT)
    expected = spend(journal, *range(200))
    eventually(lambda: is_synced(journal))
    expected += spend(journal, *range(200, 400))
    with monkeypatch.context() as broken:

        def fail(path: Path) -> bytes:
            raise OSError(24, "Too many open files")

        broken.setattr(Path, "read_bytes", fail)
        with pytest.raises(OSError, match="Too many"):
            journal.drain(1)
        journal.close()
    assert inherited(tmp_path) == expected


def test_two_workers_never_share_a_folder(tmp_path: Path) -> None:
    """A name is used once."""
    journal = Journal(root=tmp_path, name="me", segment_bytes=SEGMENT)
    with pytest.raises(OSError, match=r"not empty|exists"):
        Journal(root=tmp_path, name="me", segment_bytes=SEGMENT)
    journal.close()


def test_a_start_on_a_full_disk_says_so_and_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the gateway learns it at once, and the next start tidies up."""
    disk = Disk(monkeypatch)
    for disk.free in (0, SEGMENT):
        with pytest.raises(OSError, match="No space left"):
            Journal(root=tmp_path, name=f"with {disk.free}", segment_bytes=SEGMENT)
    assert inherited(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
