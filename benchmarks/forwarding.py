"""`make bench`: forwarded requests per second on one core, with everything on, beside nginx `proxy_pass`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence

import msgspec

from benchmarks.accounting import account
from benchmarks.load import CONNECTIONS, put_load
from benchmarks.machine import store
from benchmarks.nginx import Nginx, mock, proxy
from benchmarks.tables import aligned
from tests.servers.gateway import Gateway

SERVED_CORE, LOAD_CORE = 0, 1
MASTER_KEY = "the-master-key-of-this-benchmark"
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {MASTER_KEY}"}
SETTLED_SECONDS = 120.0
SETTINGS = """
[routing]
baseline = "mock"
[providers.mock]
dialect = "openai"
base_url = "{url}/v1"
api_key_env = "TEST_VENDOR_KEY"
[[models]]
name = "mock"
provider = "mock"
tier = "simple"
input_usd_per_mtok = 0.25
output_usd_per_mtok = 1.25
"""


class Round(msgspec.Struct, frozen=True):
    """One measurement: answers per second, processor µs for each, MiB after, and seconds the ledger was behind."""

    per_second: float
    cpu_us: float
    p50_us: float
    resident_mib: float
    behind_s: float


def measure(server: Nginx | Gateway, seconds: int) -> Round:
    """One round; the processor time of the gateway includes whatever it still had to write down afterwards."""
    booked = requests_booked(server) if isinstance(server, Gateway) else 0
    before = account(server.pid).cpu_seconds
    load = put_load(server.url, seconds=seconds, core=LOAD_CORE, headers=HEADERS)
    behind = wait_booked(server, booked + load.requests) if isinstance(server, Gateway) else 0.0
    after = account(server.pid)
    return Round(
        per_second=load.per_second,
        cpu_us=(after.cpu_seconds - before) / load.requests * 1e6,
        p50_us=load.p50_us,
        resident_mib=after.resident_mib,
        behind_s=behind,
    )


def requests_booked(gateway: Gateway) -> int:
    """Rows in the ledger, by the totals."""
    request = urllib.request.Request(f"{gateway.url}/stats", headers=HEADERS)  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (loopback)
        return int(json.load(response)["overall"]["total_requests"])


def wait_booked(gateway: Gateway, requests: int) -> float:
    """Seconds until every answered request stands in the ledger."""
    started = time.monotonic()
    while (booked := requests_booked(gateway)) < requests:
        waited = time.monotonic() - started
        assert waited < SETTLED_SECONDS, f"{requests - booked} answered requests are not in the ledger"
        time.sleep(0.25)
    return time.monotonic() - started


def table(rounds: dict[str, list[Round]], *, seconds: int) -> str:
    """Medians of all rounds, and ratios to `proxy_pass`."""
    limit = _median(rounds["nginx proxy_pass"], "per_second")
    lines = [
        (
            name,
            f"{_median(each, 'per_second'):,.0f}",
            f"{_median(each, 'per_second') / limit:.3f}",
            f"{_median(each, 'cpu_us'):.1f}",
            f"{_median(each, 'p50_us') / 1000:.2f}",
            f"{_median(each, 'resident_mib'):.0f}",
            f"{_median(each, 'behind_s'):.1f}",
            " ".join(f"{one.per_second:,.0f}" for one in each),
        )
        for name, each in rounds.items()
    ]
    head = ("", "requests/s", "of proxy_pass", "CPU µs", "p50 ms", "MiB", "ledger behind s", "each round")
    notes = [
        f"{CONNECTIONS} connections for {seconds} s, rounds interleaved, medians. The server under test is alone on",
        "one core, wrk and the vendor's mock (nginx, return 200) share another: `direct` is their ceiling.",
        "Farthing: key checked, hold, journal, ledger in SQLite; no two requests in flight are the same. Its CPU time",
        "includes writing every row, also after the load has ended.",
    ]
    return "\n".join([*aligned([head, *lines]), "", *notes])


def _median(rounds: Sequence[Round], field: str) -> float:
    return float(statistics.median(getattr(each, field) for each in rounds))


def main() -> int:
    """The exit code; prints the table and stores it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=5)
    chosen = options.parse_args()
    if len(os.sched_getaffinity(0)) <= max(SERVED_CORE, LOAD_CORE):
        print("The forwarding benchmark needs two cores: one for the server under test, one for load and mock.")
        return 1
    vendor = mock(LOAD_CORE)
    pinned = ("taskset", "-c", str(SERVED_CORE))
    environment = {"FARTHING_MASTER_KEY": MASTER_KEY, "TEST_VENDOR_KEY": "any"}
    passing = proxy(vendor, SERVED_CORE)
    gateway = Gateway(SETTINGS.format(url=vendor.url), environment=environment, runner=pinned)
    servers: dict[str, Nginx | Gateway] = {"direct": vendor, "nginx proxy_pass": passing, "Farthing": gateway}
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    try:
        for server in servers.values():
            server.start()
            put_load(server.url, seconds=1, core=LOAD_CORE, headers=HEADERS)
        for _ in range(chosen.rounds):
            for name, server in servers.items():
                rounds[name].append(measure(server, chosen.seconds))
    finally:
        for server in servers.values():
            server.remove()
    text = table(rounds, seconds=chosen.seconds)
    print(text)
    store("forwarding", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
