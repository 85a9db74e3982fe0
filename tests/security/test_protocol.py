"""Bytes that are no sound HTTP are refused in the envelope, and nothing behind them is served.

Rows B15 to B19, B43, F26, S44, S45 and S52.
"""

from __future__ import annotations

import re
import socket

import pytest

from tests.security.bodies import GOOD
from tests.security.refusals import refused, resident_mib
from tests.security.wire import JSON, Wire, request
from tests.servers.gateway import Gateway

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST
POST = b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n"
"""What an attacker would have served behind a request whose end two servers see at different places."""
DIALECTS = {b"/v1/chat/completions": "openai", b"/v1/messages": "anthropic", b"/feedback": "openai"}
FRAMINGS = {
    "both": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "one length twice": b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "list of lengths": b"Content-Length: 2, 2\r\n\r\n{}",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "signed length": b"Content-Length: +2\r\n\r\n{}",
    "hexadecimal length": b"Content-Length: 0x2\r\n\r\n{}",
    "no length": b"Content-Length: \r\n\r\n{}",
    "length beyond all bounds": b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "space before the colon": b"Content-Length : 2\r\n\r\n{}",
    "chunked with a comma": b"Transfer-Encoding: chunked ,\r\n\r\n0\r\n\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked first": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked last": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "identity": b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "negative size": b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "endless size": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "chunk that goes on": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
    "bare line feeds between chunks": b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "line feed in an extension": b"Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
    "bare line feed": b"X: y\nContent-Length: 2\r\n\r\n{}",
    "bare carriage return": b"X: y\rContent-Length: 2\r\n\r\n{}",
    "folded header": b"X: y\r\n z\r\nContent-Length: 2\r\n\r\n{}",
    "folded length": b"Content-Length:\r\n 2\r\n\r\n{}",
    "NUL in a value": b"X: \x00\r\nContent-Length: 2\r\n\r\n{}",
    "NUL in a name": b"X\x00: y\r\nContent-Length: 2\r\n\r\n{}",
    "space in a name": b"X Y: z\r\nContent-Length: 2\r\n\r\n{}",
    "no name": b": y\r\nContent-Length: 2\r\n\r\n{}",
}

pytestmark = pytest.mark.usefixtures("upstream")


