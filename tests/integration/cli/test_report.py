"""farthing report writes the month's file."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

import pytest

from farthing import reports
from farthing.background.clock import SystemClock
from farthing.store import open_store
from tests.conformance.store.samples import exchange
from tests.servers.command import Farthing
from tests.servers.sqlite import migrated


@pytest.fixture
def database(tmp_path: Path) -> str:
    """With two requests at noon of 1 December 2025."""
    url = f"sqlite:///{tmp_path / 'farthing.db'}"
    migrated(url)

    async def fill() -> None:
        store = open_store(url, clock=SystemClock())
        await store.ingest.write([exchange(), exchange(tenant="other", tags={"a": "=1+1"}, team="@SUM(A1)")])
        await store.aclose()

    asyncio.run(fill())
    return url


def test_a_report_is_a_file(farthing: Farthing, database: str, tmp_path: Path) -> None:
    """Whole or not at all; a name in it is no formula."""
    said = farthing("report", "--month", "2025-12", "--format", "csv", "-o", "december.csv", DATABASE_URL=database)
    assert (said.status, said.out, said.err) == (0, "", "")
    with (tmp_path / "december.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["tenant"], row["team"], row["cost_usd"]) for row in rows] == [
        ("acme", "support", "0.0000003"),
        ("other", "'@SUM(A1)", "0.0000003"),
    ]
    assert sorted(path.name for path in tmp_path.glob("december*")) == ["december.csv"]


def test_the_file_may_be_for_one_tenant_and_go_on_to_another_program(farthing: Farthing, database: str) -> None:
    """To standard output, as JSON unless said otherwise."""
    said = farthing("report", "--month", "2025-12", "--tenant", "other", DATABASE_URL=database)
    assert (json.loads(said.out)["tenant"], json.loads(said.out)["total"]["requests"]) == ("other", 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--month", "2025-13"), '"2025-13" is no month: expected one such as 2026-11'),
        (
            ("--month", "2025-12", "--format", "doc"),
            'there is no format "doc": expected one of csv, json, summary, focus, pdf',
        ),
        (("--month", "2025-12", "-o", "nowhere/december.json"), "nowhere/december.json: No such file or directory"),
    ],
)
def test_what_is_no_report_is_refused(farthing: Farthing, database: str, arguments: list[str], error: str) -> None:
    """In one line, with what is wrong."""
    said = farthing("report", *arguments, DATABASE_URL=database)
    assert (said.status, said.out, said.err) == (1, "", f"farthing: {error}\n")


def test_a_missing_extra_is_told(farthing: Farthing, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the database is opened."""
    monkeypatch.setattr(reports, "find_spec", lambda name: None)
    said = farthing("report", "--month", "2025-12", "--format", "pdf", DATABASE_URL=database)
    assert said.status == 1
    assert "install `farthing[pdf]`" in said.err
