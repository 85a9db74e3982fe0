"""S18, S20, S21, S23, S24: a request goes to its provider and nowhere else, and nothing that it says is resolved."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from farthing.dialects.strict import DENIED
from tests.security.refusals import refused
from tests.security.wire import JSON, Answer, Pairs, Wire
from tests.security.world import World
from tests.servers.application import Served
from tests.servers.gateway import Gateway

MOVED = ("301", "302", "303", "307", "308")
SAID = "Hi"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": SAID}]},
    "/v1/messages": {"messages": [{"role": "user", "content": SAID}], "max_tokens": 9},
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": SAID}]},
    "/v1/responses": {"input": SAID},
    "/v1/embeddings": {"input": SAID},
}
HEADERS = (
    *("x-api-base", "x-base-url", "x-portkey-custom-host", "x-custom-host", "x-litellm-api-base", "openai-base-url"),
    *("x-forwarded-host", "x-original-url", "x-rewrite-url", "forwarded", "x-provider-url", "proxy", "http_proxy"),
)
REFERENCES = (
    *("os.environ/CANARY_VARIABLE", "${CANARY_VARIABLE}", "$CANARY_VARIABLE", "{{env.CANARY_VARIABLE}}", "%(CANARY)s"),
    *("file:///etc/hostname", "oidc/file//etc/hostname", "@/etc/hostname", "vault:secret/x", "aws:secretsmanager:x"),
)
VARIABLE = "canary-of-the-environment-93c1"
HOSTS = (
    *("127.0.0.1:{}", "localhost:{}", "2130706433:{}", "0x7f000001:{}", "0177.0.0.1:{}", "127.1:{}", "0.0.0.0:{}"),
    *("[::1]:{}", "[::ffff:127.0.0.1]:{}", "[::]:{}", "good.example@127.0.0.1:{}", "127.0.0.1:{}\\@good.example"),
    *("127.0.0.1.:{}", "localhost.:{}", "①②⑦.0.0.1:{}", "127.0.0.1:{}#@good.example", "127.0.0.1:{}?@good.example"),
    *("169.254.169.254", "metadata.google.internal", "100.64.0.1", "[fe80::1%25lo]:{}", "[64:ff9b::7f00:1]:{}"),
)
SCHEMES = (
    "http://",
    "HTTP://",
    "https://",
    "ftp://",
    "gopher://",
    "//",
    "http:\\\\",
    "http:///",
    "file://",
    "\thttp://",
)


class Listener:
    """Knows whether anybody has ever connected; nobody should."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def was_reached(self) -> bool:
        """Since the last time that this was asked."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """The canary."""
    listening = Listener()
    yield listening
    listening.close()


@pytest.fixture
def canary(listener: Listener) -> Iterator[Listener]:
    """The same; the test fails where anybody came."""
    yield listener
    assert not listener.was_reached()


@pytest.fixture(scope="module")
def world(listener: Listener) -> World:
    """The vendor, which sends people elsewhere."""
    world = World()
    world.elsewhere = f"http://127.0.0.1:{listener.port}/v1/chat/completions"
    return world


@pytest.fixture(scope="module")
def out(world: World, started: Callable[[Gateway], Gateway]) -> Iterator[Gateway]:
    """A gateway with a secret in its environment that is nobody's business."""
    with Served(world.application) as served:
        providers = [
            f'[providers.{dialect}]\ndialect = "{dialect}"\nbase_url = "{served.url}/{dialect}"\napi_key_env = "K"\n'
            for dialect in ("openai", "anthropic", "gemini")
        ]
        models = [
            f'[[models]]\nname = "{dialect}-{mode}"\nprovider = "{dialect}"\n'
            for dialect in ("openai", "anthropic", "gemini")
            for mode in ("ok", *MOVED)
        ]
        environment = {"K": "sk-of-the-vendor", "CANARY_VARIABLE": VARIABLE, "CANARY": VARIABLE}
        yield started(Gateway("\n".join([*providers, *models]), environment=environment))


def ask(gateway: Gateway, path: str, body: Any, headers: Pairs = ()) -> Answer:
    """One request on a connection of its own."""
    with Wire(gateway.port) as wire:
        return wire.ask("POST", path, json.dumps(body).encode(), (*JSON, *headers))


