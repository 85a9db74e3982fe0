"""The front door: every answer has an id, misspelt addresses are helped, and surprises stay inside."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from farthing.http.desk import HOT, MISWRITTEN
from farthing.http.front import FrontDoor
from farthing.http.routes import ROUTES
from tests.servers.asgi import Client

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CHAT = {"model": "demo/small", "messages": [{"role": "user", "content": "Hi"}]}
BODIES: dict[str, Any] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": {**CHAT, "max_tokens": 9},
    "/v1/messages/count_tokens": CHAT,
    "/v1/responses": {"model": "demo/small", "input": "Hi"},
    "/v1/embeddings": {"model": "demo/small", "input": "Hi"},
}


async def nobody(*_: object) -> None:
    """An application that answers nothing."""
    raise AssertionError


def door(rest: Any) -> Client:
    """Asks this application through a front door of its own."""
    return Client(FrontDoor(hot=nobody, rest=rest, new_id=lambda: "the-id", max_body_bytes=100))


@pytest.mark.parametrize("path", ["/livez", "/stats", "/", "/nothing", "/v1/models/never", "/complete"])
async def test_every_answer_carries_its_id_twice(open_client: Client, path: str) -> None:
    """Good or bad, under the names that both families of SDKs look for, and never the same twice."""
    ids = set()
    for _ in range(2):
        answer = await open_client.get(path)
        assert UUID7.fullmatch(answer.headers["x-request-id"])
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_page_answers_without_a_key(client: Client, method: str) -> None:
    """Claude Code's probe finds a 200; a browser finds a page that loads nothing from elsewhere."""
    answer = await client.get("/", method=method)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_pages_files_are_there_to_be_kept(client: Client) -> None:
    """With the same guards; a browser asks for each once, and for the page itself every time."""
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    names = re.findall(rb'"/assets/([^"]+)"', page.body)
    assert len(names) == 3
    for name in names:
        answer = await client.get(f"/assets/{name.decode()}")
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_comes_packed_to_whoever_can_unpack_it(client: Client) -> None:
    """A third of the bytes, and the same page."""
    plain = await client.get("/")
    packed = await client.get("/", [("accept-encoding", "gzip, br")])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.headers


