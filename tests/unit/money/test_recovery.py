"""Whatever a dead worker has left, and in whatever state, is recovered up to the damage."""

import fcntl
import os
import random
import shutil
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.exchange import Exchange
from farthing.money import folder, record
from farthing.money.journal import Journal
from farthing.money.recovery import Estate
from farthing.money.segment import HEADER, records
from tests.unit.money.samples import cut_off, die, drained, exchange, inherited, intent, spend

SEGMENT = 16 * 1024
REQUESTS = 6


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The segment of a worker that died after `REQUESTS` requests."""
    root = tmp_path_factory.mktemp("left")
    journal = Journal(root=root, name="dead", segment_bytes=SEGMENT)
    spend(journal, *range(REQUESTS))
    die(journal)
    return (root / "dead" / "0000000000.segment").read_bytes()


def recovered(root: Path, content: bytes) -> tuple[list[Exchange], list[str]]:
    """What is recovered from a worker whose only segment has this content, and the names of the files set aside."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "dead").mkdir(parents=True)
    (root / "dead" / "0000000000.segment").write_bytes(content)
    found = inherited(root)
    assert not (root / "dead").exists()
    aside = root / folder.QUARANTINE
    return found, [path.name for path in aside.iterdir()] if aside.exists() else []


def expected(content: bytes, intact: int) -> list[Exchange]:
    """What the first `intact` bytes of a segment tell."""
    known: dict[str, Exchange] = {}
    ended: list[Exchange] = []
    for _, payload in records(content, 0, intact):
        if payload is None:
            break
        entry = record.read(payload)
        if isinstance(entry, record.Settled):
            known.pop(entry.exchange.request_id)
            ended.append(entry.exchange)
        else:
            known[entry.request_id] = entry.exchange()
    return ended + list(known.values())


