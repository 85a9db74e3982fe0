"""What one gateway learns decides at another that shares its database, and after a restart."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest

from farthing.background.clock import SystemClock
from farthing.store import migrate, open_store
from tests.servers.gateway import Gateway
from tests.unit.app.lessons import MODELS, teach

# Trainings give way to everything else that the machine does.
pytestmark = pytest.mark.timeout(300)

SETTINGS = f"""{MODELS}
[learning]
retrain_every_hours = 0
shadow_share = 0.5
judge = "large"

[[routes]]
name = "support"
where = "tag"
value = "team=support"
promise_points = 0.02
"""
SECONDS = 60.0
SUM = "Add 3 and 21."
"""A simple question, as the words go, in which the small model was found wanting."""


def ask(gateway: Gateway, method: str, path: str) -> Any:
    """The JSON of an answer that must be good."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        connection.request(method, path, None if method == "GET" else "{}", {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer
    finally:
        connection.close()


def chosen(gateway: Gateway) -> str:
    """The model for a sum."""
    model: str = ask(gateway, "GET", f"/recommendation?prompt={quote(SUM)}")["model"]
    return model


def soon(gateway: Gateway, model: str) -> bool:
    """Whether it comes to choose this one."""
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        if chosen(gateway) == model:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def taught(postgres_database: str) -> str:
    """A database with rated answers."""

    async def fill() -> None:
        await migrate(postgres_database)
        store = open_store(postgres_database, clock=SystemClock())
        await teach(store, from_us=SystemClock().now_us() - 3_600_000_000)
        await store.aclose()

    asyncio.run(fill())
    return postgres_database


def test_what_one_learns_the_other_knows(start_gateway: Callable[..., Gateway], taught: str) -> None:
    """The small model looks strong enough by the words of the question; by its ratings it is not."""
    one, other = (start_gateway(SETTINGS, database=taught) for _ in range(2))
    assert (chosen(one), chosen(other)) == ("small", "small")
    assert ask(one, "POST", "/admin/learning/retrain?wait_s=60")["outcome"] == "dry_run"
    assert (chosen(one), chosen(other)) == ("small", "small")
    run = ask(one, "POST", "/admin/learning/retrain?dry_run=false&wait_s=60")
    assert (run["outcome"], run["labels"]) == ("kept", 40)
    assert soon(other, "large")
    assert soon(one, "large")
    status = ask(other, "GET", "/admin/learning/status")
    assert status["active"]["id"] == run["id"]
    [promise] = status["promises"]
    assert (promise["rule"], promise["state"], promise["fewest_pairs"]) == ("support", "baseline", 114)
    assert soon(start_gateway(SETTINGS, database=taught), "large")