@pytest.mark.parametrize("route", BODIES)
def test_a_field_that_names_another_place_is_refused(out: Gateway, world: World, canary: Listener, route: str) -> None:
    """S18: 400 with its name, and the vendor is not asked."""
    before = len(world.asked)
    for field in sorted(DENIED):
        for value in (f"http://127.0.0.1:{canary.port}", {"url": f"http://127.0.0.1:{canary.port}"}):
            answer = ask(out, route, {**BODIES[route], "model": "openai-ok", field: value})
            dialect = "anthropic" if route.startswith("/v1/messages") else "openai"
            refused(answer, 400, "unsupported_parameter", dialect=dialect, param=field)
    assert len(world.asked) == before


def test_headers_and_queries_lead_nowhere_else(out: Gateway, world: World, canary: Listener) -> None:
    """S18: none is obeyed and none passed on; the provider gets its own key, its own Host and nobody else's."""
    place = f"http://127.0.0.1:{canary.port}"
    for name in HEADERS:
        assert (
            ask(
                out, "/v1/chat/completions", {**BODIES["/v1/chat/completions"], "model": "openai-ok"}, ((name, place),)
            ).status
            == 200
        )
    query = "&".join(f"{field}={place}" for field in ("api_base", "base_url", "endpoint", "api_key"))
    answer = ask(out, f"/v1/chat/completions?{query}", {**BODIES["/v1/chat/completions"], "model": "openai-ok"})
    assert answer.status in {200, 400}
    for heard in world.asked:
        sent = dict(heard.headers)
        assert str(canary.port) not in str(heard.headers) + heard.path
        assert sent.get("Authorization", sent.get("authorization")) in {None, "Bearer sk-of-the-vendor"}


@pytest.mark.parametrize("status", MOVED)
@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
def test_a_redirect_is_not_followed(out: Gateway, canary: Listener, dialect: str, status: str) -> None:
    """S21: whatever its status, it is an answer that is none; the key goes nowhere."""
    for stream in (False, True):
        body = {**BODIES["/v1/chat/completions"], "model": f"{dialect}-{status}", "stream": stream}
        refused(ask(out, "/v1/chat/completions", body), 502, "upstream_invalid_response", type_="upstream_error")


def pictures(port: int) -> Iterator[str]:
    """Addresses that mean the canary, or other places that are nobody's business."""
    for scheme in SCHEMES:
        for host in HOSTS:
            yield scheme + host.format(port) + "/x.png"


def test_no_address_in_a_request_is_fetched(out: Gateway, world: World, canary: Listener) -> None:
    """S20, S24: 200 ways to write one of this house are refused; one of the world goes to the provider as it is."""

    def look(url: str) -> Answer:
        part = {"type": "image_url", "image_url": {"url": url}}
        return ask(
            out,
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [part]}], "model": "openai-ok"},
        )

    for url in pictures(canary.port):
        answer = look(url)
        param = "messages[0].content[0].image_url.url"
        assert (answer.status, answer.json["error"]["param"]) == (400, param), url
    assert look("https://pictures.example.com/x.png").status == 200
    assert b"https://pictures.example.com/x.png" in world.asked[-1].body


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_is_a_text(out: Gateway, world: World, reference: str) -> None:
    """S23: in every place it is refused or goes on as it stands: no variable and no file is read."""
    body = {"model": "openai-ok", "messages": [{"role": "user", "content": reference}], "user": reference}
    answers = [
        ask(out, "/v1/chat/completions", body, (("x-farthing-user", reference), ("x-farthing-tags", f"a={reference}")))
    ]
    answers.append(ask(out, "/v1/chat/completions", {**body, "model": reference}))
    answers.append(ask(out, "/v1/chat/completions", {**body, "api_key": reference}))
    assert [answer.status for answer in answers[:1]] == [200]
    assert all(answer.status in {400, 404} for answer in answers[1:])
    name = Path("/etc/hostname").read_text().strip()
    told = b"".join(answer.body for answer in answers) + b"".join(heard.body for heard in world.asked)
    assert VARIABLE.encode() not in told
    assert json.dumps(reference).encode() in world.asked[-1].body
    assert not name or name.encode() not in told.replace(reference.encode(), b"")