def test_settlements_come_again_and_what_was_cut_off_is_recorded(tmp_path: Path) -> None:
    """Every request of a killed worker has one row: as it was settled, or as interrupted with its estimate."""
    journal = Journal(root=tmp_path, name="dead", segment_bytes=SEGMENT)
    settled = spend(journal, *range(100))
    batch = journal.drain(10)
    assert batch is not None
    journal.commit(batch)
    for number in range(100, 108):
        journal.open(intent(exchange(number)))
    die(journal)
    assert inherited(tmp_path) == settled + [cut_off(exchange(number)) for number in range(100, 108)]
    assert inherited(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_intent_in_one_segment_finds_its_settlement_in_another(tmp_path: Path) -> None:
    """A long stream is not taken for one that was cut off."""
    journal = Journal(root=tmp_path, name="dead", segment_bytes=SEGMENT)
    journal.open(intent(exchange(0)))
    others = spend(journal, *range(1, 200))
    journal.settle(exchange(0))
    die(journal)
    assert inherited(tmp_path) == [*others, exchange(0)]


def test_interrupted_requests_come_in_a_batch_after_every_settlement(tmp_path: Path) -> None:
    """Should both exist for one request, the settlement is in the database first and stands."""
    journal = Journal(root=tmp_path, name="dead", segment_bytes=SEGMENT)
    journal.open(intent(exchange(0)))
    spend(journal, 1)
    die(journal)
    (orphan,) = folder.orphans(tmp_path)
    estate = Estate(orphan)
    first = estate.drain(10)
    assert first is not None
    assert first.exchanges == (exchange(1),)
    assert estate.drain(10) is first
    estate.commit(first)
    second = estate.drain(10)
    assert second is not None
    assert second.exchanges == (cut_off(exchange(0)),)
    assert not estate.is_done
    estate.close()
    assert inherited(tmp_path) == [exchange(1), cut_off(exchange(0))]


def test_the_living_are_not_inherited_from(tmp_path: Path) -> None:
    """Only a folder whose lock is free has lost its owner, and only one heir gets it."""
    alive = Journal(root=tmp_path, name="alive", segment_bytes=SEGMENT)
    spend(alive, 1)
    dead = Journal(root=tmp_path, name="dead", segment_bytes=SEGMENT)
    spend(dead, 2)
    die(dead)
    (orphan,) = folder.orphans(tmp_path)
    assert orphan.path.name == "dead"
    assert list(folder.orphans(tmp_path)) == []
    orphan.release()
    assert inherited(tmp_path) == [exchange(2)]
    assert list(drained(alive)) == [exchange(1)]
    alive.close()


def test_a_folder_being_born_or_removed_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that has no name yet, nor one whose owner removed it while we took the lock."""
    (tmp_path / ".young").mkdir()
    (tmp_path / "a file").touch()
    (tmp_path / "old").mkdir()
    take = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        shutil.rmtree(tmp_path / "old")
        take(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert list(folder.orphans(tmp_path)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".young", "a file"]


def test_a_folder_that_cannot_be_entered_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's folder, or a process out of descriptors, stops nobody."""
    (tmp_path / "dead").mkdir()

    def refuse(path: Path, flags: int, mode: int = 0) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert list(folder.orphans(tmp_path)) == []


def test_a_folder_in_use_cannot_be_founded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the lock of a new folder not be free, nobody goes on without it."""

    def taken(descriptor: int, operation: int) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(fcntl, "flock", taken)
    with pytest.raises(BlockingIOError, match="in use"):
        folder.found(tmp_path, "me")


def test_a_segment_torn_at_any_byte_gives_everything_before_the_tear(tmp_path: Path, left: bytes) -> None:
    """At every offset of the last three records, and a few bytes into the empty rest."""
    ends = [0, *(end for end, _ in records(left, 0, len(left)))]
    for offset in range(ends[-4], ends[-1] + 9):
        found, aside = recovered(tmp_path / "root", left[:offset])
        assert found == expected(left, max(end for end in ends if end <= offset)), offset
        assert aside == ([] if offset in ends or offset > ends[-1] else ["dead-0000000000.segment"]), offset


def test_a_segment_whose_tail_is_lost_to_zeros_gives_everything_before(tmp_path: Path, left: bytes) -> None:
    """As after a power cut, when the last pages never reached the disk: at every offset of the last three records."""
    ends = [0, *(end for end, _ in records(left, 0, len(left)))]
    for offset in range(ends[-4], ends[-1]):
        found, _ = recovered(tmp_path / "root", left[:offset].ljust(len(left), b"\0"))
        assert found == expected(left, max(end for end in ends if end <= offset)), offset


def test_no_flipped_bit_invents_or_hides_what_stands_before_it(tmp_path: Path, left: bytes) -> None:
    """A thousand random flips: what is intact before the damage is recovered, and nothing is made up."""
    dice = random.Random(20261121)
    ends = [0, *(end for end, _ in records(left, 0, len(left)))]
    true = {exchange(number).request_id: exchange(number) for number in range(REQUESTS)}
    for _ in range(1_000):
        bit = dice.randrange(ends[-1] * 8)
        flipped = bytearray(left)
        flipped[bit // 8] ^= 1 << bit % 8
        found, aside = recovered(tmp_path / "root", bytes(flipped))
        assert aside == ["dead-0000000000.segment"], bit
        before = max(end for end in ends if end <= bit // 8)
        certain = [known for known in expected(left, before) if known.status == "ok"]
        assert found[: len(certain)] == certain, bit
        assert all(row in (true[row.request_id], cut_off(true[row.request_id])) for row in found), bit


def test_a_damaged_file_is_set_aside_with_one_line(
    tmp_path: Path, left: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A person can look at it; the line says where it went."""
    recovered(tmp_path, left[:100])
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(f"the file is now {tmp_path}/quarantine/dead-0000000000.segment")
    assert (tmp_path / "quarantine" / "dead-0000000000.segment").read_bytes() == left[:100]


def test_a_record_that_is_whole_but_not_ours_is_damage(tmp_path: Path, left: bytes) -> None:
    """A checksum that fits does not make a record: neither of a settlement nor of an intent."""
    end = [end for end, _ in records(left, 0, len(left))][-1]
    for payload in (b"\x00", record.opened(intent(exchange(9))).replace(b"request_id", b"request_ix")):
        entry = HEADER.pack(len(payload), crc32(payload)) + payload
        found, aside = recovered(tmp_path / "root", left[:end] + entry + bytes(100))
        assert found == [exchange(number) for number in range(REQUESTS)]
        assert aside == ["dead-0000000000.segment"]


def test_a_duplicated_segment_offers_doubles_and_nothing_else(tmp_path: Path, left: bytes) -> None:
    """The database knows them by their request id."""
    (tmp_path / "dead").mkdir()
    for name in ("0000000000.segment", "0000000007.segment"):
        (tmp_path / "dead" / name).write_bytes(left)
    assert inherited(tmp_path) == [exchange(number) for number in range(REQUESTS)] * 2


def test_files_that_are_no_segments_are_set_aside(tmp_path: Path, left: bytes) -> None:
    """They do not keep the folder from being removed, and are not thrown away."""
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "0000000000.segment").write_bytes(left)
    (tmp_path / "dead" / "note.txt").write_text("?")
    assert len(inherited(tmp_path)) == REQUESTS
    assert [path.name for path in tmp_path.iterdir()] == ["quarantine"]
    assert (tmp_path / "quarantine" / "dead-note.txt").read_text() == "?"


