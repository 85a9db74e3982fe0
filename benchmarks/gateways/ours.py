"""Farthing as its users run it, with everything on: key, budget, exact cache, journal, ledger, metrics, log."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gateways.contestant import Contestant, answers
from benchmarks.gateways.installing import NotInstallable, reason
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import Call, Row
from benchmarks.machine import ROOT
from benchmarks.mocked import MOCKED
from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.domain.pricing import NANO
from farthing.store import open_store
from tests.servers.gateway import Gateway
from tests.servers.process import ServerFailed

BOOKED_SECONDS = 120.0
INTERPRETED, COMPILED = ROOT / "src", ROOT / "build" / "compiled"
TENANT = "benchmark"
BUDGET_USD = 1_000_000
SETTINGS = (
    MOCKED
    + """
[providers.mock-tls]
dialect = "openai"
base_url = "{tls_url}/v1"
api_key_env = "TEST_VENDOR_KEY"
[[models]]
name = "mock-tls"
provider = "mock-tls"
upstream = "mock"
tier = "simple"
input_usd_per_mtok = 0.25
output_usd_per_mtok = 1.25
"""
)


class FarthingServer(Gateway):
    """`farthing serve` with a virtual key that has a budget; ready when that key got an answer."""

    def __init__(
        self,
        rig: Rig,
        *,
        url: str | None = None,
        workers: int = 1,
        cores: tuple[int, ...] = (SERVED_CORE,),
        package: Path = INTERPRETED,
        database: str | None = None,
    ) -> None:
        """`url` is the vendor's in clear, if not the rig's; `package` the folder that holds the package to be run.

        `database` is a URL, if not that of a SQLite file of its own.
        """
        environment = {
            "PYTHONPATH": str(package),
            "TEST_VENDOR_KEY": "any",
            "FARTHING_MASTER_KEY": "the-master-key-of-this-benchmark",
            "SSL_CERT_FILE": str(rig.certificates.authority),
        }
        settings = SETTINGS.format(url=url or rig.url, tls_url=rig.tls_url)
        super().__init__(settings, environment=environment, workers=workers, runner=pinned(*cores), database=database)
        self._store = database or f"sqlite:///{self.database}"
        self.key = self._key()

    @property
    def database(self) -> Path:
        """Its SQLite file, where it has one."""
        return self.folder / "farthing.db"

    def asked(self, model: str = "mock") -> Call:
        """A request with the key, cache on."""
        headers = {"authorization": f"Bearer {self.key}", "x-farthing-cache": "on"}
        return Call(url=self.url, model=model, headers=headers)

    def ready(self) -> bool:
        """Whether the key gets an answer from the vendor."""
        return answers(self.asked())

    def booked(self) -> int:
        """Rows in the ledger."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            [[rows]] = connection.execute("SELECT count(*) FROM requests")
            return int(rows)
        finally:
            connection.close()

    def _key(self) -> str:
        farthing = Path(sys.executable).with_name("farthing")
        command: list[str | Path] = [farthing, "keys", "create", "benchmark", "--owner", TENANT, "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerFailed(f"farthing keys create: {done.stderr}")
        asyncio.run(self._limit())
        return str(json.loads(done.stdout)["secret"])

    async def _limit(self) -> None:
        clock = SystemClock()
        store = open_store(self._store, clock=clock)
        budget = Budget(id="b1", tenant=TENANT, scope="tenant", subject=TENANT, window="month", limit=BUDGET_USD * NANO)
        try:
            await store.budgets.create(budget, created_at_us=clock.now_us())
        finally:
            await store.aclose()


class Farthing(Contestant):
    """One worker on the served core; its processor time includes writing every row, also after the load has ended."""

    title = "Farthing"
    version = importlib.metadata.version("farthing")

    def __init__(self, rig: Rig, package: Path = INTERPRETED) -> None:
        self.server: FarthingServer = FarthingServer(rig, package=package)
        self._expected = 0

    def call(self, row: Row) -> Call:
        """Another model where the vendor is behind TLS."""
        return self.server.asked("mock-tls" if row == "tls" else "mock")

    def start(self) -> float:
        """As every contestant; the first answers are counted, too."""
        seconds = super().start()
        time.sleep(1)
        self._expected = self.server.booked()
        return seconds

    def settle(self, answered: int) -> None:
        """Waits until every answer stands in the ledger. Raises `AssertionError` where one does not."""
        self._expected += answered
        end = time.monotonic() + BOOKED_SECONDS
        while (booked := self.server.booked()) < self._expected:
            assert time.monotonic() < end, f"{self._expected - booked} answered requests are not in the ledger"
            time.sleep(0.2)


class Compiled(Farthing):
    """The same, from the folder that `make compiled` makes. Raises `NotInstallable` where that cannot be made."""

    title = "Farthing compiled"

    def __init__(self, rig: Rig) -> None:
        made = subprocess.run(["make", "--silent", "compiled"], cwd=ROOT, capture_output=True, text=True, check=False)
        if made.returncode:
            raise NotInstallable(f"make compiled: {reason(made.stdout)}")
        super().__init__(rig, COMPILED)
