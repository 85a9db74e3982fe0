"""`make bench-page`: the page over ten million requests, in a real browser, on SQLite and PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import store as keep
from benchmarks.page.seeding import seed
from benchmarks.page.tables import Looked, over, told
from benchmarks.page.visits import ADDRESSES, browsing, visit
from tests.servers.gateway import Gateway, running
from tests.servers.postgres import Postgres

DATABASES = ("sqlite", "postgresql")
KEY = "sk-farthing-of-the-page-benchmark"
HEADERS = {"authorization": f"Bearer {KEY}"}
ENVIRONMENT = {"FARTHING_MASTER_KEY": KEY, "OPENAI_API_KEY": "sk-asks-nobody"}
"""A gateway that is no demo, whose ledger an admin looks at."""
TENANTS = ("tenant-0", "tenant-1", "tenant-2")
BUDGETS = 10
"""Of each tenant."""
VISITS = 3
BYTES_A_ROW = 1_500
"""Room that the largest database needs, sums and indices included."""


def look(database: str, url: str, *, rows: int, seconds: float) -> Looked:
    """Serves this database, and opens every address in turns."""
    with running("", database=url, environment=ENVIRONMENT) as gateway, browsing() as browser:
        furnish(gateway)
        for address in ADDRESSES.values():
            visit(browser, gateway.url + address, HEADERS)
        visits = {
            name: [visit(browser, gateway.url + address, HEADERS) for _ in range(VISITS)]
            for name, address in ADDRESSES.items()
        }
        return Looked(database=database, rows=rows, seconds=seconds, visits=visits, load=os.getloadavg()[0])


def furnish(gateway: Gateway) -> None:
    """The tenants with their budgets, and an experiment that runs."""
    for tenant in TENANTS:
        post(gateway, "/admin/tenants", {"tenant": tenant})
        for number in range(BUDGETS):
            scope = {"scope": "user", "subject": f"user-{number}", "tenant": tenant}
            post(gateway, "/admin/budgets", {**scope, "window": "month", "limit": 1000})
    plan = {"name": "Is it as good?", "control_strategy": "gpt-5", "test_strategy": "hybrid", "sample_size": 1000}
    post(gateway, "/experiments", plan)


def post(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    """Raises `HTTPError` where the gateway refuses it."""
    sent = {**HEADERS, "content-type": "application/json"}
    request = urllib.request.Request(gateway.url + path, json.dumps(body).encode(), sent)  # noqa: S310 (loopback)
    urllib.request.urlopen(request).close()  # noqa: S310 (loopback)


@contextmanager
def empty(kind: str) -> Iterator[str]:
    """The URL of a database while the block runs."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="farthing-page-") as folder:
            yield f"sqlite:///{Path(folder) / 'farthing.db'}"
        return
    server = Postgres()
    try:
        server.start()
        yield server.url()
    finally:
        server.remove()


def main() -> int:
    """The exit code, 1 where anything is over its goal; prints the tables and stores them."""
    options = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__)
    options.add_argument("rows", type=int, nargs="?", default=10_000_000)
    options.add_argument("--databases", nargs="*", default=DATABASES, choices=DATABASES)
    chosen = options.parse_args()
    if chosen.rows * BYTES_A_ROW > shutil.disk_usage(tempfile.gettempdir()).free:
        print(f"{chosen.rows:,} rows need about {chosen.rows * BYTES_A_ROW >> 30} GiB of disk.")
        return 1
    looked = list[Looked]()
    for kind in chosen.databases:
        with empty(kind) as url:
            begin = time.monotonic()
            asyncio.run(seed(url, chosen.rows))
            seconds = time.monotonic() - begin
            print(f"{kind}: filled in {seconds:.0f} s", flush=True)
            looked.append(look(kind, url, rows=chosen.rows, seconds=seconds))
    text = told(looked)
    print(text)
    keep("page", text)
    return 1 if any(map(over, looked)) else 0


if __name__ == "__main__":
    sys.exit(main())
