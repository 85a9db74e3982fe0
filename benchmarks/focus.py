"""`make validate-focus`: a month's report held to FOCUS 1.0 by the specification's own validator."""

from __future__ import annotations

import asyncio
import csv
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.reports import filled, month
from farthing.app.reporting import written
from farthing.background.clock import SystemClock
from farthing.store import open_store
from farthing.store.engine import Engines
from farthing.store.schema import requests

VALIDATOR = Path(".benchmarks/focus")
"""An environment of its own: the validator wants an older numpy than ours."""
ROWS = 3_000
NAMES = {
    "ChargeType": "ChargeCategory",
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
}
"""Columns that the validator asks for by names they had before version 1.0, and what version 1.0 calls them."""


async def report(url: str) -> str:
    """The file of a month with costs of every kind: counted, estimated, unpriced, and of requests without a vendor."""
    await filled(url, ROWS)
    engines = Engines(url)
    kinds: tuple[dict[str, Any], ...] = (
        {"estimated": True},
        {"cost": None},
        {"provider": None, "team": None},
        {"model": None, "cost": 5},
    )
    async with engines.writing("migration") as connection:
        for number, kind in enumerate(kinds):
            some = sa.func.abs(sa.func.random()) % 10 == number
            await connection.execute(sa.update(requests).where(some).values(kind))
    await engines.aclose()
    store = open_store(url, clock=SystemClock())
    text = b"".join([piece async for piece in written(store, month("focus"))]).decode()
    await store.aclose()
    return text


def under_both_names(text: str) -> tuple[str, int]:
    """The same file with the renamed columns under their old names too, and how many rows it has."""
    rows = [{**row, **{old: row[new] for old, new in NAMES.items()}} for row in csv.DictReader(io.StringIO(text))]
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue(), len(rows)


def main() -> None:
    """Prints what the validator says, and fails where it faults anything."""
    with tempfile.TemporaryDirectory(prefix="farthing-focus-") as folder:
        text, count = under_both_names(asyncio.run(report(f"sqlite:///{Path(folder) / 'farthing.db'}")))
        file = Path(folder) / "focus.csv"
        file.write_text(text, encoding="utf-8")
        # Its list of currencies is looked for where its package lies.
        [package] = VALIDATOR.resolve().glob("lib/python*/site-packages")
        program = VALIDATOR.resolve() / "bin/focus-validator"
        command = [str(program), "--validate-version", "1.0", "--data-file", str(file)]
        done = subprocess.run(command, cwd=package, check=False, capture_output=True, text=True)
    print(f"{count} rows: {done.stdout.strip()}{done.stderr}")
    # It ends well whatever it finds.
    sys.exit("Validation succeeded." not in done.stdout)


if __name__ == "__main__":
    main()
