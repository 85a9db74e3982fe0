"""S35 and S38: tenants with keys of their own, on shared connections and a shared cache, and nobody gets another's."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_bytes

import aiohttp
import pytest
from aiohttp import web

from farthing.background.clock import SystemClock
from farthing.domain.credentials import Bond, Credential, origin_of
from farthing.domain.ids import uuid7
from farthing.domain.keys import Caller, Key
from farthing.domain.secrecy import Secret
from farthing.domain.secrets import digest, mint
from farthing.providers.vault import Vault
from farthing.store import migrate, open_store
from tests.security.conftest import ANSWER
from tests.servers.application import Served
from tests.servers.gateway import Gateway
from tests.servers.redis import Redis

TENANTS = 200
AT_ONCE = 64
SEALING = token_bytes(32)
SETTINGS = """
[providers.there]
dialect = "openai"
base_url = "{url}/v1"
api_key_env = "THERE_KEY"
[[models]]
name = "small"
provider = "there"
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
"""


class Mirror:
    """A vendor whose every answer is the key that it was shown; it tries to make the gateway remember it, too."""

    def __init__(self) -> None:
        self.calls = 0
        self.cookies = 0
        self.application = web.Application()
        self.application.router.add_post("/v1/chat/completions", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.cookies += "cookie" in request.headers
        await request.read()
        shown = request.headers["authorization"].removeprefix("Bearer ")
        choice = {"index": 0, "message": {"role": "assistant", "content": shown}, "finish_reason": "stop"}
        return web.json_response({**ANSWER, "choices": [choice]}, headers={"set-cookie": f"key={shown}; Path=/"})


async def settle(url: str, base_url: str) -> dict[str, str]:
    """Tenants in the database, each with a key of ours and one of the vendor's; the vendor's key by ours."""
    await migrate(url)
    clock, vault = SystemClock(), Vault([SEALING], chance=token_bytes)
    store = open_store(url, clock=clock)
    brought = {}
    for number in range(TENANTS):
        ours, theirs, tenant = mint(token_bytes(32)), f"sk-brought-{number}-{token_bytes(8).hex()}", f"tenant-{number}"
        bond = Bond(tenant, uuid7(clock.now_us(), number), origin_of(base_url))
        sealed = vault.seal(Secret(theirs), bond)
        await store.credentials.put(
            Credential(bond=bond, provider="there", sealed=sealed, hint="…", created_at_us=clock.now_us())
        )
        key = Key(caller=Caller(tenant=tenant, key_id=uuid7(clock.now_us(), TENANTS + number)), name="k", hint="…")
        await store.keys.create(key, digest(ours), created_at_us=clock.now_us())
        brought[ours] = theirs
    await store.aclose()
    return brought


@pytest.fixture
def mirror() -> Iterator[tuple[Mirror, str]]:
    """The vendor and its address."""
    mirror = Mirror()
    with Served(mirror.application) as served:
        yield mirror, served.url


@pytest.fixture
async def houses(
    mirror: tuple[Mirror, str], redis_database: str, tmp_path: Path
) -> AsyncIterator[tuple[Gateway, dict[str, str]]]:
    """A gateway with memory, Redis and a database, and what each tenant must be answered."""
    url = f"sqlite:///{tmp_path / 'farthing.db'}"
    brought = await settle(url, f"{mirror[1]}/v1")
    environment = {"THERE_KEY": "sk-of-the-house", "FARTHING_ENCRYPTION_KEY": b64encode(SEALING).decode()}
    gateway = Gateway(SETTINGS.format(url=mirror[1]), environment=environment, database=url, redis=redis_database)
    try:
        await asyncio.to_thread(gateway.start)
        yield gateway, brought
    finally:
        await asyncio.to_thread(gateway.remove)


async def mismatches(
    gateway: Gateway, brought: dict[str, str], requests: int, *, unique: bool, first: int = 0
) -> tuple[int, int]:
    """How many were answered with another key's words or not at all, and how many out of a cache."""
    order, wrong, cached = iter(range(first, first + requests)), 0, 0
    keys = list(brought)

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal wrong, cached
        for number in order:
            key = keys[number * 7 % len(keys)]
            said = f"question {number}" if unique else "What is my key?"
            body = {"model": "small", "messages": [{"role": "user", "content": said}], "stream": False}
            headers = {"authorization": f"Bearer {key}", "x-farthing-cache": "on"}
            async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
                answer = await response.json()
                cached += response.headers["x-farthing-cache"] == "hit"
            wrong += answer.get("choices", [{}])[0].get("message", {}).get("content") != brought[key]

    async with aiohttp.ClientSession(gateway.url, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(ask(session) for _ in range(AT_ONCE)))
    return wrong, cached


async def finds_kept_answers(gateway: Gateway, brought: dict[str, str]) -> None:
    """Until it does, each time with another question: on a busy machine a database that wakes up passes for away."""
    for first in range(200):
        wrong, cached = await mismatches(gateway, brought, 1, unique=True, first=first)
        assert wrong == 0
        if cached:
            return
    raise AssertionError("none of 200 kept answers was found")


async def test_every_tenant_is_served_with_its_own_key_and_its_own_answers(
    request: pytest.FixtureRequest,
    mirror: tuple[Mirror, str],
    houses: tuple[Gateway, dict[str, str]],
    redis_server: Redis,
) -> None:
    """200 tenants ask the same and different things at once; then memory is emptied, then Redis as well."""
    gateway, brought = houses
    requests = 20_000 if request.config.getoption("--faults") else 2_000
    assert await mismatches(gateway, brought, requests, unique=True) == (0, 0)
    bought = mirror[0].calls
    assert bought == requests
    wrong, cached = await mismatches(gateway, brought, 2 * TENANTS, unique=False)
    assert (wrong, cached) == (0, 2 * TENANTS - (mirror[0].calls - bought))
    assert mirror[0].calls - bought == TENANTS
    for emptied in ("memory", "memory and Redis"):
        await asyncio.to_thread(gateway.stop)
        if emptied != "memory":
            redis_server.command("FLUSHALL")
        await asyncio.to_thread(gateway.start)
        await finds_kept_answers(gateway, brought)
        wrong, cached = await mismatches(gateway, brought, TENANTS, unique=False)
        assert (wrong, cached > 0) == (0, True), emptied
    assert mirror[0].cookies == 0
