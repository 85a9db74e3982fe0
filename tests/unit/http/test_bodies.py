"""Bodies of the routes that are not hot are as strict as the others."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.errors import InvalidRequest, RequestTooLarge
from farthing.http.bodies import BoundedBody, has_body, unpacked
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


@given(st.binary(max_size=200))
async def test_what_gzip_packed_is_unpacked(plain: bytes) -> None:
    """At any level, to the very limit and not over it."""
    for level in (0, 9):
        packed = gzip.compress(plain, level)
        assert await unpacked(packed, len(plain)) == plain
        if plain:
            with pytest.raises(RequestTooLarge):
                await unpacked(packed, len(plain) - 1)


async def test_a_bomb_bursts_nowhere() -> None:
    """No more than the limit is unpacked of it, and others have their turn meanwhile."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    assert len(bomb) * 1000 < 64 * 1024 * 1024 + 2_000_000
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    with pytest.raises(RequestTooLarge):
        await unpacked(bomb, 8 * 1024 * 1024)
    task.cancel()
    assert turns == 8


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="plain"),
        pytest.param(gzip.compress(b"{}")[:-1], id="cut off"),
        pytest.param(gzip.compress(b"{}") + b"x", id="followed by more"),
        pytest.param(gzip.compress(b"{}") * 2, id="twice"),
        pytest.param(zlib.compress(b"{}"), id="zlib"),
    ],
)
async def test_what_is_not_one_whole_gzip_is_refused(packed: bytes) -> None:
    """Cut off, with something behind it, or packed otherwise."""
    with pytest.raises(InvalidRequest) as caught:
        await unpacked(packed, 1000)
    assert (caught.value.code, caught.value.status) == ("invalid_encoding", 400)


async def test_a_packed_body_is_read_off_the_path(open_client: Client) -> None:
    """As an unpacked one, and as strictly."""
    packed = [("content-encoding", "gzip")]
    assert (await open_client.post("/feedback", gzip.compress(GOOD), packed)).status == 404
    broken = await open_client.post("/feedback", gzip.compress(b"{"), packed)
    assert (broken.status, broken.json["error"]["code"]) == (400, "invalid_json")
    assert (await open_client.post("/feedback", GOOD, packed)).json["error"]["code"] == "invalid_encoding"
