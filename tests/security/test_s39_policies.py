"""S39, S55, B38 to B41, B45: every policy holds on every way in, and before the provider hears of a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from tests.security.conftest import make_key
from tests.security.refusals import refused
from tests.security.test_keys import until
from tests.security.wire import JSON, Answer, Pairs, Wire
from tests.servers.gateway import Gateway

MASTER = "the-master-key-of-the-policies"
PAYMENT_REQUIRED = 402
NARROW = "context_tokens = 8192"
SAID = [{"role": "user", "content": "x"}]
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": SAID}),
    "chat stream": ("/v1/chat/completions", {"messages": SAID, "stream": True}),
    "messages": ("/v1/messages", {"messages": SAID, "max_tokens": 9}),
    "messages stream": ("/v1/messages", {"messages": SAID, "max_tokens": 9, "stream": True}),
    "responses": ("/v1/responses", {"input": "x"}),
    "responses stream": ("/v1/responses", {"input": "x", "stream": True}),
    "native": ("/complete", {"prompt": "x"}),
    "embeddings": ("/v1/embeddings", {"input": "x"}),
}
INVALID, QUOTA, RATE = "invalid_request_error", "insufficient_quota", "rate_limit_error"
POLICIES = {
    "no key": (401, "missing_api_key", INVALID, None),
    "a wrong key": (401, "invalid_api_key", INVALID, None),
    "a revoked key": (401, "invalid_api_key", INVALID, None),
    "another model's key": (404, "model_not_found", INVALID, "model"),
    "a spent budget": (402, "insufficient_quota", QUOTA, None),
    "a used rate": (429, "rate_limit_exceeded", RATE, None),
    "a cost ceiling": (400, "cost_limit_exceeded", INVALID, None),
    "a key's ceiling": (400, "cost_limit_exceeded", INVALID, None),
}
"""Status, code, type and `param` of each."""


class Door(Struct, frozen=True):
    """A gateway, and a key for each policy."""

    gateway: Gateway
    keys: dict[str, str | None]


def ask(gateway: Gateway, path: str, key: str | None, body: Any, headers: Pairs = ()) -> Answer:
    """One request on a connection of its own."""
    shown: Pairs = (("authorization", f"Bearer {key}"),) if key else ()
    with Wire(gateway.port) as wire:
        return wire.ask("POST", path, json.dumps(body).encode(), (*JSON, *shown, *headers))


def limit(gateway: Gateway, key: str, amount: str) -> None:
    """A hard budget of the key, for ever."""
    with Wire(gateway.port) as wire:
        listed = wire.ask("GET", "/admin/keys", headers=(("authorization", f"Bearer {MASTER}"),)).json["data"]
    subject = next(row["key_id"] for row in listed if row["name"] == key)
    budget = {"scope": "key", "subject": subject, "window": "total", "limit": amount}
    assert ask(gateway, "/admin/budgets", MASTER, budget).status == 201


@pytest.fixture(scope="module")
def door(settings: str, started: Callable[[Gateway], Gateway]) -> Door:
    """With every policy in force."""
    narrow = settings.replace('name = "large"', 'name = "narrow"').replace("context_tokens = 100000000", NARROW)
    models = narrow[narrow.rindex("[[models]]") :]
    gateway = started(Gateway(settings + models, environment={"THERE_KEY": "k", "FARTHING_MASTER_KEY": MASTER}))
    options = {
        "a revoked key": (),
        "another model's key": ("--model", "large"),
        "a spent budget": (),
        "a used rate": ("--rpm", "1"),
        "a cost ceiling": (),
        "a key's ceiling": ("--max-cost-usd", "0.000000001"),
        "a small budget": (),
        "a narrow window": (),
    }
    keys: dict[str, str | None] = {name: make_key(gateway, name, *more) for name, more in options.items()}
    chat, body = WAYS["chat"]
    for key in keys.values():
        until(lambda key=key: ask(gateway, chat, key, {**body, "model": "large"}).status != 401)  # type: ignore[misc]
    limit(gateway, "a small budget", "0.01")
    limit(gateway, "a spent budget", "0.000000001")
    until(lambda: ask(gateway, chat, keys["a spent budget"], {**body, "model": "large"}).status == 402)
    with Wire(gateway.port) as wire:
        admin: Pairs = (("authorization", f"Bearer {MASTER}"),)
        listed = wire.ask("GET", "/admin/keys", headers=admin).json["data"]
        revoked = next(row["key_id"] for row in listed if row["name"] == "a revoked key")
        assert wire.ask("DELETE", f"/admin/keys/{revoked}", headers=admin).status in {200, 204}
    return Door(gateway, {**keys, "no key": None, "a wrong key": "sk-of-another-house"})


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
def test_every_policy_holds_on_every_way(door: Door, policy: str, way: str) -> None:
    """B39 to B41: the same status and code, in the caller's dialect, when to try again or not at all, and no call."""
    path, body = WAYS[way]
    status, code, type_, param = POLICIES[policy]
    ceiling: Pairs = (("x-farthing-max-cost-usd", "0.000000001"),) if policy == "a cost ceiling" else ()
    new = {"prompt": f"{policy} {way}"} if way == "native" else {}
    answer = ask(door.gateway, path, door.keys[policy], {**body, **new, "model": "small"}, ceiling)
    refused(answer, status, code, dialect="anthropic" if path == "/v1/messages" else "openai", param=param, type_=type_)
    assert ("retry-after" in answer.headers) == (policy == "a used rate")
    assert answer.headers.get("x-should-retry") == ("false" if status == PAYMENT_REQUIRED else None)


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("way", ["chat", "chat stream", "messages", "messages stream", "responses"])
def test_what_no_window_holds_is_refused(door: Door, way: str) -> None:
    """B38: with the code at which clients shorten the conversation, the dialect's own name for it, and no call."""
    path, body = WAYS[way]
    field = "input" if path == "/v1/responses" else "messages"
    long = [{"role": "user", "content": "word " * 20_000}]
    answer = ask(door.gateway, path, door.keys["a narrow window"], {**body, field: long, "model": "narrow"})
    dialect = "anthropic" if path == "/v1/messages" else "openai"
    refused(answer, 400, "context_length_exceeded", dialect=dialect, param=field)


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
def test_an_idempotency_key_that_is_none_is_refused(door: Door, key: str) -> None:
    """B45: empty, too long, or with a control character."""
    path, body = WAYS["chat"]
    bearer = door.keys["a narrow window"]
    answer = ask(door.gateway, path, bearer, {**body, "model": "small"}, (("idempotency-key", key),))
    refused(answer, 400, "invalid_idempotency_key", param="idempotency-key")


