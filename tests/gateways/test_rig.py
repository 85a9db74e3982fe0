"""The benchmark's rig around real servers: everything is counted, and what is kept is not asked for again."""

import os
from collections.abc import Iterator

import pytest

from benchmarks.gateways import contestant
from benchmarks.gateways.limits import BUSY_US, BusyFloor, Direct, Floor, Passing
from benchmarks.gateways.measuring import measure
from benchmarks.gateways.ours import Farthing
from benchmarks.gateways.rig import LOAD_CORE, SERVED_CORE, Rig
from benchmarks.gateways.rows import Row

SECONDS = 0.1

pytestmark = pytest.mark.skipif(
    not {SERVED_CORE, LOAD_CORE} <= os.sched_getaffinity(0), reason="the benchmark needs two cores"
)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """The mock, in clear and behind TLS."""
    with Rig() as started:
        yield started


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nginx leaves for later is nothing."""
    monkeypatch.setattr(contestant, "SETTLE_SECONDS", 0.01)


def test_nginx_passes_on_every_request(rig: Rig) -> None:
    """In clear, event by event and over TLS, the mock gets one request for each answer."""
    passing = Passing(rig)
    rows: tuple[Row, ...] = ("forwarded", "streaming", "tls")
    try:
        assert passing.start() > 0
        taken = {row: measure(passing, row, vendor=rig.mock, seconds=SECONDS) for row in rows}
    finally:
        passing.server.remove()
    for row, sample in taken.items():
        assert (sample.errors, sample.first_error, sample.reached) == (0, "", 1.0)
        assert (sample.events_per_second > 0) == (row == "streaming")
        assert sample.per_second > 0
        assert sample.mib > 0


def test_the_floor_passes_on_every_request(rig: Rig) -> None:
    """In clear, event by event and over TLS; from its memory it answers without asking."""
    floor = Floor(rig)
    rows: tuple[Row, ...] = ("forwarded", "hit", "streaming", "tls")
    try:
        floor.start()
        taken = {row: measure(floor, row, vendor=rig.mock, seconds=SECONDS) for row in rows}
    finally:
        floor.server.remove()
    for row, sample in taken.items():
        assert (sample.errors, sample.first_error, sample.reached) == (0, "", float(row != "hit")), row
        assert (sample.events_per_second > 0) == (row == "streaming")


def test_a_busy_floor_answers_no_faster_than_its_work_lets_it(rig: Rig) -> None:
    """One core has so many times its work in a second."""
    floor = BusyFloor(rig)
    try:
        floor.start()
        sample = measure(floor, "forwarded", vendor=rig.mock, seconds=SECONDS)
    finally:
        floor.server.remove()
    assert (sample.errors, sample.reached) == (0, 1.0)
    assert 0 < sample.per_second < 1e6 / BUSY_US


def test_farthing_is_asked_with_everything_on(rig: Rig) -> None:
    """A key with a budget gets every answer, from the vendor or from memory, and each stands in the ledger."""
    ours = Farthing(rig)
    rows: tuple[Row, ...] = ("forwarded", "hit")
    try:
        ours.start()
        taken = {row: measure(ours, row, vendor=rig.mock, seconds=SECONDS) for row in rows}
    finally:
        ours.server.remove()
    assert {row: (one.errors, one.first_error, one.reached) for row, one in taken.items()} == {
        "forwarded": (0, "", 1.0),
        "hit": (0, "", 0.0),
    }
    assert taken["forwarded"].cpu_us > 0


def test_the_mock_itself_keeps_running(rig: Rig) -> None:
    """It is measured like all others, but never frozen, since all others ask it."""
    direct = Direct(rig)
    assert measure(direct, "forwarded", vendor=rig.mock, seconds=SECONDS).errors == 0
    assert rig.mock.ready()
