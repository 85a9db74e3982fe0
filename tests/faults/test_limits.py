"""F11, F13 and F15: limits that workers on several hosts count together, and requests that are answered once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from secrets import token_bytes
from typing import Any

import aiohttp
import pytest
from msgspec.json import encode

from farthing.background.clock import SystemClock
from farthing.domain.ids import uuid7
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits
from farthing.domain.secrets import digest, mint
from farthing.store import open_store
from tests.faults.rig.cluster import workers
from tests.faults.rig.load import Ask, Heard, Holder, percentile, together, until
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish
from tests.servers.redis import Redis

SURE = 16
"""Times in a row that an instance knows a key, every worker of its having had a part in it."""
MOST_AT_ONCE = 60 + 60 // 4
"""Of 60 a minute: what is granted together, and the quarter that all workers may grant without knowing of it."""
Answer = tuple[int, dict[str, str], bytes]


def most_drained(seconds: float) -> float:
    """Of 60 a minute, what may be granted again: twice as fast while only some workers hear of one another."""
    return 2 * seconds


async def limited(site: Site, **limits: int) -> Holder:
    """A key with these limits, once every worker knows it."""
    clock = SystemClock()
    secret, key_id = mint(token_bytes(32)), uuid7(clock.now_us(), 7)
    caller = Caller(tenant="acme", key_id=key_id, limits=Limits(**limits))
    store = open_store(site.database, clock=clock)
    try:
        key = Key(caller=caller, name="limited", hint="…")
        await store.keys.create(key, digest(secret), created_at_us=clock.now_us())
    finally:
        await store.aclose()
    await asyncio.gather(*(until(Looking(port, secret).is_known, within_s=30) for port in site.ports))
    return Holder(secret, key_id, "acme")


class Looking:
    """Shows a key again and again where it is not counted."""

    def __init__(self, port: int, secret: str) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/models"
        self._headers = {"authorization": f"Bearer {secret}"}
        self._in_a_row = 0

    async def is_known(self) -> bool:
        """Whether it was known so many times."""
        async with aiohttp.request("GET", self._url, headers=self._headers) as answer:
            self._in_a_row = self._in_a_row + 1 if answer.status == 200 else 0
        return self._in_a_row == SURE


def asks(holder: Holder, name: str, number: int, **wish: Any) -> list[Ask]:
    """Short questions."""
    words = {"chunks": 2, "first_ms": 5, "every_ms": 1, **wish}
    return [
        Ask(user=f"{name}-{place}", wish=Wish(nonce=f"{name}-{place}", **words), holder=holder, stream=False)
        for place in range(number)
    ]


def statuses(heard: list[Heard]) -> Counter[int]:
    """How many ended with each status."""
    return Counter(each.status for each in heard)


async def burst(site: Site, holder: Holder, name: str, number: int = 300) -> tuple[int, list[Heard]]:
    """How many of so many requests at once are let in, and all that was heard."""
    heard = await together(asks(holder, name, number), site.ports)
    assert set(statuses(heard)) <= {200, 429}
    return statuses(heard)[200], heard


@pytest.mark.timeout(120)
@pytest.mark.parametrize("through", ["PostgreSQL", pytest.param("Redis", marks=pytest.mark.long)])
async def test_a_rate_holds_for_all_workers_together(
    request: pytest.FixtureRequest, rig: Rig, postgres_database: str, through: str
) -> None:
    """300 requests at once on 2 x 2 workers get what one minute holds; what was refused never reached the vendor."""
    redis = request.getfixturevalue("redis_database") if through == "Redis" else None
    site = await rig.start(postgres_database, instances=2, workers=2, redis=redis, keys=1)
    holder = await limited(site, requests_per_minute=60)
    began = time.monotonic()
    let_in, heard = await burst(site, holder, "race")
    took = time.monotonic() - began
    refused = [each for each in heard if each.status == 429]
    for each in refused:
        assert each.headers["x-ratelimit-limit-requests"] == "60"
        assert 1 <= int(each.headers["retry-after"]) <= 60
        assert int(each.headers["retry-after-ms"]) <= 60_000
    # On a machine that is short of time, a worker that is not answered grants its share of a quarter alone.
    assert 45 <= let_in <= MOST_AT_ONCE + most_drained(took)
    assert sum(entry.nonce.startswith("race-") for entry in rig.vendors.entries().values()) == let_in
    late = [each for place in range(20) for each in await together(asks(holder, f"late{place}", 1), site.ports)]
    times = [each.seconds * 1000 for each in late if each.status == 429]
    rig.tell(
        f"limits {through}",
        f"60 a minute, 300 at once on 2x2 workers: {let_in} let in within {took:.1f} s; "
        f"a refusal takes {percentile(times, 0.5):.1f} ms p50, {percentile(times, 0.99):.1f} ms p99",
    )


@pytest.mark.timeout(120)
async def test_a_rate_survives_its_redis(
    rig: Rig, postgres_database: str, redis_database: str, redis_server: Redis
) -> None:
    """F11, F13: emptied, what others granted may be granted again; stopped, all workers grant a quarter at most."""
    site = await rig.start(postgres_database, instances=2, workers=2, redis=redis_database, keys=1)
    flushed, stopped = [await limited(site, requests_per_minute=60) for _ in range(2)]
    began = time.monotonic()
    before, _ = await burst(site, flushed, "before", 40)
    redis_server.command("FLUSHALL")
    after, _ = await burst(site, flushed, "flushed", 80)
    assert before + after <= 60 + before + (time.monotonic() - began)
    began = time.monotonic()
    first, _ = await burst(site, stopped, "running", 40)
    redis_server.kill()
    last, heard = await burst(site, stopped, "stopped", 100)
    took = time.monotonic() - began
    assert first + last <= MOST_AT_ONCE + most_drained(took)
    slowest = max(each.seconds for each in heard) * 1000
    rig.tell(
        "limits without Redis",
        f"60 a minute: {before} of 40 before, {after} of 80 after FLUSHALL; another key: {first} of 40 before, "
        f"{last} of 100 after its end, within {took:.1f} s; the slowest answer took {slowest:.0f} ms",
    )


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_places_come_back_when_requests_end(rig: Rig, postgres_database: str) -> None:
    """Ten at a time on 2 x 2 workers, and ten again."""
    site = await rig.start(postgres_database, instances=2, workers=2, keys=1)
    holder = await limited(site, concurrent_requests=10)
    seen = []
    for wave in range(2):
        heard = await together(asks(holder, f"wave{wave}", 40, first_ms=2000), site.ports)
        assert set(statuses(heard)) <= {200, 429}
        seen.append(statuses(heard)[200])
        await asyncio.sleep(0.5)
    assert all(8 <= number <= 12 for number in seen)
    rig.tell("limits places", f"10 at a time, 40 asked twice on 2x2 workers: {seen[0]} and {seen[1]} let in")


async def once(site: Site, holder: Holder, key: str, nonce: str, *, place: int = 0, **wish: Any) -> Answer:
    """A request that bears a key: status, headers and body of its answer."""
    words = encode(Wish(nonce=nonce, **{"chunks": 5, "first_ms": 300, **wish})).decode()
    body = {"model": "model-a", "messages": [{"role": "user", "content": words}], "stream": place % 2 == 0}
    headers = {"authorization": f"Bearer {holder.secret}", "idempotency-key": key}
    port = site.ports[place // 2 % len(site.ports)]
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers) as response,
    ):
        return response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read()


@pytest.mark.timeout(120)
async def test_fifty_requests_of_one_key_are_bought_once(rig: Rig, postgres_database: str) -> None:
    """F15: on 2 x 2 workers; the rest get its bytes, or are told to come back in a second. One row has a cost."""
    site = await rig.start(postgres_database, instances=2, workers=2, keys=1)
    holder = site.holders[0]
    heard = await asyncio.gather(*(once(site, holder, "k1", "once", place=2 * place) for place in range(50)))
    assert {status for status, _, _ in heard} <= {200, 409}
    bodies = {body for status, _, body in heard if status == 200}
    assert len(bodies) == 1
    assert all(headers["retry-after"] == "1" for status, headers, _ in heard if status == 409)
    assert len([1 for status, headers, _ in heard if status == 200 and "idempotent-replayed" not in headers]) == 1
    again = await asyncio.gather(*(once(site, holder, "k1", "once", place=2 * place) for place in range(8)))
    assert [(status, headers.get("idempotent-replayed"), body) for status, headers, body in again] == [
        (200, "true", *bodies)
    ] * 8
    status, headers, body = await once(site, holder, "k1", "another")
    assert (status, headers["x-should-retry"]) == (409, "false")
    assert b"idempotency_conflict" in body
    assert [entry.nonce for entry in rig.vendors.entries().values()] == ["once"]
    rig.tell(
        "F15", f"50 at once with one key on 2x2 workers: vendor asked once, {Counter(status for status, _, _ in heard)}"
    )


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_key_is_free_again_when_its_worker_has_died(rig: Rig, postgres_database: str) -> None:
    """F15: within the lease of half a minute after a kill -9."""
    site = await rig.start(postgres_database, instances=2, workers=1, keys=1)
    holder = site.holders[0]
    asking = asyncio.ensure_future(once(site, holder, "k1", "killed", first_ms=20_000))
    await asyncio.sleep(1)
    for pid in workers(site.gateways[0]):
        os.kill(pid, signal.SIGKILL)
    await asyncio.gather(asking, return_exceptions=True)
    began = time.monotonic()
    tries = 0
    while (answer := await once(site, holder, "k1", "killed", place=2, first_ms=20_000))[0] == 409 and tries < 40:
        tries += 1
        await asyncio.sleep(1)
    assert answer[0] == 200
    waited = time.monotonic() - began - 20
    assert waited < 40
    rig.tell("F15 killed", f"the key of a killed worker was free again after {waited:.0f} s")