def test_an_idempotency_key_used_for_something_else_is_refused(door: Door) -> None:
    """B45: 409, and the provider is not asked for the second."""
    path, body = WAYS["chat"]
    bearer = door.keys["a narrow window"]
    name: Pairs = (("idempotency-key", "the-same"),)
    assert ask(door.gateway, path, bearer, {**body, "model": "small"}, name).status == 200
    answer = ask(door.gateway, path, bearer, {**body, "model": "small", "max_tokens": 3}, name)
    refused(answer, 409, "idempotency_conflict", param="idempotency-key")


DEAR: dict[str, dict[str, Any]] = {
    "128 answers": {"n": 128, "max_tokens": 1_000},
    "a million tokens": {"messages": [{"role": "user", "content": "word " * 1_000_000}]},
    "many messages": {"messages": SAID * 9_999, "max_tokens": 1},
}
LONG: dict[str, dict[str, Any]] = {
    "a long answer": {"max_tokens": 1_000_000},
    "a long thought": {"reasoning_effort": "high", "max_completion_tokens": 900_000},
    "answers without end": {"n": 128},
}
"""What budgets hold the likely cost for, and one of them at a time: only a ceiling refuses them by their worst."""


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("name", [*DEAR, *LONG])
def test_what_could_cost_more_than_the_ceiling_is_never_asked(door: Door, name: str) -> None:
    """S55: the estimate covers the worst that the request allows; 400 before any byte goes to the provider."""
    ceiling: Pairs = (("x-farthing-max-cost-usd", "0.01"),)
    body = {"model": "small", "messages": SAID, **{**DEAR, **LONG}[name]}
    answer = ask(door.gateway, "/v1/chat/completions", door.keys["a cost ceiling"], body, ceiling)
    assert (answer.status, answer.json["error"]["code"]) == (400, "cost_limit_exceeded")


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("name", DEAR)
def test_what_is_likely_to_cost_more_than_there_is_is_never_asked(door: Door, name: str) -> None:
    """S55: 402 before any byte goes to the provider."""
    body = {"model": "small", "messages": SAID, **DEAR[name]}
    answer = ask(door.gateway, "/v1/chat/completions", door.keys["a small budget"], body)
    assert (answer.status, answer.json["error"]["code"]) == (402, "insufficient_quota")


def test_what_can_be_paid_is_answered(door: Door) -> None:
    """The same budget and the same ceiling let an ordinary request through."""
    body = {"model": "small", "messages": SAID, "max_tokens": 100}
    ceiling: Pairs = (("x-farthing-max-cost-usd", "0.01"),)
    assert ask(door.gateway, "/v1/chat/completions", door.keys["a small budget"], body, ceiling).status == 200
