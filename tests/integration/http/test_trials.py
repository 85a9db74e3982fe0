"""Requests in an experiment over HTTP: every dialect, streamed or not, and whatever becomes of the database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.servers.gateway import Gateway
from tests.servers.postgres import Postgres

SECONDS = 60.0
TRIAL = {
    "name": "Trial",
    "control_strategy": "complexity",
    "test_strategy": "hybrid",
    "sample_size": 1000,
    "salt": "trial",
}
DIALECTS = ("/v1/chat/completions", "/v1/messages")


def ask(gateway: Gateway, method: str, path: str, body: object = None, **headers: str) -> tuple[bytes, str | None]:
    """What a good answer says, and the arm that its header names; nothing for one that is unavailable."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        data = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {"content-type": "application/json", **named})
        response = connection.getresponse()
        said = response.read()
        if method == "GET" and response.status == 503:
            return b"{}", None
        assert response.status in {200, 201}, said
        return said, response.getheader("x-farthing-experiment-arm")
    finally:
        connection.close()


def arms_of(gateway: Gateway, experiment: str, users: int) -> list[str | None]:
    """Asks for each user in each dialect, streamed and not, and by `/complete`; the arm that each was given."""
    found = []
    for number in range(users):
        of_one = set()
        wishes = {"x_farthing_experiment": experiment, "x_farthing_user": f"u{number}"}
        for path in DIALECTS:
            for stream in (False, True):
                turns = [{"role": "user", "content": f"What is {number}?"}]
                body = {"model": "auto", "max_tokens": 20, "messages": turns, "stream": stream}
                of_one.add(ask(gateway, "POST", path, body, **wishes)[1])
        native = {"prompt": f"What is {number}?", "experiment_id": experiment, "user_id": f"u{number}"}
        said, arm = ask(gateway, "POST", "/complete", native, x_farthing_cache="off")
        of_one |= {arm, json.loads(said)["experiment_assignment"]}
        assert len(of_one) == 1, of_one
        found.append(of_one.pop())
    return found


def counted(gateway: Gateway, experiment: str) -> tuple[int, int]:
    """Results of control and of test, none while nobody can tell."""
    said = json.loads(ask(gateway, "GET", f"/experiments/{experiment}/results")[0])
    return said.get("control_count", 0), said.get("test_count", 0)


@pytest.mark.timeout(240)
def test_a_database_that_is_down_changes_nothing_for_requests(
    start_gateway: Callable[..., Gateway], postgres: Postgres, postgres_database: str
) -> None:
    """They get the same arms as before, and all their results are there when it is back."""
    gateway = start_gateway("", database=postgres_database, environment={"FARTHING_DEMO": "1"})
    experiment = json.loads(ask(gateway, "POST", "/experiments", TRIAL)[0])["id"]
    before = arms_of(gateway, experiment, 4)
    assert set(before) == {"control", "test"}
    postgres.kill()
    try:
        assert arms_of(gateway, experiment, 4) == before
    finally:
        postgres.mend()
    end = time.monotonic() + SECONDS
    counts = counted(gateway, experiment)
    while sum(counts) < 2 * 4 * 5 and time.monotonic() < end:
        time.sleep(0.1)
        counts = counted(gateway, experiment)
    assert counts == (10 * before.count("control"), 10 * before.count("test"))
