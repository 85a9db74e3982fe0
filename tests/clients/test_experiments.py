"""The released clients put a request into an experiment with a header, and read which arm it came from."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from anthropic import Anthropic
from openai import NotFoundError, OpenAI

from tests.clients.conftest import MASTER_KEY
from tests.clients.scripts import PLAIN, Vendor, model
from tests.clients.vendors import Vendors
from tests.servers.gateway import Gateway

SECONDS = 30.0
USERS = [f"user-{number}" for number in range(12)]


def ask(gateway: Gateway, path: str, body: object = None) -> Any:
    """The JSON of an answer that must be good."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        data = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json", "authorization": f"Bearer {MASTER_KEY}"}
        connection.request("GET" if body is None else "POST", path, data, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status in {200, 201}, answer
        return answer
    finally:
        connection.close()


@pytest.fixture
def experiment(gateway: Gateway) -> str:
    """Between both vendors."""
    arms = {"control_strategy": model("openai", "plain"), "test_strategy": model("anthropic", "plain")}
    found: str = ask(gateway, "/experiments", {"name": "Vendors", "sample_size": 100, **arms})["id"]
    return found


def test_openai_takes_part_by_extra_headers(
    openai: OpenAI, gateway: Gateway, vendors: Vendors, experiment: str
) -> None:
    """Each user stays in an arm, which names the model; every request is a result of its arm."""
    arms: dict[str, str] = {}
    for user in USERS * 2:
        headers = {"x-farthing-experiment": experiment, "x-farthing-user": user}
        raw = openai.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": "Say hello"}], extra_headers=headers
        )
        assert raw.parse().choices[0].message.content == PLAIN.text
        arm = raw.headers["x-farthing-experiment-arm"]
        assert arms.setdefault(user, arm) == arm
        vendor: Vendor = "openai" if arm == "control" else "anthropic"
        assert raw.headers["x-farthing-model"] == model(vendor, "plain")
    assert set(arms.values()) == {"control", "test"}
    found = ask(gateway, f"/experiments/{experiment}/results")
    control = 2 * list(arms.values()).count("control")
    assert (found["control_count"], found["test_count"]) == (control, 2 * len(USERS) - control)
    assert found["metrics"]["arms"]["control"]["users"] == control // 2
    assert len(vendors.asked) == 2 * len(USERS)


def test_anthropic_takes_part_by_extra_headers(anthropic: Anthropic, experiment: str) -> None:
    """In its own dialect, whichever vendor the arm names."""
    headers = {"x-farthing-experiment": experiment, "x-farthing-user": "ada"}
    raw = anthropic.messages.with_raw_response.create(
        model="auto", max_tokens=100, messages=[{"role": "user", "content": "Say hello"}], extra_headers=headers
    )
    assert raw.headers["x-farthing-experiment-arm"] in {"control", "test"}
    assert raw.parse().content[0].type == "text"


def test_both_take_part_by_a_field_of_the_body(openai: OpenAI, anthropic: Anthropic, experiment: str) -> None:
    """As an extra field, which no vendor is sent; the same user has the same arm."""
    more = {"experiment_id": experiment}
    raw = openai.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": "Say hello"}], user="ada", extra_body=more
    )
    other = anthropic.messages.with_raw_response.create(
        model="auto",
        max_tokens=100,
        messages=[{"role": "user", "content": "Say hello"}],
        metadata={"user_id": "ada"},
        extra_body=more,
    )
    arms = [raw.headers["x-farthing-experiment-arm"], other.headers["x-farthing-experiment-arm"]]
    assert arms[0] == arms[1] != ""


def test_an_experiment_that_is_not_there_is_an_error_of_the_client(openai: OpenAI) -> None:
    """Told before anything is bought."""
    headers = {"x-farthing-experiment": "none", "x-farthing-user": "ada"}
    with pytest.raises(NotFoundError) as refused:
        openai.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Say hello"}], extra_headers=headers
        )
    assert refused.value.code == "experiment_not_found"
