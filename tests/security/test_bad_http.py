"""Requests that are wrong around the body: media type, size, host, address, method (rows B11 to B14, B20 to B22)."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.security.bodies import GOOD
from tests.security.refusals import refused, resident_mib
from tests.security.wire import JSON, Answer, Pairs, Wire, chunks, request
from tests.servers.gateway import Gateway

CAP = 32 * 1024 * 1024
DIALECTS = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/complete": "openai",
}

pytestmark = pytest.mark.usefixtures("upstream")
routes = pytest.mark.parametrize(("route", "dialect"), DIALECTS.items())


@routes
@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("content-type", ""),),
        (("content-type", "text/plain"),),
        (("content-type", "application/xml"),),
        (("content-type", "application/x-www-form-urlencoded"),),
        (("content-type", "application/json; charset=utf-7"),),
        (("content-type", "application/json, text/plain"),),
    ],
    ids=str,
)
def test_a_body_that_is_not_declared_as_json_is_refused(wire: Wire, route: str, dialect: str, headers: Pairs) -> None:
    """B11: 415, unread, so the connection ends."""
    answer = wire.ask("POST", route, GOOD, headers)
    refused(answer, 415, "unsupported_media_type", dialect=dialect)
    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


@pytest.mark.parametrize(("route", "dialect"), [*DIALECTS.items(), ("/feedback", "openai")])
@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "x", "gzip, gzip", ""])
def test_other_compression_than_gzip_is_refused(wire: Wire, route: str, dialect: str, coding: str) -> None:
    """B12: unread."""
    answer = wire.ask("POST", route, GOOD, (*JSON, ("content-encoding", coding)))
    refused(answer, 415, "unsupported_encoding", dialect=dialect)
    assert wire.is_closed()


@pytest.mark.parametrize(("route", "dialect"), [*DIALECTS.items(), ("/feedback", "openai")])
def test_a_compressed_body_that_bursts_is_refused(
    gateway: Gateway, wire: Wire, route: str, dialect: str, bomb: bytes
) -> None:
    """B12: a thousand times its size is not unpacked beyond the cap, and the connection goes on."""
    before = resident_mib(gateway)
    for _ in range(3):
        answer = wire.ask("POST", route, bomb, (*JSON, ("content-encoding", "gzip")))
        refused(answer, 413, "request_too_large", dialect=dialect)
    assert resident_mib(gateway) - before < 2 * CAP / 2**20


@pytest.mark.parametrize(("route", "dialect"), [*DIALECTS.items(), ("/feedback", "openai")])
def test_what_is_not_gzip_is_told(wire: Wire, route: str, dialect: str) -> None:
    """B12: what was said to be compressed and is not; what was unpacked is as strictly read."""
    for body, code in ((GOOD, "invalid_encoding"), (gzip.compress(b"{"), "invalid_json")):
        answer = wire.ask("POST", route, body, (*JSON, ("content-encoding", "gzip")))
        refused(answer, 400, code, dialect=dialect)


@routes
@pytest.mark.parametrize("length", [CAP + 1, 10**18])
def test_a_body_that_says_it_is_too_large_is_refused_unread(wire: Wire, route: str, dialect: str, length: int) -> None:
    """B13: the answer comes before a byte of the body, and the connection ends."""
    answer = wire.exchange(request("POST", route, (("host", wire.host), *JSON, ("content-length", str(length)))))
    refused(answer, 413, "request_too_large", dialect=dialect)
    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


@pytest.mark.parametrize(("route", "dialect"), [*DIALECTS.items(), ("/feedback", "openai")])
def test_a_body_without_a_length_is_refused_at_the_cap(wire: Wire, route: str, dialect: str) -> None:
    """B14: whoever goes on sending is hung up on."""
    head = request("POST", route, (("host", wire.host), *JSON, ("transfer-encoding", "chunked")))
    answer = wire.exchange(head + b"".join(chunks(CAP + 1)))
    refused(answer, 413, "request_too_large", dialect=dialect)
    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


def test_a_body_up_to_the_cap_is_read(wire: Wire) -> None:
    """The cap itself is allowed: this body is refused for what it says, and the connection goes on."""
    refused(wire.ask("POST", "/v1/chat/completions", b" " * CAP), 400, "invalid_json")
    assert wire.ask("GET", "/livez").status == 200


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """128 MiB of nothing in an eighth of a MiB."""
    return gzip.compress(bytes(4 * CAP))


PATHS = ["/v1/chat/completions", "/v1/messages", "/stats", "/livez", "/", "/metrics"]
HOSTS = ["", "a/b", "a?b", "a#b", "a@b", "a b", "localhost:x", "localhost:123456", "[::1", "a" * 65_536, "ä"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host[:9])
def test_a_host_that_is_none_is_refused(wire: Wire, path: str, host: str) -> None:
    """B20: before anything is decided by it, on public routes too."""
    answer = _with_hosts(wire, path, host)
    refused(answer, 400, "invalid_host", dialect=DIALECTS.get(path, "openai"))


@pytest.mark.parametrize("path", PATHS)
def test_one_host_is_needed(gateway: Gateway, path: str) -> None:
    """B20: none, or two, even if they agree."""
    for count in (0, 2):
        with Wire(gateway.port) as wire:
            answer = _with_hosts(wire, path, *[wire.host] * count)
            refused(answer, 400, "invalid_host", dialect=DIALECTS.get(path, "openai"))


def _with_hosts(wire: Wire, path: str, *hosts: str) -> Answer:
    method, body = ("POST", GOOD) if path in DIALECTS else ("GET", b"")
    headers = [*(("host", host) for host in hosts), *JSON, ("content-length", str(len(body)))]
    return wire.exchange(request(method, path, headers) + body, method)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:8000", "gateway.example.com", "127.0.0.1"])
def test_any_host_that_is_one_will_do(wire: Wire, host: str) -> None:
    """Whatever name leads here."""
    assert wire.exchange(request("GET", "/livez", (("host", host),)), "GET").status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/v1", "/v1/chat", "/v2/chat/completions", "/livez/", "//stats", "/admin", "/%2e%2e/etc/passwd"),
        *("/stats;x", "/STATS", "/assets/../index.html", "/v1/requests/a/b", "/docs", "/" + "x" * 4000),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_told(wire: Wire, method: str, path: str) -> None:
    """B21: 404, and the connection goes on."""
    answer = wire.ask(method, path)
    refused(answer, 404, "unknown_url")
    assert wire.ask("GET", "/livez").status == 200


@pytest.mark.parametrize(
    ("path", "wrong", "allowed"),
    [
        ("/v1/chat/completions", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"], "POST"),
        ("/v1/messages", ["GET", "PUT", "DELETE"], "POST"),
        ("/complete", ["GET", "PUT"], "POST"),
        ("/v1/embeddings", ["GET"], "POST"),
        ("/v1/responses", ["GET", "DELETE"], "POST"),
        ("/v1/messages/count_tokens", ["GET"], "POST"),
        ("/feedback", ["GET", "PUT"], "POST"),
        ("/stats", ["POST", "DELETE", "TRACE"], "GET"),
        ("/livez", ["POST"], "GET"),
        ("/", ["POST", "PUT"], "GET, HEAD"),
    ],
)
def test_the_wrong_method_is_told_the_right_one(wire: Wire, path: str, wrong: list[str], allowed: str) -> None:
    """B22: 405 with Allow."""
    for method in wrong:
        answer = wire.ask(method, path)
        refused(answer, 405, "method_not_allowed", dialect=DIALECTS.get(path, "openai"))
        assert ", ".join(sorted(re.split(r",\s*", answer.headers["allow"]))) == allowed


def test_the_wrong_method_with_a_body_ends_the_connection(wire: Wire) -> None:
    """What was not read is not taken for the next request."""
    answer = wire.ask("PUT", "/v1/chat/completions", b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
    refused(answer, 405, "method_not_allowed")
    assert wire.is_closed()
