"""F17, F18 and F21: a vendor that falls silent, breaks off or talks nonsense is told as its fault."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.faults.rig.books import check
from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import Ask, Heard, Holder, Load, Maker, percentile, send, together
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Mood, Wish
from tests.faultserver.server import FaultServer, Peer, answer, chunked, events

FIRST_S, IDLE_S = 2.0, 1.0
DEADLINES = f"first_token_s = {FIRST_S}\nidle_s = {IDLE_S}"
LATE_S = 0.25
BESIDE_MS = 20.0
"""What a silent deployment may add to the 99th percentile of another."""
LANES = 16
MEMORY_MOST = 32 * 1024 * 1024
FINISH = b'"finish_reason":"stop"}]}'
"""With this the answer is whole, whether the end mark comes or not."""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
WORDS = ('"é€ 😀"', '"line\\nbreak \\u00e9\\ud83d\\ude00"', '"plain words here"', '"\\"quoted\\" \\\\ "')
SAID = [json.loads(word) for word in WORDS]


def sse(size: int = 4096) -> bytes:
    """A stream with everything the format allows: BOM, comments, both line ends, data over two lines."""
    parts = [b"\xef\xbb\xbf: hello\r\n\r\n"]
    number = 0
    while sum(map(len, parts)) < size:
        head = b'{"id":"x","object":"chat.completion.chunk","model":"m",'
        rest = b'"choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}' % WORDS[number % 4].encode()
        ends = (b"\n", b"\r\n")[number % 2]
        parts.append(
            b"data: " + head + ends + b"data: " + rest + ends * 2
            if number % 5 == 4
            else b"data:" + head + rest + ends * 2
        )
        number += 1
    usage = b'"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}' % (number, number + 9)
    parts.append(b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
    parts.append(b'data: {"id":"x","choices":[],' + usage + b"}\n\ndata: [DONE]\n\n")
    return b"".join(parts)


def told(source: bytes) -> str:
    """The text in the whole events of these bytes, read without the gateway's code."""
    heard = Heard(Ask(user="", wish=Wish("")), body=source.replace(b"\r\n", b"\n").rpartition(b"\n\n")[0])
    return heard.text


def question(number: int, *, stream: bool = True, model: str = "model-a", holder: Holder | None = None) -> Ask:
    """Its prompt is its number."""
    return Ask(user=f"u{number}", wish=Wish(nonce=str(number)), stream=stream, model=model, holder=holder)


