"""Bodies of the routes that are not hot are as strict as the others."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.domain.errors import RequestTooLarge
from farthing.http.bodies import BoundedBody, has_body
from farthing.http.headers import Headers
from tests.servers.asgi import Client

GOOD = b'{"cache_key":"never","rating":1}'


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_parameter", "body"),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_type", None),
        (b"NaN", "invalid_number", None),
        (b'{"rating":1e999}', "invalid_number", None),
        (b'{"rating":' + b"9" * 5000 + b"}", "invalid_number", None),
        (b'{"comment":' + b"[" * 100_000 + b"}", "json_too_deep", None),
        (b'{"rating":1,"rating":-1}', "duplicate_key", "rating"),
        (b'{"comment":"\\ud800"}', "invalid_encoding", None),
        (b"\xff", "invalid_encoding", None),
        (b'{"cache_key":"a\\u0000b","rating":1}', "invalid_parameter", "cache_key"),
        (b'{"cache_key":"a","rating":"1"}', "invalid_parameter", "rating"),
        (b'{"cache_key":"a","rating":true}', "invalid_parameter", "rating"),
        (b'{"cache_key":"a","rating":1.5}', "invalid_parameter", "rating"),
        (b'{"cache_key":"a","rating":1,"more":2}', "invalid_parameter", "more"),
        (b'{"cache_key":"a","rating":1,"\\u001b[2J\\u202e":2}', "invalid_parameter", r"\x1b[2J\u202e"),
        (b'{"cache_key":"a","rating":1,"' + b"x" * 100 + b'":2}', "invalid_parameter", "x" * 64),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_hostile_bodies_are_refused(open_client: Client, body: bytes, code: str, param: str | None) -> None:
    """With the codes of the hot routes."""
    answer = await open_client.post("/feedback", body)
    error = answer.json["error"]
    assert (answer.status, error["code"], error["param"]) == (400, code, param)
    assert error["message"].isprintable()


async def test_a_body_must_be_declared_as_json(open_client: Client) -> None:
    """A form that a foreign page sends is refused before it is read."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await open_client.post("/feedback", GOOD, [("content-type", kind)])
        assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_media_type")
        assert answer.headers["connection"] == "close"
    assert (await open_client.post("/feedback", GOOD)).status == 404


async def test_a_body_that_breaks_off_is_refused(open_client: Client) -> None:
    """Nobody is there any more to hear it, and the log stays quiet."""
    answers: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/feedback",
        "raw_path": b"/feedback",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a"), (b"content-type", b"application/json"), (b"content-length", b"9")],
        "client": None,
        "server": None,
    }
    await open_client.application(scope, receive, send)
    assert answers[0]["status"] == 400


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"1")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_headers_announce_a_body(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    """By length or by transfer coding."""
    assert has_body(headers) is expected


async def test_a_bounded_body_knows_when_it_is_read() -> None:
    """After its last part, and it passes on that a client left."""
    messages = [
        {"type": "http.request", "body": b"12345", "more_body": True},
        {"type": "http.request", "body": b"67890"},
        {"type": "http.disconnect"},
    ]
    rest = iter(messages)

    async def receive() -> Any:
        return next(rest)

    body = BoundedBody(receive, [(b"content-length", b"10")], 10)
    states = [(await body(), body.is_read) for _ in messages]
    assert states == list(zip(messages, [False, True, True], strict=True))


async def test_one_byte_too_many_is_refused() -> None:
    """Announced or not."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"12345", "more_body": True}

    body = BoundedBody(receive, [(b"transfer-encoding", b"chunked")], 9)
    await body()
    with pytest.raises(RequestTooLarge):
        await body()
    with pytest.raises(RequestTooLarge):
        body.check(Headers([(b"host", b"a"), (b"content-length", b"10")]))
