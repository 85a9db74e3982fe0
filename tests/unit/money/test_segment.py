"""A segment gives back what was stored, up to and beyond damage."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from farthing.money import segment as segments
from farthing.money.segment import HEADER, HEADER_BYTES, Segment, records

SIZE = 4096


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    """An empty segment of one page."""
    return Segment(tmp_path / "1.segment", SIZE)


def content(path: Path) -> list[tuple[int, bytes | None]]:
    """The records of a file."""
    stored = path.read_bytes()
    return list(records(stored, 0, len(stored)))


def test_records_come_back_in_order(segment: Segment) -> None:
    """From memory as from the file, each with the offset behind it."""
    for payload in (b"one", b"", b"three"):
        segment.append(payload or b"-")
    expected = [(11, b"one"), (20, b"-"), (33, b"three")]
    assert list(segment.records(0)) == expected
    assert list(segment.records(11)) == expected[1:]
    segment.close()
    assert content(segment.path) == expected


def test_the_file_has_its_full_size_at_once(segment: Segment) -> None:
    """Disk space is taken before anything is promised, and only the owner may read it."""
    assert (segment.path.stat().st_size, segment.room) == (SIZE, SIZE)
    assert segment.path.stat().st_blocks * 512 >= SIZE
    assert segment.path.stat().st_mode & 0o777 == 0o600
    segment.close()


def test_a_segment_can_be_filled_to_the_last_byte(segment: Segment) -> None:
    """No room is needed for an end mark."""
    segment.append(b"x" * (SIZE - HEADER.size))
    assert segment.room == 0
    segment.close()
    assert content(segment.path) == [(SIZE, b"x" * (SIZE - HEADER.size))]


def test_a_full_disk_leaves_neither_file_nor_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be allocated is not begun."""

    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no space left"):
        Segment(tmp_path / "1.segment", SIZE)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_syncing_says_whether_there_was_anything_to_do(segment: Segment) -> None:
    """The disk is asked once for what was appended."""
    assert segment.sync() is False
    segment.append(b"one")
    assert (segment.sync(), segment.sync(), segment.synced) == (True, False, 11)
    segment.close()


def test_closing_twice_is_harmless(segment: Segment) -> None:
    """Descriptors of others are not closed by mistake."""
    segment.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(segment.descriptor)
    segment.close()
    assert not segment.is_open


def damaged(segment: Segment, *changes: tuple[int, bytes]) -> list[bytes | None]:
    """The payloads after bytes of the file were overwritten."""
    segment.close()
    with segment.path.open("r+b") as file:
        for offset, data in changes:
            file.seek(offset)
            file.write(data)
    return [payload for _, payload in content(segment.path)]


@pytest.fixture
def five(segment: Segment) -> Segment:
    """A segment with five records of 8 + 4 bytes."""
    for number in range(5):
        segment.append(b"%d---" % number)
    return segment


def test_what_follows_a_damaged_payload_is_still_found(five: Segment) -> None:
    """Its length leads on to the next record."""
    assert damaged(five, (12 + 8, b"X")) == [b"0---", None, b"2---", b"3---", b"4---"]


def test_after_two_damaged_records_in_a_row_nothing_is_trusted(five: Segment) -> None:
    """The rest is one damage."""
    assert damaged(five, (12 + 8, b"X"), (24 + 8, b"X")) == [b"0---", None, None]


def test_a_length_beyond_the_file_ends_the_reading(five: Segment) -> None:
    """What stands before it is intact."""
    assert damaged(five, (24, b"\xff\xff\xff\x7f")) == [b"0---", b"1---", None]


def test_a_length_of_zero_before_the_end_is_damage(five: Segment) -> None:
    """A page that a power cut has lost is told from the end of what was written."""
    assert damaged(five, (24, bytes(4))) == [b"0---", b"1---", None]


@pytest.mark.parametrize("copied", [b"h", b"half a payl", b"h" + bytes(30) + b"yload"])
def test_an_append_that_was_cut_off_is_no_damage(five: Segment, copied: bytes) -> None:
    """A process killed before the header was there had promised nothing, in whatever order its bytes were copied."""
    assert damaged(five, (60 + 8, copied)) == [b"0---", b"1---", b"2---", b"3---", b"4---"]


def test_the_first_byte_goes_first_and_the_header_last(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whatever a kill leaves of a record is told from damage."""
    written = list[Any]()

    class Memory:
        """Notes where something is written."""

        def __setitem__(self, place: int | slice, _value: object) -> None:
            written.append(place)

    with monkeypatch.context() as patch:
        patch.setattr(segment, "_memory", Memory())
        patch.setattr(segments, "_write_header", lambda _memory, begin, _header: written.append(("header", begin)))
        segment.append(b"payload")
    segment.close()
    assert written == [HEADER_BYTES, slice(HEADER_BYTES, HEADER_BYTES + 7), ("header", 0)]


def test_zeros_at_the_end_are_no_damage(five: Segment) -> None:
    """Whole records that never reached the disk leave a clean end."""
    assert damaged(five, (36, bytes(24))) == [b"0---", b"1---", b"2---"]


def test_a_file_cut_inside_a_header_is_damaged(five: Segment) -> None:
    """Less than a header is left of the last record."""
    five.close()
    assert list(records(five.path.read_bytes()[: 48 + 5], 36, 48 + 5)) == [(48, b"3---"), (53, None)]
