"""The data plane: one request read, answered, and let go of when its client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from farthing.domain.budget import Step
from farthing.gateway.pipeline import Pipeline
from farthing.http import hot
from farthing.http.desk import Desk
from farthing.http.hot import DataPlane
from farthing.providers.fake import Behaviour, answer, hang
from tests.servers.asgi import Answer, Client
from tests.unit.gateway.rig import KEY, Rig, chat, completion, events
from tests.unit.gateway.test_budgets import limited

PATH = "/v1/chat/completions"
SSE = {"content-type": "text/event-stream"}
LIMIT = 1000


def client(rig: Rig) -> Client:
    """Asks the rig's pipeline through a data plane."""
    desk = Desk(
        pipeline=rig.pipeline,
        snapshots=rig.snapshots,
        clock=rig.clock,
        new_id=lambda: "the-id",
        spawn=rig.supervisor.spawn,
        max_body_bytes=LIMIT,
    )
    return Client(DataPlane(desk), key=KEY)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Answers one request, whole."""
    rig = Rig([answer(completion())])
    yield rig
    await rig.supervisor.stop()


async def test_a_whole_answer_tells_what_it_was_and_cost(rig: Rig) -> None:
    """15 tokens at $1 a million, and the upstream's own bytes."""
    said = await client(rig).post(PATH, chat())
    assert (said.status, said.body) == (200, completion())
    assert said.headers == {
        "content-type": "application/json",
        "content-length": str(len(completion())),
        "x-request-id": "the-id",
        "request-id": "the-id",
        "x-farthing-cache": "off",
        "server-timing": said.headers["server-timing"],
        "x-farthing-model": "small",
        "x-farthing-provider": "fake",
        "x-farthing-strategy": "passthrough",
        "x-farthing-upstream-request-id": "up-1",
        "x-farthing-cost-usd": "0.000015000",
    }
    assert said.headers["server-timing"] == "gateway;dur=0.00, upstream;dur=0.00"


async def test_an_answer_tells_that_a_budget_made_it_cheaper(rig: Rig) -> None:
    """Only where `auto` was planned one tier lower for that."""
    limited(rig, spent=950_000_000, degrade=(Step(90, "cheaper"),))
    said = await client(rig).post(
        PATH, chat("Prove that sum(i ** 2 for i in range(x)) is right, step by step", model="auto")
    )
    assert said.headers["x-farthing-budget"] == "cheaper"


async def test_a_stream_tells_its_facts_before_it_begins() -> None:
    """All but the cost, which nobody knows yet."""
    rig = Rig([answer(*events(), headers=SSE)])
    said = await client(rig).post(PATH, chat(stream=True))
    assert said.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert said.headers["cache-control"] == "no-cache"
    assert said.headers["x-farthing-model"] == "small"
    assert "x-farthing-cost-usd" not in said.headers
    assert said.body.endswith(b"data: [DONE]\n\n")
    assert [exchange.status for exchange in rig.journal.settled] == ["ok"]
    await rig.supervisor.stop()


async def test_what_a_vendor_calls_its_answer_cannot_break_ours() -> None:
    """Line breaks, foreign letters and endless ids become what a header can hold."""
    hostile = json.loads(completion()) | {"id": "a\r\nset-cookie: x\x00ä" + "y" * 1000}
    rig = Rig([answer(json.dumps(hostile).encode())])
    said = await client(rig).post(PATH, chat())
    assert said.status == 200
    assert said.headers["x-farthing-upstream-request-id"] == "a??set-cookie: x??" + "y" * (256 - 18)
    await rig.supervisor.stop()


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
async def test_a_body_is_held_to_the_limit(rig: Rig, size: int) -> None:
    """By what comes, not by what was announced; unread, it ends the connection."""
    body = json.dumps(chat()).encode().ljust(size)
    said = await client(rig).post(PATH, body, [("content-length", "1")])
    if size > LIMIT:
        assert (said.status, said.json["error"]["code"]) == (413, "request_too_large")
        assert said.headers["connection"] == "close"
    else:
        assert said.status == 200
        assert "connection" not in said.headers


async def test_wishes_in_headers_reach_the_record(rig: Rig) -> None:
    """User, tags, session, program."""
    headers = [("x-farthing-user", "ann"), ("x-farthing-tags", "a=b"), ("session-id", "s"), ("user-agent", "curl/8")]
    await client(rig).post(PATH, chat(), headers)
    [exchange] = rig.journal.settled
    assert (exchange.user, exchange.tags, exchange.session, exchange.app) == ("ann", {"a": "b"}, "s", "curl")


