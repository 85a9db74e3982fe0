"""F02: whatever happens to the journal's files, what stands before the damage is recovered, once."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.exchange import Exchange
from farthing.domain.ids import uuid7
from farthing.money.bookkeeper import Bookkeeper
from farthing.money.journal import Journal
from farthing.money.segment import records
from farthing.store import migrate, open_store
from tests.faults.rig.site import Rig
from tests.unit.money.samples import die, drained, exchange, inherited, intent, spend

REQUESTS = 8
SEGMENT = 16 * 1024
REPLAYED = 10_000
REPLAY_S = 2.0
WINDOW_S = 0.01


def spool(root: Path, *contents: bytes) -> list[str]:
    """What is recovered, by request id, from a dead worker with these segments; the same number of times as found."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "dead").mkdir(parents=True)
    for number, content in enumerate(contents):
        (root / "dead" / f"{number:010d}.segment").write_bytes(content)
    return [each.request_id for each in inherited(root)]


async def test_a_damaged_spool_gives_what_stands_before_the_damage(rig: Rig, tmp_path: Path) -> None:
    """Torn at every byte of the last records, bits turned, a tail of zeros, a segment twice: no crash, no double."""
    journal = Journal(root=tmp_path / "born", name="dead", segment_bytes=SEGMENT)
    spend(journal, *range(REQUESTS))
    die(journal)
    content = (tmp_path / "born" / "dead" / "0000000000.segment").read_bytes()
    ends = [offset for offset, _ in records(content, 0, len(content))]
    root, dice = tmp_path / "spool", rig.dice
    tears = range(ends[-4], ends[-1] + 1, 1 if rig.is_full else 7)
    for end in tears:
        whole = sum(offset <= end for offset in ends)
        assert len(set(spool(root, content[:end]))) == (whole + 1) // 2
        assert len(set(spool(root, content[:end] + bytes(SEGMENT - end)))) == (whole + 1) // 2
    flips = 1_000 if rig.is_full else 100
    for _ in range(flips):
        place = dice.randrange(ends[-1])
        turned = content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]
        before = sum(offset <= place for offset in ends)
        assert len(set(spool(root, turned))) >= (before + 1) // 2
    assert set(spool(root, content, content)) == set(spool(root, content))
    rig.tell(
        "F02", f"{2 * len(tears)} torn or zeroed tails, {flips} turned bits, a doubled segment: all before recovered"
    )


@pytest.mark.long
async def test_a_power_cut_costs_moments(rig: Rig, tmp_path: Path) -> None:
    """What the disk has confirmed is never older than the interval between two syncs, and a sync's own time."""
    journal = Journal(root=tmp_path, name="worker")
    ages, written = list[float](), list[tuple[int, float]]()
    clock = time.monotonic
    for number in range(4_000):
        settled = exchange(number)
        journal.open(intent(settled))
        journal.settle(settled)
        segment = journal._current
        written.append((segment.end, clock()))
        oldest = next((moment for end, moment in written if end > segment.synced), clock())
        ages.append(clock() - oldest)
        written = [each for each in written if each[0] > segment.synced]
        await asyncio.sleep(0.0005)
    list(drained(journal))
    journal.close()
    ages.sort()
    typical = ages[int(len(ages) * 0.99)]
    rig.tell(
        "F02 power", f"unsynced at most {1000 * typical:.0f} ms (99 of 100 moments), {1000 * ages[-1]:.0f} ms at worst"
    )
    rig.gate("seconds not synced", typical, WINDOW_S)


@pytest.mark.long
async def test_a_spool_is_replayed_quickly(rig: Rig, tmp_path: Path, postgres_database: str) -> None:
    """Ten thousand rows of a dead worker are in the database within two seconds."""
    clock = SystemClock()
    journal = Journal(root=tmp_path, name="dead")
    spend(journal, *range(REPLAYED))
    die(journal)
    await migrate(postgres_database)
    store = open_store(postgres_database, clock=clock)

    async def write(exchanges: Sequence[Exchange], _owner: str) -> int:
        return await store.ingest.write(exchanges)

    keeper = Bookkeeper(
        journal=Journal(root=tmp_path, name=uuid7(clock.now_us(), 1)),
        root=tmp_path,
        write=write,
        clock=clock,
    )
    began = time.monotonic()
    await keeper.work()
    seconds = time.monotonic() - began
    stats = await store.queries.stats(None)
    await keeper.stop()
    await store.aclose()
    assert stats["overall"]["total_requests"] == REPLAYED
    await asyncio.sleep(0)
    rig.tell("F02 replay", f"{REPLAYED} rows in {seconds:.2f} s")
    rig.gate("seconds for a replay", seconds, REPLAY_S)