async def test_nothing_else_is_a_file(client: Client) -> None:
    """No path leads out of the page's folder."""
    for name in ("never.js", "..%2f__init__.py", "__init__.py"):
        answer = await client.get(f"/assets/{name}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize("path", MISWRITTEN)
async def test_a_miswritten_base_url_is_answered_with_a_warning(open_client: Client, path: str) -> None:
    """Like the right one, and it says how to mend it; refusals say so as well."""
    right = MISWRITTEN[path]
    expected = await open_client.post(right, BODIES[right])
    for body, status in ((BODIES[right], expected.status), ({}, 400)):
        answer = await open_client.post(path, body)
        assert answer.status == status
        assert answer.headers["warning"] == f'299 farthing "The base URL is miswritten: {path} should be {right}"'
    assert "warning" not in expected.headers


async def test_every_hot_route_wants_post(open_client: Client) -> None:
    """405, and Allow says so."""
    for path in HOT:
        answer = await open_client.get(path)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert "POST" in answer.json["error"]["message"]


async def test_other_routes_tell_their_method_as_well(open_client: Client) -> None:
    """All of them, where there are several."""
    for path, allowed in (("/stats", {"GET"}), ("/feedback", {"POST"}), ("/", {"GET", "HEAD"})):
        answer = await open_client.get(path, method="DELETE")
        assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


async def test_an_address_that_is_none_leads_to_the_list(open_client: Client) -> None:
    """Which is there, and names the routes that FastAPI serves."""
    answer = await open_client.get("/nothing")
    assert (answer.status, answer.json["error"]["code"]) == (404, "unknown_url")
    assert "`GET /api/openapi.json`" in answer.json["error"]["message"]


async def test_a_surprise_is_a_clean_500() -> None:
    """With the id, and without the text of the exception."""

    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    answer = await door(broken).get("/stats")
    assert answer.status == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert "the-id" in answer.json["error"]["message"]
    assert b"secret" not in answer.body


async def test_a_surprise_after_the_answer_has_begun_adds_nothing() -> None:
    """Half an answer is not followed by another."""

    async def broken(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("secret")

    answer = await door(broken).get("/stats")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-request-id"] == "the-id"


@pytest.mark.parametrize(("size", "closes"), [(0, False), (10, True)])
async def test_an_answer_before_the_body_was_read_ends_the_connection(size: int, closes: bool) -> None:
    """So that nobody takes the rest of it for the next request."""

    async def hasty(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    answer = await door(hasty).post("/feedback", b"x" * size)
    assert answer.headers.get("connection") == ("close" if closes else None)


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
async def test_a_body_is_held_to_the_limit(size: int, status: int) -> None:
    """By what comes, whatever length was said."""

    async def reader(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    client = door(reader)
    for said in (size, 1):
        answer = await client.post("/feedback", b"x" * size, [("content-length", str(said))])
        assert answer.status == status
        assert answer.headers.get("connection") == (None if status == 200 else "close")


async def test_what_is_no_http_goes_to_the_rest() -> None:
    """Sockets and the lifespan."""
    seen = []

    async def rest(scope: Any, *_: object) -> None:
        seen.append(scope["type"])

    application = FrontDoor(hot=nobody, rest=rest, new_id=str, max_body_bytes=100)
    for kind in ("websocket", "lifespan"):
        await application({"type": kind}, nobody, nobody)  # type: ignore[arg-type]
    assert seen == ["websocket", "lifespan"]


async def test_the_description_of_the_routes_is_whole(open_client: Client) -> None:
    """But for the page, every route stands in it."""
    described = (await open_client.get("/api/openapi.json")).json
    spoken = {route.path.replace(":path}", "}") for route in ROUTES if route.methods not in {"WS", "GET HEAD"}}
    assert set(described["paths"]) == spoken


async def test_the_description_says_what_a_request_may_hold_and_how_it_is_refused(open_client: Client) -> None:
    """From the very types that requests are checked against; nothing is said that the description lacks."""
    described = (await open_client.get("/api/openapi.json")).json
    known = described["components"]["schemas"]
    for path, name in (("/v1/chat/completions", "WiredRequest"), ("/v1/embeddings", "WiredEmbeddings")):
        body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{name}"}
        assert known[name]["required"][0] == "model"
    refused = {
        path: operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, operations in described["paths"].items()
        for operation in operations.values()
        if "default" in operation["responses"]
    }
    assert {path for path, name in refused.items() if name == "AnthropicError"} == {
        "/v1/messages",
        "/v1/messages/count_tokens",
    }
    assert set(described["paths"]) - set(refused) == {"/livez", "/readyz"}
    referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(described)))
    assert referred <= set(known)
    assert "HTTPValidationError" not in referred


@pytest.mark.parametrize("path", ["/models", "/v1/v1/models", "/models/demo/small"])
async def test_a_miswritten_base_url_still_lists_models(open_client: Client, path: str) -> None:
    """The commonest mistake is answered, with a header that says how to mend it."""
    answer = await open_client.get(path)
    assert answer.status == 200
    assert "miswritten" in answer.headers["warning"]
    assert "warning" not in (await open_client.get("/v1/models")).headers


async def test_an_open_gateway_answers_to_local_names_only(open_client: Client) -> None:
    """On the hot routes and on all others; whether it lives anybody may ask."""
    stranger = Client(open_client.application, host="evil.example")
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    refused = [await stranger.get("/stats"), await stranger.post("/v1/chat/completions", body)]
    assert [(answer.status, answer.json["error"]["code"]) for answer in refused] == [(400, "invalid_host")] * 2
    assert (await stranger.get("/livez")).status == 200
