"""A gateway that ends: connections are retired, and what there is no time for is told so and recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from farthing.http.desk import Desk
from farthing.http.hot import DataPlane
from farthing.providers.fake import answer, hang
from tests.servers.asgi import Client
from tests.unit.gateway.rig import KEY, Rig, chat, completion, events
from tests.unit.http.lanes import Line, request

QUESTION = json.dumps(chat()).encode()
STREAM = json.dumps(chat(stream=True)).encode()
USUAL = b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"connection: close\r\n"
TURNS = 20


async def never(_: float) -> None:
    """An upstream that takes for ever."""
    await asyncio.Event().wait()


def silent(*chunks: bytes) -> Rig:
    """A rig whose upstream says this and then nothing more."""
    rig = Rig(lambda _: hang(*chunks))
    rig.transport._sleep = never
    return rig


async def turns(number: int = TURNS) -> None:
    """Lets everybody who can go on."""
    for _ in range(number):
        await asyncio.sleep(0)


def cut(line: Line) -> None:
    """What the server does when the time to finish is over."""
    assert line.desk is not None
    line.desk.stop()
    for task in line.state.tasks:
        task.cancel()


def row(rig: Rig) -> tuple[str, int, str | None, bool]:
    """Of the one record: status, HTTP status, code, and whether its tokens were counted here."""
    [exchange] = rig.journal.settled
    return exchange.status, exchange.http_status, exchange.error_code, exchange.usage.estimated


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_stream_without_time_ends_with_an_error_event(dialect: str) -> None:
    """In the caller's dialect, without the end mark; what was said so far is paid for."""
    rig = silent(*events()[:3])
    line = Line(rig)
    path = "/v1/messages" if dialect == "anthropic" else "/v1/chat/completions"
    body = json.dumps(chat(stream=True, max_tokens=9)).encode()
    line.say(request(body, path=path))
    await turns()
    cut(line)
    said = await line.hear(b"0\r\n\r\n")
    assert said.count(b"The gateway is being stopped") == 1
    assert (b"event: error" in said, b"[DONE]" in said, b"message_stop" in said) == (
        dialect == "anthropic",
        False,
        False,
    )
    await rig.supervisor.stop()
    assert line.pipe.is_closed
    assert row(rig) == ("interrupted", 503, "shutting_down", True)
    assert rig.journal.settled[0].cost
    assert (rig.transport.opened, rig.ledger.open_holds) == (rig.transport.closed, 0)


async def test_a_stream_that_nobody_reads_is_cut_as_well() -> None:
    """While it waits for its reader."""
    rig = silent(*events()[:3])
    line = Line(rig)
    line.say(request(STREAM))
    line.lane.pause_writing()
    await turns()
    cut(line)
    assert b"shutting_down" in await line.hear(b"0\r\n\r\n")
    await rig.supervisor.stop()
    assert row(rig) == ("interrupted", 503, "shutting_down", True)


@pytest.mark.parametrize(("waits", "status"), [(0, "rejected"), (TURNS, "interrupted")])
async def test_an_answer_without_time_is_a_503(waits: int, status: str) -> None:
    """It may be sent again; without an upstream that was asked it costs nothing."""
    rig = silent()
    line = Line(rig)
    line.say(request(QUESTION))
    await turns(waits)
    cut(line)
    said = await line.hear(b"}}")
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in said
    assert b'"code":"shutting_down"' in said
    await rig.supervisor.stop()
    assert line.pipe.is_closed
    assert row(rig) == (status, 503, "shutting_down", status == "interrupted")


async def test_who_has_left_before_is_told_nothing() -> None:
    """Nobody is there to hear it."""
    rig = silent(*events()[:3])
    line = Line(rig)
    line.say(request(STREAM))
    await turns()
    line.pipe.said = b""
    line.leave()
    cut(line)
    await rig.supervisor.stop()
    assert line.pipe.said == b""


async def test_a_retired_connections_next_answer_is_its_last() -> None:
    """It says so, on either way; nobody is cut off in the middle of a question."""
    rig = Rig(lambda _: answer(completion()))
    plain, usual = Line(rig), Line(rig)
    for line in (plain, usual):
        line.lane.retire()
        assert not line.pipe.is_closed
    plain.say(request(QUESTION))
    assert LAST in await plain.hear(completion())
    usual.say(USUAL)
    assert LAST in await usual.hear(b"other")
    assert (plain.pipe.is_closed, usual.pipe.is_closed) == (True, True)
    await rig.supervisor.stop()


class Asked:
    """A request on the usual way whose client waits, and what it heard."""

    def __init__(self, rig: Rig, body: bytes, *, has_body: bool = True) -> None:
        desk = Desk(
            pipeline=rig.pipeline,
            snapshots=rig.snapshots,
            clock=rig.clock,
            new_id=lambda: "the-id",
            spawn=rig.supervisor.spawn,
            max_body_bytes=10_000,
        )
        self.desk = desk
        self._body = [body] if has_body else []
        client = Client(self._with_patience, key=KEY)
        self.task = asyncio.create_task(client.post("/v1/chat/completions", body))

    async def _with_patience(self, scope: Any, receive: Any, send: Any) -> None:
        async def wait() -> Any:
            if not self._body:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": self._body.pop()}

        await DataPlane(self.desk)(scope, wait, send)

    async def cut(self) -> tuple[int, bytes]:
        """Status and body of what is answered when the time is over."""
        await turns()
        self.desk.stop()
        self.task.cancel()
        told = await asyncio.wait_for(self.task, 5)
        return told.status, told.body


async def test_the_usual_way_tells_the_same() -> None:
    """A 503 for an answer or for a body that did not come, an error event for a stream."""
    for body, chunks, has_body, status in (
        (QUESTION, [], True, 503),
        (QUESTION, [], False, 503),
        (STREAM, events()[:3], True, 200),
    ):
        rig = silent(*chunks)
        answered, said = await Asked(rig, body, has_body=has_body).cut()
        assert answered == status
        assert said.count(b'"code":"shutting_down"') == 1
        await rig.supervisor.stop()
        assert [each.status for each in rig.journal.settled] == (["interrupted"] if has_body else [])
