"""S32, S33: texts that speak to terminals, logs, browsers or programs are kept and told as nothing but texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tests.security.wire import JSON, Pairs, Wire, request
from tests.security.world import World
from tests.servers.application import Served
from tests.servers.gateway import Gateway

HOSTILE = {
    "carriage return": "a\rb",
    "line feed": "a\nx-injected: 1",
    "both": "a\r\nx-injected: 1\r\n\r\n<html>",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "line separator": "a\u2028b\u2029c",
    "next line": "a\x85b",
    "bidi": "a\u202eb\u2066c",
    "markup": "<script>alert(1)</script>",
    "attribute": "__class__",
    "prototype": "__proto__",
    "constructor": "constructor.prototype",
    "brackets": "a[b][c]",
    "dots": "a.__init__.__globals__",
    "format": "{0.__class__}%s%n${x}{{7*7}}",
}
SETTINGS = """
[log]
level = "debug"
format = "{form}"
[providers.openai]
dialect = "openai"
base_url = "{url}/openai"
[[models]]
name = "openai-ok"
provider = "openai"
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
[[models]]
name = "openai-500"
provider = "openai"
"""


@pytest.fixture(scope="module", params=["json", "text"])
def gateway(request: pytest.FixtureRequest, started: Callable[[Gateway], Gateway]) -> Iterator[Gateway]:
    """One that logs whatever it can, in either form."""
    world = World()
    with Served(world.application) as served:
        yield started(Gateway(SETTINGS.format(form=request.param, url=served.url)))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_is_nothing_but_a_text(gateway: Gateway, text: str) -> None:
    """In path, query, headers, model, user, tags and metadata: one clean answer each, and no header that was said."""
    said = {"messages": [{"role": "user", "content": text}]}
    bodies = [
        {**said, "model": text},
        {**said, "model": "openai-ok", "user": text},
        {**said, "model": "openai-500", "user": text},
        {**said, "model": "openai-ok", "metadata": {text[:64]: text}},
        {**said, "model": "openai-ok", text: text},
    ]
    asked: list[tuple[str, str, bytes, Pairs]] = [
        ("POST", "/v1/chat/completions", json.dumps(body).encode(), ()) for body in bodies
    ]
    asked += [
        ("GET", path, b"", ()) for path in (f"/{quote(text)}", f"/v1/requests?user={quote(text)}&{quote(text)}=1")
    ]
    good = json.dumps({**said, "model": "openai-ok"}).encode()
    for name, value in (
        ("x-farthing-user", text),
        ("x-farthing-session", text),
        ("x-farthing-tags", f"a={text}"),
        ("user-agent", text),
        ("origin", text),
    ):
        asked.append(("POST", "/v1/chat/completions", good, ((name, value),)))
    for method, path, body, headers in asked:
        with Wire(gateway.port) as wire:
            length = (("content-length", str(len(body))),) if body else ()
            data = request(method, path, (("host", wire.host), *JSON, *headers, *length)) + body
            answer = wire.exchange(data, method)
        assert answer.status < 500 or b"openai-500" in body
        assert "x-injected" not in answer.headers
        assert all(value.isascii() and value.isprintable() for value in answer.headers.values())
        assert answer.headers["content-type"] == "application/json"
        told = json.loads(answer.body).get("error")
        assert told is None or told["message"].isprintable()
    lines = gateway.log.read_text(encoding="utf-8").split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith(("x-injected", "<html>")) for line in lines)
    logged = [line for line in lines if line.startswith("{")]
    assert all(isinstance(json.loads(line), dict) for line in logged)


def test_what_was_said_is_found_again_as_it_was(gateway: Gateway) -> None:
    """Names that mean something to programs are kept in the ledger to the letter."""
    name = "__class__"
    headers = (*JSON, ("x-farthing-tags", f"{name}=__proto__"), ("x-farthing-user", "constructor.prototype"))
    body = json.dumps({"model": "openai-ok", "messages": [{"role": "user", "content": "x"}]}).encode()
    with Wire(gateway.port) as wire:
        answer = wire.ask("POST", "/v1/chat/completions", body, headers)
        assert answer.status == 200
        newest = wire.ask("GET", "/v1/requests?user=constructor.prototype&limit=1").json["data"][0]
    assert (newest["user"], newest["tags"]) == ("constructor.prototype", {name: "__proto__"})