@pytest.mark.parametrize(("route", "dialect"), DIALECTS.items())
@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_a_body_whose_end_is_in_doubt_ends_the_connection(
    wire: Wire, route: bytes, dialect: str, framing: bytes
) -> None:
    """B16, S52: 400 in the caller's dialect, and what follows is served to nobody."""
    answer = wire.exchange(POST % route + framing + SMUGGLED)
    refused(answer, 400, "bad_request", dialect=dialect)
    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"GET /livez",
            b"GET /livez HTTP/0.9",
            b"GET /livez HTTP/1.2",
            b"GET /livez HTTP/2.0",
            b"GET /livez HTTP/3.0",
        ),
        *(b"GET /livez http/1.1", b"GET\t/livez\tHTTP/1.1", b" GET /livez HTTP/1.1", b"GET /livez HTTP/1.1 x", b"GET"),
        *(b"FOO /livez HTTP/1.1", b"get /livez HTTP/1.1", b"G\x00T /livez HTTP/1.1", b"CONNECT a:1 HTTP/1.1"),
        *(b"GET /\xff HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET http://a@b:99999/ HTTP/1.1", b"\x16\x03\x01\x02\x00"),
        b"PRI * HTTP/2.0\r\n\r\nSM",
    ],
)
def test_a_request_line_that_is_none_is_refused(wire: Wire, line: bytes) -> None:
    """B19: other versions, methods and protocols; without a word about what runs here."""
    answer = wire.exchange(line + b"\r\n" + HOST + b"\r\n", "GET")
    refused(answer, 400, "bad_request")
    assert wire.is_closed()


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT"])
def test_methods_that_reach_through_are_not_allowed(wire: Wire, method: bytes) -> None:
    """B19: nothing is echoed, nothing tunnelled."""
    refused(wire.exchange(GET.replace(b"GET", method) + b"X-Canary: 1\r\n\r\n", "GET"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "more",
    [
        b"X: %b\r\n" % (b"y" * 16 * 1024),
        b"X: %b\r\n" % (b"y" * 1024 * 1024),
        b"%b: y\r\n" % (b"x" * 17_000),
        b"X: y\r\n" * 100,
        b"X: y\r\n" * 100_000,
    ],
    ids=len,
)
@pytest.mark.parametrize(("route", "dialect"), DIALECTS.items())
def test_too_many_words_before_the_body_are_refused(wire: Wire, route: bytes, dialect: str, more: bytes) -> None:
    """B17: one header over 16 KiB, or more than a hundred."""
    answer = wire.exchange(POST % route + more + b"Content-Length: 2\r\n\r\n{}")
    refused(answer, 431, "headers_too_large", dialect=dialect)
    assert wire.is_closed()


@pytest.mark.parametrize("target", ["/v1/chat/completions?", "/stats?from=", "/x/", "/?"])
@pytest.mark.parametrize("length", [8 * 1024 + 1, 1024 * 1024, 3 * 1024 * 1024])
def test_an_address_without_end_is_refused(wire: Wire, target: str, length: int) -> None:
    """B18: at 8 KiB, however long it is."""
    answer = wire.exchange(request("GET", target.ljust(length, "y"), (("host", wire.host),)), "GET")
    refused(answer, 414, "uri_too_long")
    assert wire.is_closed()


@pytest.mark.parametrize("route", DIALECTS)
def test_what_is_left_over_of_a_body_is_no_request(wire: Wire, route: bytes) -> None:
    """B15: the length says less than was sent; the first part is judged, the rest is no HTTP and ends it."""
    said = wire.hear_out(POST % route + b"Content-Length: %d\r\n\r\n" % (len(GOOD) // 2) + GOOD)
    assert said.startswith(b"HTTP/1.1 400 ")


def test_requests_sent_ahead_of_garbage_are_answered(wire: Wire) -> None:
    """S52: each in its order, and the last says that there is no more."""
    said = wire.hear_out(GET + b"\r\n" + GET + b"\r\nBAD\r\n\r\n" + SMUGGLED)
    assert re.findall(rb"HTTP/1.1 (\d+)|connection: (close)|(farthing_)", said) == [
        (b"200", b"", b""),
        (b"200", b"", b""),
        (b"", b"close", b""),
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 10_000,
        'multipart/form-data; boundary="../../x"',
        "multipart/mixed; boundary=x",
    ],
    ids=lambda kind: kind[:40],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/feedback", "/v1/audio/transcriptions", "/v1/files"])
def test_no_form_is_taken(wire: Wire, kind: str, path: str) -> None:
    """B43, S44: there is no route for files; none of a form is read or parsed."""
    body = b"--x\r\nContent-Disposition: form-data; name=file; filename=../../x\r\n\r\n\r\n" * 1000
    answer = wire.ask("POST", path, body, (("content-type", kind),))
    known = path in ("/v1/chat/completions", "/feedback")
    refused(answer, 415 if known else 404, "unsupported_media_type" if known else "unknown_url")
    assert answer.headers["connection"] == "close"


def test_thousands_of_ranges_are_one_page(wire: Wire) -> None:
    """S45: the page is sent as a whole, whatever pieces are asked for."""
    name = re.search(rb"/assets/[\w.-]+", wire.ask("GET", "/").body)
    assert name
    path = name[0].decode()
    whole = wire.ask("GET", path)
    ranges = "bytes=" + ",".join(f"{n}-{n}" for n in range(3000))
    answer = wire.ask("GET", path, headers=(("range", ranges[:16_000]),))
    assert (answer.status, answer.body) == (200, whole.body)
    assert "content-range" not in answer.headers


def test_connections_that_dawdle_are_small(gateway: Gateway) -> None:
    """F26: five hundred heads that never end take less than 30 KiB each, and others are served meanwhile."""
    before = resident_mib(gateway)
    idle = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(500)]
    try:
        for connection in idle:
            connection.sendall(GET)
        with Wire(gateway.port) as wire:
            assert wire.ask("GET", "/livez").status == 200
            refused(wire.ask("POST", "/v1/chat/completions", b"{", JSON), 400, "invalid_json")
        assert resident_mib(gateway) - before < 500 * 30 / 1024
    finally:
        for connection in idle:
            connection.close()
