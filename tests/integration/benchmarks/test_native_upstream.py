"""The vendor's mock speaks both dialects, whole and in streams, whatever way a request arrives."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from benchmarks.native import Load, Upstream

OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A mock whose streams have 3 events, 1 ms apart."""
    with Upstream(events=3, gap_ms=1) as started:
        yield started


def posted(upstream: Upstream, path: str, body: bytes) -> tuple[str, bytes]:
    """The answer's type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    connection.request("POST", path, body)
    response = connection.getresponse()
    assert response.status == 200
    kind, content = response.getheader("content-type", ""), response.read()
    connection.close()
    return kind, content


def said(upstream: Upstream, *pieces: bytes) -> bytes:
    """What it says until it closes to a client that sends these pieces, the last of which asks it to close."""
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        return b"".join(iter(lambda: client.recv(65536), b""))


def events(stream: bytes) -> list[tuple[str, str]]:
    """Each event's name and data."""
    lines = (event.split("\n") for event in stream.decode().strip().split("\n\n"))
    pairs = (dict(line.split(": ", 1) for line in event) for event in lines)
    return [(pair.get("event", ""), pair["data"]) for pair in pairs]


def test_an_openai_answer_is_whole(upstream: Upstream) -> None:
    """A completion with the usage that prices it."""
    kind, content = posted(upstream, OPENAI, b'{"model": "any"}')
    answer = json.loads(content)
    assert kind == "application/json"
    assert (answer["object"], answer["choices"][0]["finish_reason"]) == ("chat.completion", "stop")
    assert answer["usage"] == {"prompt_tokens": 25, "completion_tokens": 40, "total_tokens": 65}


def test_an_anthropic_answer_is_whole(upstream: Upstream) -> None:
    """A message with the usage that prices it, also where the address has a query."""
    answer = json.loads(posted(upstream, f"{ANTHROPIC}?beta=true", b"{}")[1])
    assert (answer["type"], answer["role"], answer["stop_reason"]) == ("message", "assistant", "end_turn")
    assert answer["content"][0]["type"] == "text"
    assert answer["usage"] == {"input_tokens": 25, "output_tokens": 40}


@pytest.mark.parametrize("asked", ["", '"stream_options": {"include_usage": true}, '])
def test_an_openai_stream_has_its_events(upstream: Upstream, asked: str) -> None:
    """So many events, usage where it was asked for, and the mark of the end."""
    kind, content = posted(upstream, OPENAI, f'{{{asked}"stream" :\n true}}'.encode())
    *chunks, done = [data for _, data in events(content)]
    parsed = [json.loads(chunk) for chunk in chunks]
    assert kind == "text/event-stream; charset=utf-8"
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in parsed} == {"chat.completion.chunk"}
    assert [chunk["choices"][0] for chunk in parsed[:3]] == [
        {"index": 0, "delta": {"role": "assistant", "content": "A"}, "finish_reason": None},
        {"index": 0, "delta": {"content": " word"}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    usage = {"prompt_tokens": 25, "completion_tokens": 40, "total_tokens": 65}
    assert [(chunk["choices"], chunk["usage"]) for chunk in parsed[3:]] == ([([], usage)] if asked else [])


def test_an_anthropic_stream_has_its_events(upstream: Upstream) -> None:
    """So many deltas between what Anthropic puts around them; each event's name is its type."""
    found = events(posted(upstream, ANTHROPIC, b'{"stream":true}')[1])
    assert [name for name, _ in found] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [json.loads(data)["type"] for _, data in found] == [name for name, _ in found]


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream": false}',
        rb'{"messages": [{"content": "say \"stream\": true"}]}',
        b'{"stream"',
        b"",
        b'{"streams": true}',
    ],
)
def test_what_does_not_ask_for_a_stream_gets_none(upstream: Upstream, body: bytes) -> None:
    """Only the member `stream` with the value true does, not a prompt that quotes it."""
    assert posted(upstream, OPENAI, body)[0] == "application/json"


def test_a_stream_is_paced(upstream: Upstream) -> None:
    """Its last event comes as many gaps after the first as lie between them, never earlier."""
    with Upstream(events=4, gap_ms=20) as paced:
        load = Load(url=f"{paced.url}{OPENAI}", body=b'{"stream":true}', connections=8, rate=80, seconds=0.1)
        result = load.put()
    assert (result.requests, result.events) == (8, 40)
    assert result.latency_us.p50 >= 0.99 * 60_000


def test_posts_are_counted(upstream: Upstream) -> None:
    """Other methods are not, and the count can begin anew."""
    upstream.reset()
    assert upstream.count() == 0
    posted(upstream, OPENAI, b"{}")
    posted(upstream, ANTHROPIC, b'{"stream":true}')
    assert upstream.count() == 2
    upstream.reset()
    assert upstream.count() == 0


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_requests_are_read_however_they_are_cut(upstream: Upstream, size: int) -> None:
    """Three in a row, a stream between them, are answered in order, in one piece or byte by byte."""
    whole = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    stream = (
        b'POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"stream"\r\n6\r\n:true}\r\n0\r\n\r\n'
    )
    last = b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"
    sent = whole + stream + last
    answers = said(upstream, *(sent[at : at + size] for at in range(0, len(sent), size)))
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    order = [answers.index(mark) for mark in (b"chat.completion", b"message_start", b"message_stop", b"text/plain")]
    assert order == sorted(order)
    assert answers.endswith(b"content-length: 2\r\n\r\n")


def test_a_body_may_have_a_megabyte(upstream: Upstream) -> None:
    """Its last member still decides."""
    body = b'{"prompt": "%b", "stream": true}' % (b"x" * (1 << 20))
    assert posted(upstream, OPENAI, body)[0].startswith("text/event-stream")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET\r\n\r\n",
        b"\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
    ],
)
def test_a_malformed_request_is_refused(upstream: Upstream, request_bytes: bytes) -> None:
    """It gets 400 and the end of its connection."""
    assert said(upstream, request_bytes).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_client_may_leave_at_any_time(upstream: Upstream) -> None:
    """One that goes in the middle of its stream disturbs nobody else's."""
    request = b'POST / HTTP/1.1\r\nContent-Length: 15\r\n\r\n{"stream":true}'
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", upstream.port), timeout=10) as client:
            client.sendall(request)
    assert posted(upstream, OPENAI, b'{"stream":true}')[1].endswith(b"data: [DONE]\n\n")