async def test_a_wish_that_cannot_be_read_costs_nothing(rig: Rig) -> None:
    """It is refused after the body was read, so the connection goes on."""
    said = await client(rig).post(PATH, chat(), [("x-farthing-cache", "perhaps")])
    assert (said.status, said.json["error"]["param"]) == (400, "x-farthing-cache")
    assert "connection" not in said.headers
    assert rig.transport.opened == 0


class Leaving:
    """A client that sends its body in parts, hears what is said, and hangs up when it is told to."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = [*parts]
        self.left = asyncio.Event()
        self.heard: list[Any] = []
        self.spoke = asyncio.Event()

    async def receive(self) -> Any:
        """The next part of the body, and then nothing until it hangs up."""
        if self._parts:
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Hears the message."""
        self.heard.append(message)
        self.spoke.set()

    async def ask(self, rig: Rig) -> None:
        """The whole exchange."""
        headers = [("host", "a"), ("authorization", f"Bearer {KEY}"), ("content-type", "application/json")]
        encoded = [(name.encode(), value.encode()) for name, value in (*headers, ("content-length", "9"))]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": encoded}
        await client(rig).application(scope, self.receive, self.send)

    @property
    def answer(self) -> Answer:
        """What it heard in all."""
        start, *rest = self.heard
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(message["body"] for message in rest))


async def never(_: float) -> None:
    """An upstream that takes for ever."""
    await asyncio.Event().wait()


def slow(*behaviours: Behaviour) -> Rig:
    """A rig whose upstream takes for ever wherever it pauses."""
    rig = Rig([*behaviours])
    rig.transport._sleep = never
    return rig


async def under_way(rig: Rig) -> None:
    """Returns when the upstream has been asked."""
    for _ in range(100):
        if rig.transport.opened:
            return
        await asyncio.sleep(0)
    raise AssertionError


@pytest.mark.parametrize(
    ("behaviour", "stream"),
    [(hang(), False), (hang(completion()[:50]), False), (hang(), True), (hang(*events()[:3]), True)],
)
async def test_a_client_who_leaves_lets_go_of_the_upstream(
    monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour, stream: bool
) -> None:
    """At any moment; the request is recorded as cancelled, and nothing further is sent."""
    monkeypatch.setattr(hot, "WATCH_AFTER_S", 0.0)
    rig = slow(behaviour)
    body = json.dumps(chat(stream=stream)).encode()
    leaving = Leaving(body[:5], body[5:])
    asking = asyncio.create_task(leaving.ask(rig))
    await under_way(rig)
    await asyncio.sleep(0.01)
    leaving.left.set()
    await asyncio.wait_for(asking, 5)
    assert (rig.transport.opened, rig.transport.closed) == (1, 1)
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]
    assert not any(message.get("more_body") is False for message in leaving.heard)
    await rig.supervisor.stop()


async def test_a_server_that_stops_is_not_taken_for_a_client_who_leaves() -> None:
    """The cancellation goes on to whoever asked for it."""
    rig = slow(hang())
    asking = asyncio.create_task(Leaving(json.dumps(chat()).encode()).ask(rig))
    await under_way(rig)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]
    await rig.supervisor.stop()


async def test_a_body_that_breaks_off_is_no_request(rig: Rig) -> None:
    """Nothing is recorded of what nobody asked."""
    broken = Leaving()
    broken.left.set()
    await broken.ask(rig)
    assert (broken.answer.status, broken.answer.json["error"]["code"]) == (400, "bad_request")
    assert rig.journal.settled == []


async def test_a_surprise_in_the_pipeline_is_a_clean_500(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the caller's dialect, with the id and without the exception's text."""

    def begin(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(Pipeline, "begin", begin)
    said = await client(rig).post("/v1/messages", chat(max_tokens=9))
    assert said.status == 500
    assert said.json["error"]["type"] == "api_error"
    assert "the-id" in said.json["error"]["message"]
    assert b"secret" not in said.body


async def test_a_stream_that_breaks_never_ends_as_if_it_were_whole() -> None:
    """An error event takes the place of the end mark."""
    rig = Rig([Behaviour(chunks=tuple((0.0, event) for event in events()[:3]), headers=SSE, ending="broken")])
    said = await client(rig).post(PATH, chat(stream=True))
    assert said.status == 200
    assert b"[DONE]" not in said.body
    assert b'"error"' in said.body.rstrip().rsplit(b"\n\n", 1)[-1]
    assert [exchange.status for exchange in rig.journal.settled] == ["error"]
    await rig.supervisor.stop()
