"""A cheap answer is checked over HTTP: in every dialect, streamed or not, and where the gateway is killed amid it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Event, Thread
from typing import Any

import pytest

from tests.servers.gateway import Gateway

SECONDS = 30.0
ENDS = {"/v1/chat/completions": b"[DONE]", "/v1/messages": b"message_stop", "/v1/responses": b"response.completed"}
"""Routes, and what stands at the end of their streams."""
SETTINGS = """
[routing]
strategy = "hybrid"

[[routes]]
name = "support"
where = "tag"
value = "team=support"
cascade = true
cascade_streams = true

[providers.near]
dialect = "{dialect}"
base_url = "http://127.0.0.1:{port}"

[[models]]
name = "small"
provider = "near"
tier = "simple"
input_usd_per_mtok = 1
output_usd_per_mtok = 1

[[models]]
name = "large"
provider = "near"
tier = "complex"
input_usd_per_mtok = 10
output_usd_per_mtok = 10
"""
SMALL, LARGE = 15 / 10**6, 150 / 10**6
"""US dollars for 10 tokens in and 5 out."""


class Vendor(ThreadingHTTPServer):
    """Says what it is told to, by model and in turn; the large model waits for `may_answer`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.said: dict[str, list[str]] = {"small": [], "large": []}
        self.asked: list[str] = []
        self.may_answer = Event()
        self.may_answer.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """A gateway that was killed hears no answer."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Vendor
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answers in the dialect of the path."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked["model"])
        if asked["model"] == "large":
            self.server.may_answer.wait(SECONDS)
        text = self.server.said[asked["model"]].pop(0)
        is_openai = self.path.endswith("/chat/completions")
        body = (openai if is_openai else anthropic)(asked, text)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def openai(asked: dict[str, Any], text: str) -> bytes:
    """An answer of OpenAI's."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    base = {"id": "u1", "object": "chat.completion", "created": 1, "model": asked["model"]}
    said = {"role": "assistant", "content": text}
    if not asked.get("stream"):
        choices = [{"index": 0, "message": said, "finish_reason": "stop"}]
        return json.dumps({**base, "choices": choices, "usage": usage}).encode()
    chunks = [
        {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": said, "finish_reason": "stop"}]},
        {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage},
    ]
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


def anthropic(asked: dict[str, Any], text: str) -> bytes:
    """An answer of Anthropic's."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": asked["model"], "stop_sequence": None}
    whole = {**message, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}
    if not asked.get("stream"):
        return json.dumps(whole).encode()
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """One that listens."""
    server = Vendor()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(gateway: Gateway, method: str, path: str, body: object = None) -> bytes:
    """What a good answer says."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        headers = {"content-type": "application/json", "x-farthing-tags": "team=support"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        said = response.read()
        assert response.status == 200, said
        return said
    finally:
        connection.close()


def question(route: str, *, stream: bool = False) -> dict[str, Any]:
    """A short one, as it is asked there."""
    text = "What is the capital of France?"
    if route == "/v1/responses":
        return {"model": "farthing/hybrid", "input": text, "stream": stream, "store": False}
    turns = [{"role": "user", "content": text}]
    return {"model": "farthing/hybrid", "max_tokens": 100, "messages": turns, "stream": stream}


def rows(gateway: Gateway, number: int) -> list[dict[str, Any]]:
    """The ledger, oldest first, once it has so many."""
    end = time.monotonic() + SECONDS
    found: list[dict[str, Any]] = []
    while len(found) < number and time.monotonic() < end:
        found = json.loads(ask(gateway, "GET", "/v1/requests"))["data"]
    assert len(found) == number
    return found[::-1]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_every_dialect_gets_the_checked_answer(
    start_gateway: Callable[..., Gateway], vendor: Vendor, dialect: str
) -> None:
    """Whole or as a stream that is told in full; each row has every call's cost, and tells of it."""
    gateway = start_gateway(SETTINGS.format(dialect=dialect, port=vendor.server_port))
    for (route, end), stream in product(ENDS.items(), (False, True)):
        vendor.said = {"small": ["Paris", "Paris."], "large": []}
        passed = ask(gateway, "POST", route, question(route, stream=stream))
        vendor.said = {"small": ["Lyon", "Nice"], "large": ["Paris"]}
        replaced = ask(gateway, "POST", route, question(route, stream=stream))
        assert (b"Paris" in passed, b"Paris" in replaced, b"Lyon" in replaced) == (True, True, False)
        assert (end in passed, end in replaced) == (stream, stream)
    assert vendor.asked == ["small", "small", "small", "small", "large"] * 6
    found = rows(gateway, 12)
    assert [(row["status"], row["model"], row["cost"]) for row in found] == [
        ("ok", "small", pytest.approx(2 * SMALL)),
        ("ok", "large", pytest.approx(2 * SMALL + LARGE)),
    ] * 6
    told = json.loads(ask(gateway, "GET", f"/v1/requests/{found[1]['request_id']}"))
    assert [each.get("outcome") for each in told["attempts"]] == ["unserved", "check", None]
    assert told["decision"]["metadata"]["cascade"]["served"] == "large"
    assert [(each["model"], each["outcome"], each["tokens_in"], each["cost"]) for each in told["calls"]] == [
        ("small", "unserved", 10, SMALL),
        ("small", "check", 10, SMALL),
        ("large", "served", 10, LARGE),
    ]


def test_a_gateway_killed_amid_a_cascade_loses_nothing(start_gateway: Callable[..., Gateway], vendor: Vendor) -> None:
    """What the cheap model and the check have cost is in the row to the nano-dollar, the rest by estimate."""
    vendor.said = {"small": ["Lyon", "Nice"], "large": ["Paris"]}
    vendor.may_answer.clear()
    gateway = start_gateway(SETTINGS.format(dialect="openai", port=vendor.server_port))
    Thread(target=_ask_in_vain, args=(gateway,), daemon=True).start()
    end = time.monotonic() + SECONDS
    while "large" not in vendor.asked and time.monotonic() < end:
        time.sleep(0.01)
    gateway.kill()
    vendor.may_answer.set()
    gateway.start()
    [row] = rows(gateway, 1)
    told = json.loads(ask(gateway, "GET", f"/v1/requests/{row['request_id']}"))
    assert (row["status"], row["model"], row["tokens_out"]) == ("interrupted", "large", 0)
    assert [each["outcome"] for each in told["attempts"]] == ["unserved", "check"]
    assert [each["charge"]["cost"] for each in told["attempts"]] == [SMALL, SMALL]
    assert round(row["cost"] * 10**9) == 30_000 + row["tokens_in"] * 10_000
    assert [(each["outcome"], each["error"]) for each in told["calls"]] == [
        ("unserved", None),
        ("check", None),
        ("failed", "interrupted"),
    ]
    assert sum(round(each["cost"] * 10**9) for each in told["calls"]) == round(row["cost"] * 10**9)


def _ask_in_vain(gateway: Gateway) -> None:
    with suppress(OSError):
        ask(gateway, "POST", "/v1/chat/completions", question("/v1/chat/completions"))
