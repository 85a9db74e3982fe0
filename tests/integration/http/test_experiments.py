"""An experiment on two gateways that share a database: decided once, told once, whoever asks and whoever does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import cycle
from typing import Any

import msgspec
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from tests.servers.application import Served
from tests.servers.gateway import Gateway

SETTINGS = """
[providers.nobody]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"

[[models]]
name = "small"
provider = "nobody"
"""
SECONDS = 30.0
SIZE = 40
TRIAL = {"name": "Trial", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": SIZE}


class Hooks:
    """Takes notices about experiments."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self.application = web.Application()
        self.application.router.add_post("/hook", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        self.notices.append(msgspec.json.decode(await request.read()))
        return web.Response()


class Pair(msgspec.Struct, frozen=True):
    """Two gateways, and who hears of verdicts."""

    gateways: tuple[Gateway, Gateway]
    hooks: Hooks


@pytest.fixture
def pair(start_gateway: Callable[..., Gateway], postgres_database: str) -> Iterator[Pair]:
    """Two that share one."""
    hooks = Hooks()
    with Served(hooks.application) as served:
        environment = {
            "FARTHING_ALERTS__WEBHOOK_URL": f"{served.url}/hook",
            "FARTHING_WEBHOOK_SECRET": "a secret of the test",
        }
        first, second = (start_gateway(SETTINGS, database=postgres_database, environment=environment) for _ in range(2))
        yield Pair((first, second), hooks)


def ask(gateway: Gateway, method: str, path: str, body: object = None) -> Any:
    """The JSON of an answer that must be good."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status in {200, 201}, answer
        return answer
    finally:
        connection.close()


def wait(holds: Callable[[], bool]) -> None:
    """Returns when it is so. Fails after some seconds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


async def until(holds: Callable[[], bool]) -> None:
    """As `wait`, while sockets are read."""
    await asyncio.to_thread(wait, holds)


async def verdicts(gateway: Gateway, heard: list[str]) -> None:
    """Notes what the live socket tells of experiments, for ever."""
    async with connect(f"ws://127.0.0.1:{gateway.port}/metrics/live", open_timeout=SECONDS) as socket:
        async for message in socket:
            told = json.loads(message)
            if told.get("type") == "experiment.verdict":
                heard.append(told["code"])
            elif not heard or heard[0] != "here":
                heard.insert(0, "here")


def fill(pair: Pair, experiment: str) -> None:
    """All results that the plan asks for, to both gateways in turn."""
    for number, (gateway, arm) in zip(range(SIZE), cycle(zip(pair.gateways, ("control", "test"), strict=True))):
        result = {"user_id": f"{arm}{number}", "assigned_strategy": arm, "provider": "p", "model": "m"}
        cost = {"cost": 0.0002 if arm == "control" else 0.0001, "latency_ms": 500}
        ask(gateway, "POST", f"/experiments/{experiment}/results", result | cost)


async def _many_read_at_once(pair: Pair) -> None:
    """The last result and twenty readers of both gateways: the same verdict to all, and one more notice."""
    experiment = ask(pair.gateways[0], "POST", "/experiments", TRIAL)["id"]
    await asyncio.to_thread(fill, pair, experiment)
    path = f"/experiments/{experiment}/results"
    reads = (asyncio.to_thread(ask, gateway, "GET", path) for gateway in pair.gateways * 10)
    found = await asyncio.gather(*reads)
    assert {(told["winner"], told["p_value"], told["status"]) for told in found} == {
        ("test", found[0]["p_value"], "completed")
    }
    await until(lambda: len(pair.hooks.notices) > 1)
    assert [notice["data"]["experiment_id"] for notice in pair.hooks.notices[1:]] == [experiment]


async def test_a_verdict_is_found_and_told_once_though_nobody_reads(pair: Pair) -> None:
    """One winner, one notice, one event for each who watches at either gateway; all who read then read the same."""
    first, second = pair.gateways
    experiment = ask(first, "POST", "/experiments", TRIAL)["id"]
    heard: tuple[list[str], list[str]] = ([], [])
    watching = [asyncio.create_task(verdicts(*each)) for each in zip(pair.gateways, heard, strict=True)]
    await until(lambda: all(heard))
    await asyncio.to_thread(fill, pair, experiment)
    await until(lambda: all("winner" in codes for codes in heard) and len(pair.hooks.notices) > 0)
    read = [ask(gateway, "GET", f"/experiments/{experiment}/results") for gateway in pair.gateways]
    assert read[0] == read[1]
    assert (read[0]["winner"], read[0]["status"]) == ("test", "completed")
    late = {"user_id": "late", "assigned_strategy": "test", "cost": 9, "latency_ms": 1}
    assert ask(second, "POST", f"/experiments/{experiment}/results", late)["recorded"] == "late"
    # Long enough for each gateway to look at the experiment again.
    await asyncio.sleep(2.5)
    assert heard == (["here", "winner"],) * 2
    assert [notice["data"]["winner"] for notice in pair.hooks.notices] == ["test"]
    for task in watching:
        task.cancel()
    await _many_read_at_once(pair)
