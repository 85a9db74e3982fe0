"""Counting tokens and the Responses API on their way through the pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.chat import Usage
from farthing.domain.errors import InvalidRequest
from farthing.gateway.call import Call
from farthing.gateway.counting import counted
from farthing.gateway.delivery import StreamReply
from farthing.gateway.order import Order
from farthing.gateway.reply import Reply
from farthing.providers.fake import Behaviour, answer
from tests.unit.gateway.rig import Rig, completion, drained

ASKED = {"model": "small", "messages": [{"role": "user", "content": "How many words are these?"}]}
USAGE = {"input_tokens": 10, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15}
WHOLE = {
    "id": "resp_1",
    "object": "response",
    "model": "small",
    "status": "completed",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
    "usage": USAGE,
}
BODY = json.dumps(WHOLE).encode()


def event(kind: str, **more: Any) -> bytes:
    """An event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


STREAM = (
    event("response.created", response={"id": "resp_1", "model": "small"}),
    event("response.output_text.delta", delta="Hello"),
    event("response.completed", response=WHOLE),
)


def call(rig: Rig, dialect: str, body: Mapping[str, Any], **wishes: Any) -> Call:
    """A request to the route of this dialect."""
    route = {"responses": "/v1/responses", "count_tokens": "/v1/messages/count_tokens"}[dialect]
    return replace(rig.call(body, **wishes), route=route, dialect=INBOUND[dialect])


async def ask(rig: Rig, dialect: str, body: Mapping[str, Any], **wishes: Any) -> tuple[Reply | StreamReply, bytes]:
    """The answer and its bytes."""
    reply = await rig.pipeline.run(call(rig, dialect, body, **wishes))
    return reply, reply.body if isinstance(reply, Reply) else await drained(reply)


def native(*script: Behaviour) -> Rig:
    """A pipeline before a vendor who answers the Responses API."""
    rig = Rig(list(script))
    snapshot = rig.snapshots.current
    rig.snapshots.swap(replace(snapshot, providers={"fake": replace(snapshot.providers["fake"], has_responses=True)}))
    return rig


async def test_a_vendor_without_the_api_is_asked_in_its_own() -> None:
    """And its answer is told as a response, at what it used."""
    rig = Rig([answer(completion("Hello"))])
    _, body = await ask(rig, "responses", {"model": "small", "input": "Hi"})
    assert json.loads(body)["output"][0]["content"][0]["text"] == "Hello"
    assert rig.transport.requests[0].url.endswith("/v1/chat/completions")
    assert rig.journal.settled[0].usage == Usage(prompt=10, completion=5)


async def test_a_vendor_with_the_api_gets_the_bytes_and_gives_them() -> None:
    """Whole and streamed; the tokens are those of the vendor, to the class."""
    rig = native(answer(BODY), answer(*STREAM))
    asked = {"model": "small", "input": "Hi", "previous_response_id": "resp_0"}
    assert (await ask(rig, "responses", asked))[1] == BODY
    assert (await ask(rig, "responses", {**asked, "stream": True}))[1] == b"".join(STREAM)
    first, second = rig.transport.requests
    assert first.url == "http://fake.invalid/v1/responses"
    assert first.body == json.dumps(asked).encode()
    assert second.body == json.dumps({**asked, "stream": True}).encode()
    used = Usage(prompt=10, completion=3, reasoning=2)
    assert [(row.status, row.usage, row.cost) for row in rig.journal.settled] == [("ok", used, 15_000)] * 2


async def test_only_what_stands_alone_is_kept() -> None:
    """Told again from memory, in either form; what builds on the vendor's state is asked each time."""
    rig = native(*[answer(BODY)] * 4)
    plain = {"model": "small", "input": "Hi"}
    assert (await ask(rig, "responses", plain, cache=True))[1] == BODY
    reply, again = await ask(rig, "responses", plain, cache=True)
    assert (reply.draft.cache, again) == ("hit", BODY)
    _, streamed = await ask(rig, "responses", {**plain, "stream": True}, cache=True)
    assert b'"delta":"Hello"' in streamed
    assert len(rig.transport.requests) == 1
    await ask(rig, "responses", {**plain, "metadata": {"for": "another"}}, cache=True)
    for _ in range(2):
        await ask(rig, "responses", {**plain, "previous_response_id": "resp_0"}, cache=True)
    assert len(rig.transport.requests) == 4


async def test_auto_finds_a_model_whose_vendor_understands() -> None:
    """None where no vendor does: then nobody is asked a part of it."""
    asked = {"model": "auto", "input": "Hi", "previous_response_id": "resp_0"}
    assert (await ask(native(answer(BODY)), "responses", asked))[1] == BODY
    rig = Rig([])
    with pytest.raises(InvalidRequest):
        await ask(rig, "responses", asked)
    with pytest.raises(InvalidRequest) as refusal:
        await ask(rig, "responses", {**asked, "model": "small"})
    assert refusal.value.param == "previous_response_id"
    assert rig.transport.requests == []


async def test_tokens_are_estimated_without_asking_anybody() -> None:
    """Of a model whose vendor does not count: at no cost, and marked."""
    rig = Rig([])
    for model in ("small", "auto"):
        _, body = await ask(rig, "count_tokens", {**ASKED, "model": model})
        assert json.loads(body)["input_tokens"] > 4
    assert rig.transport.requests == []
    assert {(row.cost, row.usage) for row in rig.journal.settled} == {(0, Usage(estimated=True))}
    order = rig.pipeline.begin(call(rig, "count_tokens", ASKED))
    assert isinstance(order, Order)
    assert counted(order) is None


async def test_what_is_only_counted_measures_no_savings() -> None:
    """It is on neither side of the comparison with what is held back."""
    rig = Rig([])
    current = rig.snapshots.current
    catalogue = replace(current.catalogue, baseline="large")
    rig.snapshots.swap(replace(current, catalogue=catalogue, hold_back=1.0))
    await ask(rig, "count_tokens", {**ASKED, "model": "auto"})
    assert [(row.strategy, row.arm) for row in rig.journal.settled] == [("complexity", None)]


async def test_tokens_are_counted_by_the_vendor_who_can() -> None:
    """Its answer is the caller's, and costs nothing."""
    rig = Rig([answer(b'{"input_tokens":14}')], dialect="anthropic")
    _, body = await ask(rig, "count_tokens", ASKED)
    assert body == b'{"input_tokens":14}'
    assert rig.transport.requests[0].url == "http://fake.invalid/v1/v1/messages/count_tokens"
    assert [(row.status, row.cost, row.usage) for row in rig.journal.settled] == [("ok", 0, Usage())]
