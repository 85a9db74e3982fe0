"""Monthly reports, each written by a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest
from msgspec.structs import replace

from farthing.app import reporting
from farthing.app.reporting import Reporter, check_installed, main, written
from farthing.background.clock import ManualClock
from farthing.domain.budget import span
from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Conflict, NotInstalled, Unavailable
from farthing.domain.keys import Caller, Key
from farthing.domain.pricing import PriceData
from farthing.gateway.snapshot import Snapshot, Snapshots
from farthing.ports import Stretch
from farthing.ports.reports import Order
from farthing.store import open_store
from tests.conformance.store.samples import NOON_US, exchange

_SPAN = span("month", NOON_US)
ORDER = Order(
    month="2025-12",
    stretch=Stretch(_SPAN.start_us, _SPAN.end_us),
    tenant="acme",
    format="json",
    is_demo=False,
    now_us=NOON_US,
)
PRICES = PriceData(source="list", newest="2025-11-30")
SNAPSHOTS = Snapshots(
    Snapshot(catalogue=Catalogue(models={}, prices=PRICES), providers={}, strategies={}, strategy="complexity")
)


@pytest.fixture
async def url(migrated_file: Path, tmp_path: Path) -> str:
    """Of a database with two requests and the key that they came with."""
    url = f"sqlite:///{copy(migrated_file, tmp_path / 'farthing.db')}"
    store = open_store(url, clock=ManualClock(NOON_US))
    key = Key(caller=Caller(tenant="acme", key_id="key-1"), name="Support desk", hint="…")
    await store.keys.create(key, b"digest", created_at_us=1)
    await store.ingest.write([exchange(), exchange(tags={})])
    await store.aclose()
    return url


async def whole(reporter: Reporter, order: Order) -> bytes:
    """The file."""
    document = await reporter(order)
    pieces = [piece async for piece in document]
    await document.aclose()
    return b"".join(pieces)


async def test_the_process_writes_what_is_written_here(url: str) -> None:
    """From the same database, with the names that people gave keys."""
    reporter = Reporter(url, SNAPSHOTS)
    store = open_store(url, clock=ManualClock(NOON_US))
    here = b"".join([piece async for piece in written(store, replace(ORDER, prices=PRICES))])
    await store.aclose()
    assert await whole(reporter, ORDER) == here
    found = json.loads(here)
    assert found["prices"] == {"source": "list", "newest": "2025-11-30"}
    assert [(key["name"], key["label"], key["cost"]) for key in found["by_key"]] == [
        ("key-1", "Support desk", 0.0000006)
    ]
    assert set(reporter.formats) == {"csv", "json", "summary", "pdf", "focus"}


def program(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """In the place of the process: a short one that has read its order."""
    monkeypatch.setattr(reporting, "_PROGRAM", f"import os, sys, time; sys.stdin.buffer.read(); {what}")


async def test_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for another is told to wait, until one is closed, read or not."""
    program(monkeypatch, "os.write(1, b'x'); time.sleep(60)")
    reporter = Reporter("sqlite://", SNAPSHOTS)
    first, second = [await reporter(ORDER) for _ in range(reporting.MOST)]
    with pytest.raises(Conflict, match="reports are being written"):
        await reporter(ORDER)
    await first.aclose()
    assert first._process.returncode == -signal.SIGKILL
    program(monkeypatch, "os.write(1, b'all')")
    assert await whole(reporter, ORDER) == b"all"
    await second.aclose()
    assert reporter._free == reporting.MOST


@pytest.mark.parametrize(
    ("what", "longest", "error"),
    [
        ("sys.exit(1)", 60, "broken off"),
        ("os.write(1, b'x'); sys.exit(1)", 60, "broken off"),
        ("time.sleep(60)", 0, "took too long"),
    ],
)
async def test_a_report_that_breaks_off_is_an_error(
    monkeypatch: pytest.MonkeyPatch, what: str, longest: int, error: str
) -> None:
    """At its beginning, later, or where it takes too long; and whoever comes next has its turn."""
    program(monkeypatch, what)
    monkeypatch.setattr(reporting, "LONGEST", timedelta(seconds=longest))
    reporter = Reporter("sqlite://", SNAPSHOTS)
    with pytest.raises(Unavailable, match=error):
        async with aclosing(await reporter(ORDER)) as document:
            [piece async for piece in document]
    assert reporter._free == reporting.MOST


async def test_the_process_ends_with_an_error_where_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It writes nothing."""
    order = reporting._encode(("sqlite:////nowhere/farthing.db", ORDER))
    monkeypatch.setattr(reporting, "give_way", lambda: None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(order)))
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    assert (ended.value.code, capfdbinary.readouterr().out) == (1, b"")


async def test_a_format_whose_extra_is_missing_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a process is started, with what to install."""
    monkeypatch.setattr("farthing.reports.find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match=r"install `farthing\[pdf\]`"):
        await Reporter(url, SNAPSHOTS)(replace(ORDER, format="pdf"))
    check_installed("csv")
