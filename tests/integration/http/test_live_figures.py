"""The live figures of two hosts that share a Redis and a PostgreSQL, while those come and go."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from msgspec import Struct
from websockets.asyncio.client import connect

from tests.servers.gateway import Gateway, running
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECONDS = 20
VENDOR = {"OPENAI_API_KEY": "sk-asks-nobody"}
"""No demo, which would keep its own ledger."""


class Site(Struct):
    """Two hosts, and what they share."""

    hosts: tuple[Gateway, Gateway]
    redis: Redis
    postgres: Postgres


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Everything runs."""
    with ExitStack() as stack:
        redis, postgres = Redis(), Postgres()
        for server in (redis, postgres):
            stack.callback(server.remove)
            server.start()
        one, other = (
            stack.enter_context(running("", database=postgres.url(), redis=redis.url, environment=VENDOR))
            for _ in range(2)
        )
        yield Site((one, other), redis, postgres)


def figures(host: Gateway) -> dict[str, Any]:
    """`GET /routing/metrics`."""
    with urllib.request.urlopen(f"{host.url}/routing/metrics", timeout=SECONDS) as answer:  # noqa: S310 (loopback)
        told: dict[str, Any] = json.load(answer)
    return told


async def first_message(host: Gateway, sequence: int | None = None) -> dict[str, Any]:
    """What is told to somebody who comes, with the last number that they have."""
    since = "" if sequence is None else f"?sequence={sequence}"
    url = f"{host.url.replace('http', 'ws')}/metrics/live{since}"
    async with connect(url, proxy=None, open_timeout=SECONDS) as socket:
        told: dict[str, Any] = json.loads(await socket.recv())
    return told


def test_one_host_computes_and_the_other_reads(site: Site) -> None:
    """The same figures, of the same moment; a busy machine may take until they are old."""
    pairs = ([figures(host)["generated_at"] for host in site.hosts] for _ in range(5))
    assert any(one == other for one, other in pairs)


async def test_numbers_rise_from_host_to_host(site: Site) -> None:
    """Who comes back to another host with the last number hears what is later."""
    one, other = site.hosts
    first = await first_message(one)
    later = await first_message(other, first["sequence"])
    again = await first_message(one, later["sequence"])
    assert first["sequence"] < later["sequence"] < again["sequence"]


def test_the_figures_outlive_redis_and_then_the_database(site: Site) -> None:
    """Without Redis they come from the database; without both they are the last ones known, marked, with their age."""
    one, _ = site.hosts
    known = figures(one)
    site.redis.kill()
    fresh = figures(one)
    while fresh["generated_at"] == known["generated_at"]:
        fresh = figures(one)
    assert fresh["stale"] is False
    site.postgres.kill()
    last = figures(one)
    while not last["stale"]:
        last = figures(one)
    assert last["generated_at"] >= fresh["generated_at"]
    assert last["age_seconds"] > 0