def test_a_segment_that_vanished_is_told_and_stops_nobody(
    tmp_path: Path, left: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has deleted it while we were reading."""
    (tmp_path / "dead").mkdir()
    for name in ("0000000000.segment", "0000000001.segment"):
        (tmp_path / "dead" / name).write_bytes(left)
    (orphan,) = folder.orphans(tmp_path)
    estate = Estate(orphan)
    (tmp_path / "dead" / "0000000000.segment").unlink()
    assert list(drained(estate)) == [exchange(number) for number in range(REQUESTS)]
    estate.close()
    assert not (tmp_path / "dead").exists()
    assert "vanished" in caplog.text


def test_a_folder_that_cannot_be_removed_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next finder tries again."""
    (tmp_path / "dead").mkdir()
    with monkeypatch.context() as broken:

        def fail(path: Path) -> None:
            raise OSError(39, "Directory not empty")

        broken.setattr(Path, "rmdir", fail)
        assert inherited(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["dead"]
    assert inherited(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "open", "settle", "settle", "cached", "offer", "commit"]), st.integers(0, 7)),
    max_size=120,
)


@given(steps=STEPS)
def test_every_request_is_recorded_whenever_the_worker_dies(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Rows before and after the death, first one standing: each request once, as it ended or as it was cut off."""
    root = tmp_path_factory.mktemp("journal")
    journal = Journal(root=root, name="dead", segment_bytes=2048, sync_every_s=10.0)
    truth: dict[str, Exchange] = {}
    rows: dict[str, Exchange] = {}
    open_requests: list[Exchange] = []
    for number, (step, choice) in enumerate(steps):
        if step == "open":
            open_requests.append(exchange(number))
            truth[open_requests[-1].request_id] = cut_off(open_requests[-1])
            journal.open(intent(open_requests[-1]))
        elif step == "settle" and open_requests:
            settled = open_requests.pop(choice % len(open_requests))
            truth[settled.request_id] = settled
            journal.settle(settled)
        elif step == "cached":
            truth[exchange(number).request_id] = exchange(number)
            journal.settle(exchange(number))
        elif step in {"offer", "commit"} and (batch := journal.drain(choice + 1)):
            for row in batch.exchanges:
                rows.setdefault(row.request_id, row)
            if step == "commit":
                journal.commit(batch)
    die(journal)
    for row in inherited(root, limit=2):
        rows.setdefault(row.request_id, row)
    assert rows == truth
    assert list(root.iterdir()) == []
    root.rmdir()
