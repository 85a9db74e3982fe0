"""A stream whose worker was killed is charged for what it had said."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from farthing.domain.exchange import Exchange, Intent, Lines
from farthing.domain.pricing import Line
from farthing.money import meters
from farthing.money.journal import Journal
from farthing.money.meters import HEAVIEST, SLOT, Meters, Reading
from farthing.ports import Meter
from tests.unit.money.samples import cut_off, die, drained, exchange, inherited, intent, names

LINES = Lines(Line(1_000_000, 250_000), Line(3_000_000, 10_000_000))
"""A nano-dollar for the input and a quarter for each token of output; three and ten at the baseline."""


def begun(journal: Journal, number: int) -> Meter:
    """A stream whose model has begun to answer."""
    journal.open(Intent(exchange=cut_off(exchange(number)), lines=LINES))
    return journal.meter(exchange(number).request_id)


def charged(number: int, tokens: int, cost: int, baseline: int) -> Exchange:
    """The row of an interrupted stream."""
    cut = cut_off(exchange(number))
    return replace(cut, usage=replace(cut.usage, completion=tokens), cost=cost, baseline_cost=baseline)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Of a worker that is going to die."""
    return Journal(root=tmp_path, name="dead", segment_bytes=16 * 1024)


def test_an_interrupted_stream_is_charged_for_what_it_had_said(journal: Journal, tmp_path: Path) -> None:
    """Each for its own output, to the nano-dollar; one that had said nothing for its input alone."""
    for number, weight in ((0, 9_001), (1, 2_000), (2, 0)):
        meter = begun(journal, number)
        meter[0] = 1
        meter[0] = weight
    journal.open(intent(exchange(3)))
    die(journal)
    assert inherited(tmp_path) == [
        charged(0, 10, 4, 103),
        charged(1, 2, 2, 23),
        cut_off(exchange(2)),
        cut_off(exchange(3)),
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_settled_stream_is_charged_as_it_was_settled(journal: Journal, tmp_path: Path) -> None:
    """Its meter is another's from then on, who begins at nothing."""
    begun(journal, 0)[0] = 7_000
    journal.settle(exchange(0))
    begun(journal, 1)
    die(journal)
    assert inherited(tmp_path) == [exchange(0), cut_off(exchange(1))]


def test_a_fallback_begins_at_nothing(journal: Journal, tmp_path: Path) -> None:
    """What another model had said to the same request is not charged at this one's price."""
    begun(journal, 0)[0] = 7_000
    begun(journal, 0)
    die(journal)
    assert inherited(tmp_path) == [cut_off(exchange(0))]


def test_a_journal_that_is_owed_nothing_leaves_no_meters(journal: Journal, tmp_path: Path) -> None:
    """They go with the folder; where no stream began there were none."""
    assert names(tmp_path / "dead") == ["0000000000.segment", "0000000001.segment", "lock"]
    begun(journal, 0)[0] = 7_000
    assert names(tmp_path / "dead") == ["0000000000.segment", "0000000001.segment", "lock", "meters"]
    journal.settle(exchange(0))
    assert list(drained(journal)) == [exchange(0)]
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_more_streams_than_slots_are_served_without_a_meter_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot that comes free is the next one's."""
    monkeypatch.setattr(meters, "SLOTS", 2)
    slots = Meters(tmp_path / "meters")
    for name in ("a", "b", "c"):
        slots.take(name)[0] = 5
    slots.release("a")
    slots.release("c")
    slots.take("d")[0] = 6
    read = Reading(tmp_path / "meters")
    assert [read.weight(name) for name in "abcd"] == [0, 5, 0, 6]


def test_a_full_disk_stops_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is served without a meter that lasts, and the next one tries again."""
    slots = Meters(tmp_path / "meters")
    with monkeypatch.context() as broken:

        def full(descriptor: int, offset: int, length: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        broken.setattr(os, "posix_fallocate", full)
        slots.take("a")[0] = 5
    slots.take("b")[0] = 6
    read = Reading(tmp_path / "meters")
    assert (read.weight("a"), read.weight("b")) == (0, 6)


def test_meters_that_are_missing_or_damaged_count_nothing(tmp_path: Path) -> None:
    """A file torn at any byte gives the slots before the tear; a weight that no stream has is none."""
    path = tmp_path / "meters"
    slots = Meters(path)
    for name, weight in (("a", 5), ("b", HEAVIEST), ("c", HEAVIEST + 1)):
        slots.take(name)[0] = weight
    content = path.read_bytes()
    for size in range(3 * SLOT.size + 1):
        path.write_bytes(content[:size])
        whole = size // SLOT.size
        assert [Reading(path).weight(name) for name in "abc"] == [5 * (whole > 0), HEAVIEST * (whole > 1), 0]
    path.unlink()
    assert Reading(path).weight("a") == 0