async def ask_in_lanes(site: Site, number: int) -> list[Heard]:
    """A question for each number, in lanes at a deployment each.

    Each is followed by one whose answer is whole, so that no breaker opens.
    """
    heard: dict[int, Heard] = {}

    async def lane(first: int) -> None:
        for each in range(first, number, LANES):
            heard[each] = await send(question(each, model=f"model-d{first}"), site.gateway.port)
            whole = Ask(user=f"w{each}", wish=Wish(nonce="-1"), model=f"model-d{first}")
            assert (await send(whole, site.gateway.port)).is_complete

    await asyncio.gather(*map(lane, range(LANES)))
    return [heard[each] for each in range(number)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_a_stream_cut_at_any_byte_says_so(rig: Rig, reset: bool) -> None:
    """F18: the client has the source's text up to the cut and then an error, never an end; nobody is asked twice."""
    source = sse()
    cuts = range(0, len(source) + 1, 1 if rig.is_full else 61)

    async def script(peer: Peer) -> None:
        body = json.loads((await peer.request()).body)
        number = int(json.loads(body["messages"][0]["content"])["nonce"])
        at = cuts[number] if number >= 0 else len(source)
        await peer.send(HEAD + source[:at], size=1 if at % 7 == 0 and not reset else 0)
        if reset:
            await asyncio.sleep(0.02)
            peer.reset()

    async with FaultServer(script) as vendor:
        site = await rig.start(keys=0, text={"ports": {f"d{lane}": vendor.port for lane in range(LANES)}})
        heard = await ask_in_lanes(site, len(cuts))
        await site.books.settled(2 * len(cuts))
        assert len(vendor.requests) == 2 * len(cuts)
    for at, each in zip(cuts, heard, strict=True):
        _check_cut(each, source[:at], is_whole=FINISH in source[:at], is_exact=not reset)
    rows = {row.user: row for row in await site.books.rows()}
    assert len(rows) == 2 * len(cuts)
    assert {rows[each.ask.user].status == "ok" for each in heard if each.is_complete} <= {True}
    begun = sum(each.status == 200 for each in heard)
    way = "RST" if reset else "FIN"
    rig.tell(f"F18 {way}", f"{len(cuts)} cuts of {len(source)} bytes, {begun} after the first word; 0 texts altered")


def _check_cut(heard: Heard, source: bytes, *, is_whole: bool, is_exact: bool) -> None:
    # An event whose blank line is cut off may be told or not.
    expected = told(source + b"\n\n")
    assert "\ufffd" not in heard.text
    assert expected.startswith(heard.text)
    if is_exact and heard.status == 200:
        assert heard.text.startswith(told(source))
    if heard.status == 200:
        assert is_whole or (heard.has_error_event and b"[DONE]" not in heard.body), heard.body[-200:]
        assert heard.is_ended
    else:
        assert heard.status == 502, heard.body
        assert set(json.loads(heard.body)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_a_vendor_that_falls_silent_is_given_up_in_time(rig: Rig) -> None:
    """F17: 504 at the deadline, an error event in mid-stream, and others at other deployments feel nothing."""
    ports = {"a": rig.vendors.port, "b": rig.vendors.port}
    site = await rig.start(keys=2, text={"ports": ports, "timeouts": DEADLINES})
    one, other = site.holders
    warm = await together([question(-number, model="model-b", holder=other) for number in range(1, 30)], site.ports)
    before = vitals(workers(site.gateway))
    calm, beside = (Load(site.ports, others(other, begin), rate=40, seed=rig.seed) for begin in (10_000, 20_000))
    async with calm.running():
        await asyncio.sleep(4)
    rig.vendors.be(a=Mood(silent=True))
    silent = asyncio.ensure_future(together([question(number, holder=one) for number in range(500)], site.ports))
    async with beside.running():
        first = await silent
    rig.vendors.be(a=Mood())
    await asyncio.sleep(6)
    wishes = [Wish(nonce=f"s{number}", silent_after=5) for number in range(30)]
    stuck = [Ask(user=f"s{place}", wish=wish, model="model-b", holder=other) for place, wish in enumerate(wishes)]
    broken = await together(stuck, site.ports)
    assert {each.status for each in first} <= {504, 503}
    timed = [each.seconds for each in first if each.status == 504]
    assert min(timed) >= FIRST_S - LATE_S
    unanswered = [each for each in [*warm, *calm.heard, *beside.heard] if not each.is_complete]
    assert [(each.ask.user, each.status, each.problem, each.body[:200]) for each in unanswered] == []
    assert all(each.has_error_event and not each.is_complete for each in broken)
    lasted = [each.seconds - 0.15 for each in broken]
    assert percentile(lasted, 0.5) >= IDLE_S - LATE_S
    heard = [*warm, *calm.heard, *first, *beside.heard, *broken]
    await site.books.settled(len(heard))
    await check(site.books, heard, rig.vendors.entries(), allowed=frozenset({503, 504}), attempts=False)
    rows = {row.user: row for row in await site.books.rows()}
    assert all(rows[each.ask.user].status == "error" for each in [*first, *broken])
    assert all(rows[each.ask.user].completion_tokens > 0 for each in broken)
    await asyncio.sleep(2)
    files = vitals(workers(site.gateway)).files - before.files
    assert files <= 5
    alone_ms, beside_ms = (1000 * percentile([each.seconds for each in load.heard], 0.99) for load in (calm, beside))
    rig.tell(
        "F17",
        f"500 silent from the start: {len(timed)} x 504 after {percentile(timed, 0.5):.2f} s (of {FIRST_S:.0f}); "
        f"30 in mid-stream: error event after {percentile(lasted, 0.5):.2f} s (of {IDLE_S:.0f}), their "
        f"words counted; p99 of {len(beside.heard)} others {alone_ms:.0f} ms before, {beside_ms:.0f} ms meanwhile; "
        f"open files {files:+d}",
    )
    rig.gate("seconds until who says nothing is given up", percentile(timed, 0.5), FIRST_S + LATE_S)
    rig.gate("seconds until who falls silent is given up", percentile(lasted, 0.5), IDLE_S + LATE_S)
    rig.gate("ms added to the 99th percentile of others", beside_ms - alone_ms, BESIDE_MS)


def others(holder: Holder, begin: int) -> Maker:
    """Questions for the deployment that is well, numbered from there on."""
    return lambda number, _: question(begin + number, model="model-b", holder=holder)


DELTA = b'{"id":"x","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}'
WHOLE = b'{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"%b},'
END = b'"finish_reason":"stop"}]%b}'
GARBAGE: dict[str, bytes] = {
    "html": answer(b"<html>welcome</html>", headers=b"content-type: text/html\r\n"),
    "empty": answer(b""),
    "truncated": answer(b'{"id":"x","choices":[{"ind'),
    "a list": answer(b"[1, 2]"),
    "null": answer(b"null"),
    "gzip bomb": answer(gzip.compress(b"0" * 10_000_000), headers=b"content-encoding: gzip\r\n"),
    "length too long": b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
    "NaN": answer(WHOLE % b"" + b'"logprobs":{"content":[{"token":"hi","logprob":NaN}]},' + END % b""),
    "-inf": answer(WHOLE % b"" + b'"logprobs":{"content":[{"token":"hi","logprob":-Infinity}]},' + END % b""),
    "negative usage": answer(WHOLE % b"" + END % b',"usage":{"prompt_tokens":-5,"completion_tokens":-7}'),
    "huge usage": answer(WHOLE % b"" + END % b',"usage":{"prompt_tokens":1e30,"completion_tokens":9}'),
    "text usage": answer(WHOLE % b"" + END % b',"usage":"lots"'),
    "no usage": answer(WHOLE % b"" + END % b""),
    "302": answer(b"", status=b"302 Found", headers=b"location: http://127.0.0.1:1/canary\r\n"),
    "1xx flood": b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + answer(b"{}"),
    "large head": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2**20 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "no HTTP": b"220 smtp.example.com ESMTP\r\n",
    "500": answer(b"Traceback: the vendor's own", status=b"500 Oops"),
    "529": answer(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', status=b"529 Overloaded"),
    "401": answer(b'{"error":{"message":"Incorrect API key: sk-canary"}}', status=b"401 Unauthorized"),
    "stream: two ends": events(DELTA, b"[DONE]", b"[DONE]"),
    "stream: error event": events(DELTA, b'{"error":{"message":"overloaded","type":"server_error"}}'),
    "stream: error first": events(b'{"error":{"message":"overloaded","type":"server_error"}}'),
    "stream: html": chunked(b"<html>"),
    "stream: endless line": chunked(*[b"data: " + b"x" * 2**20] * 64),
    "stream: half a UTF-8": events(DELTA, b'{"choices":[{"index":0,"delta":{"content":"\xe2\x82"}}]}'),
}


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_nonsense_is_the_vendors_fault_and_harms_nobody(rig: Rig) -> None:
    """F21: a clean refusal or an error event, a row that is never negative, memory that does not grow, no redirect."""
    names = [name for name in GARBAGE for _ in range(3)]

    async def script(peer: Peer) -> None:
        body = json.loads((await peer.request()).body)
        name = names[int(json.loads(body["messages"][0]["content"])["nonce"])]
        await peer.send(GARBAGE[name])

    async with FaultServer(script) as vendor:
        # A deployment for each, so that no breaker hides what comes next.
        ports = {f"d{place}": vendor.port for place in range(len(names))}
        site = await rig.start(keys=0, text={"ports": ports})
        [pid] = workers(site.gateway)
        before, grown, seen = vitals([pid]).memory, 0, dict[str, set[int]]()
        for place, name in enumerate(names):
            ask = question(place, stream=name.startswith("stream") or place % 3 == 2, model=f"model-d{place}")
            heard = await send(ask, site.gateway.port)
            seen.setdefault(name, set()).add(heard.status)
            _check_nonsense(name, heard)
            grown = max(grown, vitals([pid]).memory - before)
        await site.books.settled(len(names))
        assert workers(site.gateway) == [pid]
        rows = await site.books.rows()
    assert len(rows) == len(names)
    assert all(row.cost is not None and row.cost >= 0 and row.prompt_tokens >= 0 for row in rows)
    rig.gate("bytes it grew by", grown, MEMORY_MOST)
    answered = sorted(name for name, statuses in seen.items() if 200 in statuses)
    rig.tell("F21", f"{len(GARBAGE)} kinds, {len(names)} requests, memory {grown / 2**20:+.0f} MiB; 200 for {answered}")


def _check_nonsense(name: str, heard: Heard) -> None:
    assert heard.is_ended, f"{name}: {heard.problem}"
    assert heard.status in {200, 429, 502, 503}, f"{name}: {heard.status} {heard.body[:200]!r}"
    assert b"canary" not in heard.body, name
    assert b"Traceback" not in heard.body, name
    if heard.status == 200 and not heard.ask.stream:
        json.loads(heard.body, parse_constant=lambda constant: pytest.fail(f"{name}: {constant}"))
    elif heard.status != 200:
        assert set(json.loads(heard.body)["error"]) == {"message", "type", "param", "code"}, name
