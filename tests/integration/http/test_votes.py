"""A vote on one gateway is obeyed by all that share its database and Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.servers.gateway import Gateway
from tests.servers.redis import Redis

SECONDS = 10.0
PROMPT = {"prompt": "What is Python?"}


def post(gateway: Gateway, path: str, body: object) -> Any:
    """The JSON of an answer that must be good."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer
    finally:
        connection.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Returns when it is so. Fails after some seconds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def levels(gateway: Gateway) -> dict[str, int]:
    """Hits so far by the level that had the answer."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        connection.request("GET", "/cache/stats")
        found: dict[str, int] = json.loads(connection.getresponse().read())["by_level"]
        return found
    finally:
        connection.close()


@pytest.fixture
def pair(start_gateway: Callable[..., Gateway], redis_database: str) -> tuple[Gateway, Gateway]:
    """Two demos with one database and one Redis."""
    first = start_gateway("", redis=redis_database)
    shared = {"XDG_DATA_HOME": str(first.folder)}
    return first, start_gateway("", redis=redis_database, environment=shared)


def test_an_answer_voted_down_here_is_not_served_there(pair: tuple[Gateway, Gateway], redis_server: Redis) -> None:
    """From no level: not from Redis, nor from the memory that had it already."""
    here, there = pair
    key = post(here, "/complete", PROMPT)["cache_key"]
    eventually(lambda: redis_server.command("DBSIZE") != ":0")
    for _ in range(2):
        assert post(there, "/complete", PROMPT)["cache_hit"] is True
    assert levels(there) == {"redis": 1, "memory": 1}
    verdicts = [post(here, "/feedback", {"cache_key": key, "rating": -1}) for _ in range(3)]
    assert [verdict["invalidated"] for verdict in verdicts] == [False, False, True]
    assert post(here, "/complete", PROMPT)["cache_hit"] is False
    eventually(lambda: post(there, "/complete", PROMPT)["cache_hit"] is False)
