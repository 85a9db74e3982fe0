"""Hostile bodies at every hot route: refused in the caller's dialect, at no cost, and nothing reaches an upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from farthing.dialects.strict import DENIED
from tests.security.bodies import BAD_JSON, GOOD, Bad, flood
from tests.security.conftest import Upstream
from tests.security.fields import (
    ANTHROPIC,
    CHAT,
    COUNT,
    EMBEDDINGS,
    INPUTS,
    MESSAGES,
    NATIVE,
    OPENAI,
    PROMPTS,
    RESPONSES,
    TOO_DEEP,
    Wrong,
)
from tests.security.refusals import echoes_little, refused, resident_mib
from tests.security.wire import Answer, Wire
from tests.servers.gateway import Gateway

ROUTES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "/v1/chat/completions": ("openai", OPENAI),
    "/v1/messages": ("anthropic", ANTHROPIC),
    "/v1/messages/count_tokens": ("anthropic", COUNT),
    "/v1/responses": ("openai", RESPONSES),
    "/complete": ("openai", NATIVE),
    "/v1/embeddings": ("openai", EMBEDDINGS),
}
"""Each hot route with the form of its errors, and a good request."""
PROCESSOR_SECONDS = 1.0
"""Far more than any refusal takes, even where coverage is measured; quadratic work takes far longer."""

pytestmark = pytest.mark.usefixtures("upstream")


def cpu_seconds(gateway: Gateway) -> float:
    """Processor time of the gateway's main thread so far: unlike the clock on the wall it does not know who waits."""
    return int(Path(f"/proc/{gateway.pid}/schedstat").read_text().split()[0]) / 1e9


def still_usable(wire: Wire) -> None:
    """The connection serves the next request."""
    assert wire.ask("GET", "/livez").status == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("bad", BAD_JSON, ids=lambda bad: bad.row)
def test_what_is_no_json_object_is_refused(gateway: Gateway, wire: Wire, route: str, bad: Bad) -> None:
    """B01 to B09: status 400, the code, quickly, and the connection goes on."""
    before = cpu_seconds(gateway)
    answer = wire.ask("POST", route, bad.body)
    spent = cpu_seconds(gateway) - before
    refused(answer, 400, bad.code, dialect=ROUTES[route][0], param=bad.param)
    assert spent < PROCESSOR_SECONDS
    still_usable(wire)


@pytest.mark.parametrize("wrong", CHAT, ids=lambda wrong: wrong.row)
def test_a_wrong_field_of_a_chat_is_named(wire: Wire, wrong: Wrong) -> None:
    """B28, B30 to B35: the code, and `param` is the path of the field."""
    body = wrong.body(OPENAI)
    answer = wire.ask("POST", "/v1/chat/completions", body)
    refused(answer, 400, wrong.code, param=wrong.param)
    echoes_little(answer, "m" * 300)
    still_usable(wire)


@pytest.mark.parametrize("wrong", MESSAGES, ids=lambda wrong: wrong.row)
def test_a_wrong_field_of_a_message_is_named(wire: Wire, wrong: Wrong) -> None:
    """The same in Anthropic's dialect, whose envelope has no place for it but the message."""
    answer = wire.ask("POST", "/v1/messages", wrong.body(ANTHROPIC))
    error = refused(answer, 400, None, dialect="anthropic")
    assert f"`{wrong.param}`" in error["message"]
    still_usable(wire)


@pytest.mark.parametrize("wrong", PROMPTS, ids=lambda wrong: wrong.row)
def test_a_wrong_field_of_a_prompt_is_named(wire: Wire, wrong: Wrong) -> None:
    """The native route, in OpenAI's envelope."""
    refused(wire.ask("POST", "/complete", wrong.body(NATIVE)), 400, wrong.code, param=wrong.param)
    still_usable(wire)


@pytest.mark.parametrize("wrong", INPUTS, ids=lambda wrong: wrong.row)
def test_a_wrong_field_of_an_embedding_is_named(wire: Wire, wrong: Wrong) -> None:
    """B28 and B44 on the route for embeddings."""
    refused(wire.ask("POST", "/v1/embeddings", wrong.body(EMBEDDINGS)), 400, wrong.code, param=wrong.param)
    still_usable(wire)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("field", sorted(DENIED))
