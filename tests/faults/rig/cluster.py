"""Gateways, their vendor and their keys: started for one row, and looked at from outside."""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_bytes

import msgspec
from msgspec import Struct

from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.domain.ids import uuid7
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest, mint
from farthing.store import migrate, open_store
from tests.faults.rig.load import Holder
from tests.faults.rig.words import NANO_IN, NANO_OUT, Entry, Mood
from tests.servers.gateway import Gateway
from tests.servers.process import Server, free_port, private_folder

ROOT = Path(__file__).parents[3]
PROVIDER_KEY = "vendor-secret-5f1c"
"""A canary: what the gateway shows the vendor must be seen nowhere else."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SECONDS = 5.0


class Vendors(Server):
    """Every deployment `a`, `b`, `c`, … at one port, in a process of its own."""

    as_ourselves = True

    def __init__(self) -> None:
        folder, port = private_folder("vendor"), free_port()
        self.ledger = folder / "ledger"
        command: list[str | Path] = [sys.executable, "-m", "tests.faults.rig.upstream", str(port), self.ledger]
        super().__init__("the vendor", folder=folder, port=port, command=command)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self.environment = {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}

    def ready(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def be(self, **moods: Mood) -> None:
        """From now on these deployments are in these moods."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("POST", "/control", msgspec.json.encode(moods))
        assert connection.getresponse().status == 200
        connection.close()

    def entries(self) -> dict[str, Entry]:
        """The newest line about each request, by the vendor's own id."""
        if not self.ledger.exists():
            return {}
        lines = self.ledger.read_bytes().splitlines()
        entries = (msgspec.json.decode(line, type=Entry) for line in lines)
        return {entry.id: entry for entry in entries}


def settings(ports: Mapping[str, int], *, more: str = "", timeouts: str = "", drain_s: int = 10) -> str:
    """A farthing.toml with one provider and one model for each deployment; `ports` say where each is reached."""
    waits = "[providers.{}.timeouts]\n" + timeouts if timeouts else ""
    providers = [
        f'[providers.{name}]\ndialect = "openai"\nbase_url = "http://127.0.0.1:{port}/{name}/v1"\n'
        f'api_key_env = "VENDOR_SECRET"\n{waits.format(name)}\n'
        for name, port in ports.items()
    ]
    models = [
        f'[[models]]\nname = "model-{name}"\nprovider = "{name}"\ntier = "simple"\ncontext_tokens = 1000000\n'
        f"input_usd_per_mtok = {NANO_IN / 1000}\noutput_usd_per_mtok = {NANO_OUT / 1000}\n"
        for name in ports
    ]
    return "\n".join([f"[server]\ndrain_s = {drain_s}\n", more, *providers, *models])


def gateway(text: str, **options: object) -> Gateway:
    """A gateway that knows the vendor's key, not started yet; `options` as of `Gateway`."""
    environment = {"VENDOR_SECRET": PROVIDER_KEY, **options.pop("environment", {})}  # type: ignore[dict-item]
    return Gateway(text, environment=environment, **options)  # type: ignore[arg-type]


async def holders(url: str, *, tenants: int = 4, keys: int = 8) -> list[Holder]:
    """New keys in the database at `url`, which is brought up to date for them."""
    clock = SystemClock()
    await migrate(url)
    store = open_store(url, clock=clock)
    made = []
    try:
        for number in range(keys):
            secret, tenant = mint(token_bytes(32)), f"tenant{number % tenants}"
            key_id = uuid7(clock.now_us(), number)
            caller = Caller(tenant=tenant, key_id=key_id, team=f"team{number % 3}")
            key = Key(caller=caller, name=f"key {number}", hint="…")
            await store.keys.create(key, digest(secret), created_at_us=clock.now_us())
            made.append(Holder(secret, key_id, tenant))
    finally:
        await store.aclose()
    return made


async def limit(url: str, budget: Budget) -> None:
    """A budget in the database at `url`."""
    store = open_store(url, clock=SystemClock())
    try:
        await store.budgets.create(budget, created_at_us=SystemClock().now_us())
    finally:
        await store.aclose()


def workers(serving: Gateway) -> list[int]:
    """Its worker processes, or its own where there is just one."""
    children = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
    found = [int(pid) for pid in children if b"spawn_main" in _command_line(pid)]
    return sorted(found) or [serving.pid]


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Vitals(Struct, frozen=True):
    """What processes hold: memory in bytes, open files, and the seconds of CPU they have used."""

    memory: int
    files: int
    cpu_s: float


def vitals(pids: Sequence[int]) -> Vitals:
    """All of them together."""
    memory = files = ticks = 0
    for pid in pids:
        process = Path(f"/proc/{pid}")
        memory += int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        files += len(list((process / "fd").iterdir()))
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return Vitals(memory, files, ticks / os.sysconf("SC_CLK_TCK"))


def callers_of(pid: int, *, at: int | None = None) -> set[int]:
    """The far ports of a process's connections: of all, or of those that it has taken `at` a port of its own."""
    inodes = {match[1] for link in _links(pid) if (match := re.match(r"socket:\[(\d+)\]", link))}
    rows = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    ends = [[int(row[side].rpartition(":")[2], 16) for side in (1, 2)] for row in rows if row[9] in inodes]
    return {far for own, far in ends if at is None or (own == at and far)}


def _links(pid: int) -> list[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except OSError:
            continue
    return links
