"""Counts what real requests ask of real servers: two workers before PgBouncer, PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
from msgspec import Struct
from msgspec.structs import asdict

from benchmarks.accounting import account
from benchmarks.mocked import MOCKED
from benchmarks.scale.servers import DATABASE, Servers
from tests.servers.gateway import Gateway

REQUESTS = 2000
STREAMS, WORDS = 500, 210
"""Streamed answers, with the events of a mean one in the trace."""
AT_ONCE = 8
"""Few enough that the pools of two workers never run short, so that nothing asked is left out."""
WORKERS = 2
IDLE_SECONDS = 6.0
SETTLE_SECONDS = 3.0
BOOKED_SECONDS = 30.0
MASTER_KEY = "the-master-key-of-this-count"
HEADERS = {"authorization": f"Bearer {MASTER_KEY}", "x-farthing-cache": "on"}

Body = dict[str, object]
KINDS = (
    ("ledger", r"farthing_batch|INSERT INTO (requests|value_metrics)|UPDATE response_cache"),
    ("answer kept", r"INSERT INTO response_cache"),
    ("answer looked up", r"SELECT response_cache\.entry"),
    ("transactions", r"^BEGIN"),
    ("their ends and limits", r"^(COMMIT|ROLLBACK|SELECT set_config)"),
    ("snapshot", r"^SELECT"),
)
"""Kinds of statements, the first that matches."""
SIZES = "SELECT pg_current_wal_lsn() - '0/0', pg_total_relation_size('response_cache')"


class Work(Struct, frozen=True):
    """What was asked of the servers, and how long that took."""

    seconds: float
    requests: int
    redis: dict[str, float]
    """Commands by name."""
    redis_cpu_us: float
    redis_bytes: float
    """In and out."""
    redis_memory: float
    """Bytes that it keeps more than before."""
    postgres: dict[str, float]
    """Statements by kind."""
    wal_bytes: float
    postgres_cpu_us: float
    answers_disk: float
    """Bytes that the table of kept answers and its indices have grown."""
    gateway_cpu_us: float

    def less(self, idle: Work) -> Work:
        """What is left without that which two idle workers ask in the same time."""
        part = self.seconds / idle.seconds

        left: dict[str, Any] = {
            name: {key: each - part * getattr(idle, name).get(key, 0.0) for key, each in value.items()}
            if isinstance(value, dict)
            else value - part * getattr(idle, name)
            for name, value in asdict(self).items()
        }
        return Work(**left | {"seconds": self.seconds, "requests": self.requests})


class Counts(Struct, frozen=True):
    """Both workers at rest, and with that left out: distinct requests, streams, the first again, and one of them."""

    idle: Work
    forwarded: Work
    streamed: Work
    again: Work
    repeated: Work


def count(servers: Servers, vendor_url: str) -> Counts:
    """All four, on a gateway of its own."""
    gateway = Gateway(
        MOCKED.format(url=vendor_url),
        environment={"FARTHING_MASTER_KEY": MASTER_KEY, "TEST_VENDOR_KEY": "any"},
        database=servers.pgbouncer.url(DATABASE),
        redis=servers.redis.url,
        workers=WORKERS,
    )
    distinct = [_body(f"Question {number}: what is an event loop?") for number in range(REQUESTS)]
    streams = [_body(f"Stream {number}", stream=True, max_tokens=WORDS) for number in range(STREAMS)]
    try:
        gateway.start()
        # Both workers are up, and partitions and statistics are there, before anything is counted.
        _ask_all(servers, gateway, [_body(f"Before {number}") for number in range(100)])
        time.sleep(SETTLE_SECONDS)
        watch = _Watch(servers, gateway)
        idle = watch.of(lambda: time.sleep(IDLE_SECONDS), 0)
        runs = [
            watch.of(partial(_ask_all, servers, gateway, bodies), len(bodies)).less(idle)
            for bodies in (distinct, streams, distinct, distinct[:1] * REQUESTS)
        ]
    finally:
        gateway.remove()
    return Counts(idle, *runs)


def _body(prompt: str, **more: object) -> Body:
    return {"model": "mock", "messages": [{"role": "user", "content": prompt}], **more}


def kind(statement: str) -> str:
    """The kind of a statement of PostgreSQL."""
    return next((name for name, pattern in KINDS if re.search(pattern, statement)), "other")


class _Watch:
    """Reads the servers' own figures before and after."""

    def __init__(self, servers: Servers, gateway: Gateway) -> None:
        self._servers = servers
        self._gateway = gateway

    def of(self, work: Callable[[], object], requests: int) -> Work:
        """What the servers were asked meanwhile."""
        before, started = self._read(), time.monotonic()
        work()
        seconds, after = time.monotonic() - started, self._read()
        more: dict[str, Any] = {
            name: _less(value, before[name]) if isinstance(value, dict) else value - before[name]
            for name, value in after.items()
        }
        return Work(seconds=seconds, requests=requests, **more)

    def _read(self) -> dict[str, Any]:
        postgres, redis = self._servers.postgres, self._servers.redis
        statements: dict[str, float] = {}
        listed = postgres.execute("SELECT json_agg(json_build_array(query, calls)) FROM pg_stat_statements", DATABASE)
        for query, calls in json.loads(listed):
            if "pg_stat" not in query:
                statements[kind(query)] = statements.get(kind(query), 0.0) + calls
        wal, answers = map(float, postgres.execute(SIZES, DATABASE).split("|"))
        usage, traffic = redis.info("cpu"), redis.info("stats")
        calls_of = {
            name.removeprefix("cmdstat_"): float(re.search(r"calls=(\d+)", told)[1])  # type: ignore[index]
            for name, told in redis.info("commandstats").items()
            if not name.startswith(("cmdstat_info", "cmdstat_client", "cmdstat_hello"))
        }
        return {
            "redis": calls_of,
            "redis_cpu_us": 1e6 * (float(usage["used_cpu_user"]) + float(usage["used_cpu_sys"])),
            "redis_bytes": float(traffic["total_net_input_bytes"]) + float(traffic["total_net_output_bytes"]),
            "redis_memory": float(redis.info("memory")["used_memory"]),
            "postgres": statements,
            "wal_bytes": wal,
            "answers_disk": answers,
            "postgres_cpu_us": 1e6 * postgres.cpu_seconds,
            "gateway_cpu_us": 1e6 * account(self._gateway.pid).cpu_seconds,
        }


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def _ask_all(servers: Servers, gateway: Gateway, bodies: Sequence[Body]) -> None:
    """Returns once every answer stands in the ledger. Raises `AssertionError` where one was refused or is lost."""
    booked = _booked(servers)
    asyncio.run(_ask(gateway.url, bodies))
    end = time.monotonic() + BOOKED_SECONDS
    while (rows := _booked(servers) - booked) < len(bodies):
        assert time.monotonic() < end, f"{len(bodies) - rows} answers are not in the ledger"
        time.sleep(0.1)
    assert rows == len(bodies)


def _booked(servers: Servers) -> int:
    return int(servers.postgres.execute("SELECT count(*) FROM requests /* pg_stat */", DATABASE))


async def _ask(url: str, bodies: Sequence[Body]) -> None:
    waiting = iter(bodies)

    async def one(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                assert response.status == 200, await response.text()
                await response.read()

    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one(session))