def test_nobody_chooses_the_upstream_by_a_field(wire: Wire, route: str, field: str) -> None:
    """B36: a field by which other gateways let a request choose address or key is refused, whatever it holds."""
    dialect, good = ROUTES[route]
    answer = wire.ask("POST", route, json.dumps({**good, field: "http://127.0.0.1:9/canary"}).encode())
    error = refused(answer, 400, "unsupported_parameter", dialect=dialect, param=field)
    assert f"`{field}`" in error["message"]
    assert "canary" not in error["message"]


def test_a_schema_beyond_all_bounds_is_json_too_deep(wire: Wire) -> None:
    """B35: 500 levels are refused before anybody looks at the schema."""
    refused(wire.ask("POST", "/v1/chat/completions", TOO_DEEP.body(OPENAI)), 400, "json_too_deep")


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_repeated_is_short_and_escaped(wire: Wire, route: str) -> None:
    """C6: of a long and dangerous value at most 64 characters come back, and nothing that a terminal would obey."""
    dialect, good = ROUTES[route]
    said = "\x1b[2J\u202e" + "y" * 500
    field = {"/complete": "auto_route", "/v1/embeddings": "encoding_format"}.get(route, "model")
    answer = wire.ask("POST", route, json.dumps({**good, field: said}).encode())
    assert answer.status == 400
    echoes_little(answer, said)
    message = answer.json["error"]["message"]
    assert message.isascii()
    assert message.isprintable()
    assert dialect == "anthropic" or answer.json["error"]["param"] == field


def test_refusals_cost_nothing_and_hold_nothing(wire: Wire) -> None:
    """C3: after some of every kind no money is spent or held, and each is a row of the ledger at no cost."""
    for route, (_, good) in ROUTES.items():
        for body in (b"{", Wrong("", {"max_tokens": -1, "max_output_tokens": -1, "dimensions": -1}, "", "").body(good)):
            assert wire.ask("POST", route, body).status == 400
    assert wire.ask("GET", "/stats").json["overall"]["total_cost"] == 0
    assert re.search(rb"^farthing_open_holds 0\.0$", wire.ask("GET", "/metrics").body, re.MULTILINE)
    rows = wire.ask("GET", "/v1/requests?limit=8").json["data"]
    assert [(row["status"], row["cost"], row["provider"]) for row in rows] == [("rejected", 0.0, None)] * 8


def test_the_gateway_outlives_them_all(gateway: Gateway, wire: Wire) -> None:
    """C5: memory stays within twice the cap of a body above the start, however large the bodies were."""
    before = resident_mib(gateway)
    for bad in BAD_JSON:
        wire.ask("POST", "/v1/chat/completions", bad.body)
    assert resident_mib(gateway) - before < 2 * 32


class TestSoundRequests:
    """What looks odd and is allowed."""

    @pytest.fixture(autouse=True)
    def upstream(self) -> None:
        """These do reach it."""

    @pytest.mark.parametrize(
        "field", [{}, {"temperature": None}, {"some_new_field": {"a": [1, "x"]}}, {"stream": False}]
    )
    def test_they_are_answered(self, wire: Wire, field: Mapping[str, Any]) -> None:
        """B33's null and B36's unknown field pass through."""
        answer = wire.ask("POST", "/v1/chat/completions", json.dumps({**OPENAI, **field}).encode())
        assert (answer.status, answer.json["choices"][0]["message"]["content"]) == (200, "Fine.")

    def test_a_flood_of_keys_is_no_trouble(self, gateway: Gateway, wire: Wire) -> None:
        """B10: numbers that collide as hashes are texts here, and cost no more than others."""
        body = flood(100_000)
        wire.ask("POST", "/v1/chat/completions", GOOD)
        before = cpu_seconds(gateway)
        answer: Answer = wire.ask("POST", "/v1/chat/completions", body)
        assert answer.status in {200, 400}
        assert cpu_seconds(gateway) - before < PROCESSOR_SECONDS

    def test_after_refusals_a_sound_request_costs_what_it_costs(self, wire: Wire, served: tuple[Upstream, str]) -> None:
        """One upstream call, and its price: 5 tokens at $1 and 2 at $2 a million."""
        assert wire.ask("POST", "/v1/chat/completions", b"{").status == 400
        calls = served[0].calls
        answer = wire.ask("POST", "/v1/chat/completions", GOOD)
        assert (answer.status, answer.headers["x-farthing-cost-usd"]) == (200, "0.000009000")
        assert served[0].calls == calls + 1
