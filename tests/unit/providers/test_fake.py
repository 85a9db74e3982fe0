"""The demo's models and the scripted transport behave like providers."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from farthing.dialects import UPSTREAM
from farthing.domain.errors import (
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from farthing.domain.judging import Verdict, question, verdict_in
from farthing.ports import Deadlines, UpstreamRequest
from farthing.providers.fake import (
    DEMO_MODELS,
    DEMO_URL,
    Behaviour,
    FakeTransport,
    ScriptedTransport,
    answer,
    break_off,
    hang,
    overload,
    refuse,
)

ASK = UpstreamRequest(url="http://provider/v1", headers=(), body=b"{}", deadlines=Deadlines(first_token=9, idle=7))


async def at_once(seconds: float) -> None:
    """No pace."""


async def simulated(**fields: Any) -> tuple[int, Any]:  # members of a JSON object
    """Status and body of the demo's answer to a question."""
    body = {"model": "demo/small", "messages": [{"role": "user", "content": "What is Python?"}]} | fields
    request = UpstreamRequest(url=f"{DEMO_URL}/chat/completions", headers=(), body=msgspec.json.encode(body))
    response = await FakeTransport(sleep=at_once).send(request)
    text = await response.read(1 << 20)
    return response.status, text if fields.get("stream") else msgspec.json.decode(text)


def chunks_of(stream: bytes) -> list[Any]:
    """The JSON events of a stream that ends with its mark."""
    *events, done, empty = stream.split(b"\n\n")
    assert (done, empty) == (b"data: [DONE]", b"")
    return [msgspec.json.decode(event.removeprefix(b"data: ")) for event in events]


async def test_a_simulated_answer_says_what_it_is() -> None:
    """The demo's answer names itself, repeats the question, and reports its tokens."""
    status, body = await simulated()
    assert status == 200
    assert body["choices"][0]["message"]["content"].startswith(
        "This is a simulated answer by Farthing's demo model demo/small to “What is Python?”."
    )
    assert body["choices"][0]["finish_reason"] == "stop"
    written = (len(body["choices"][0]["message"]["content"]) + 3) // 4
    assert body["usage"] == {
        "prompt_tokens": 8,
        "completion_tokens": written,
        "total_tokens": 8 + written,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


async def test_a_simulated_judge_prefers_who_says_more() -> None:
    """In one JSON object, as it is asked to; the order means nothing."""
    for answers, grades in ((("One.", "One. Two. Three."), (1, 3)), (("A. " * 9, "B."), (5, 1))):
        asked = question("demo/large", (), *answers)
        wire = msgspec.json.decode(UPSTREAM["openai"].write_request(asked, "demo/large").body)
        _, body = await simulated(**wire)
        assert verdict_in(body["choices"][0]["message"]["content"]) == Verdict(*grades)


async def test_the_same_question_gets_the_same_answer() -> None:
    """Answers depend on the request alone; larger models say more."""
    first, again, other = await simulated(), await simulated(), await simulated(model="demo/large")
    assert first == again
    assert other[1]["usage"]["completion_tokens"] > first[1]["usage"]["completion_tokens"]


@pytest.mark.parametrize("model", [model.name for model in DEMO_MODELS])
async def test_a_stream_says_what_the_whole_answer_says(model: str) -> None:
    """Joined, the deltas are the text of the whole answer; usage comes only where it is asked for."""
    _, whole = await simulated(model=model, reasoning_effort="low", n=2)
    _, plain = await simulated(model=model, reasoning_effort="low", n=2, stream=True)
    _, counted = await simulated(
        model=model, reasoning_effort="low", n=2, stream=True, stream_options={"include_usage": True}
    )
    for choice in whole["choices"]:
        deltas = [
            event["choices"][0]["delta"]
            for event in chunks_of(plain)
            if event["choices"][0]["index"] == choice["index"]
        ]
        for key in ("content", "reasoning_content"):
            assert "".join(delta.get(key, "") for delta in deltas) == choice["message"][key]
    assert chunks_of(counted)[-1]["usage"] == whole["usage"]
    assert len(chunks_of(counted)) == len(chunks_of(plain)) + 1


async def test_the_token_limit_cuts_the_answer() -> None:
    """Past the limit the answer ends with `length`; the newer name of the limit goes first."""
    _, body = await simulated(max_tokens=100, max_completion_tokens=5)
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5


async def test_a_required_tool_is_called() -> None:
    """Where the request insists on a function the answer calls it, with arguments that fit its schema."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "kelvin"]},
            "days": {"type": "integer", "minimum": 3},
            "places": {"type": "array", "minItems": 1, "items": {"type": "boolean"}},
            "rest": {"type": "array"},
            "nothing": {"type": "null"},
        },
    }
    tools = [
        {"type": "function", "function": {"name": "other"}},
        {"type": "function", "function": {"name": "weather", "parameters": schema}},
    ]
    choice = {"type": "function", "function": {"name": "weather"}}
    _, body = await simulated(tools=tools, tool_choice=choice)
    call = body["choices"][0]["message"]["tool_calls"][0]
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "weather"
    assert msgspec.json.decode(call["function"]["arguments"]) == {
        "city": "simulated",
        "unit": "celsius",
        "days": 3,
        "places": [True],
        "rest": [],
        "nothing": None,
    }
    _, stream = await simulated(tools=tools, tool_choice="required", stream=True)
    (delta,) = [event["choices"][0]["delta"] for event in chunks_of(stream) if "tool_calls" in str(event)][:1]
    assert delta["tool_calls"][0]["function"] == {"name": "other", "arguments": "{}"}
    _, free = await simulated(tools=tools)
    assert free["choices"][0]["finish_reason"] == "stop"
    _, without = await simulated(tool_choice="required")
    assert without["choices"][0]["finish_reason"] == "stop"


async def test_structured_output_is_json() -> None:
    """JSON mode answers an object, a schema is filled as far as it asks."""
    _, body = await simulated(response_format={"type": "json_object"})
    assert msgspec.json.decode(body["choices"][0]["message"]["content"])["simulated"] is True
    schema = {"type": "object", "properties": {"a": {"type": "number"}, "b": {}}, "required": ["a"]}
    _, body = await simulated(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert msgspec.json.decode(body["choices"][0]["message"]["content"]) == {"a": 1}


async def test_pictures_are_counted_at_a_flat_rate() -> None:
    """A picture never counts as the text of its data."""
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
    ]
    _, body = await simulated(model="demo/medium", messages=[{"role": "user", "content": content}])
    assert body["usage"]["prompt_tokens"] == 4 + 3 + 250


@pytest.mark.parametrize(("fields", "status"), [({"model": "demo/none"}, 404), ({"messages": "x"}, 400)])
async def test_the_demo_refuses_what_it_does_not_know(fields: dict[str, Any], status: int) -> None:
    """An unknown model or a body that is no chat is an error in the dialect's shape."""
    got, body = await simulated(**fields)
    assert got == status
    assert set(body) == {"error"}


async def test_the_demo_knows_chat_completions_only() -> None:
    """Any other address is not found."""
    request = UpstreamRequest(url=f"{DEMO_URL}/embeddings", headers=(), body=b"{}")
    transport = FakeTransport(sleep=at_once)
    assert (await transport.send(request)).status == 404
    await transport.aclose()


async def test_simulated_models_take_their_time() -> None:
    """The first token and each further one come at the model's pace."""
    loop = asyncio.get_running_loop()
    body = msgspec.json.encode({"model": "demo/large", "messages": [], "stream": True})
    request = UpstreamRequest(url=f"{DEMO_URL}/chat/completions", headers=(), body=body)
    response = await FakeTransport().send(request)
    assert loop.time() == pytest.approx(0.15)
    text = await response.read(1 << 20)
    said = sum(len(event["choices"][0]["delta"].get("content", "")) for event in chunks_of(text))
    assert loop.time() == pytest.approx(0.15 + 0.002 * said / 4, rel=0.1)


async def outcome(transport: ScriptedTransport) -> tuple[bytes, type[UpstreamError] | None]:
    """What a caller of the transport gets to see."""
    body = b""
    try:
        response = await transport.send(ASK)
        while data := await response.chunk():
            body += data
    except UpstreamError as error:
        return body, type(error)
    return body, None


@pytest.mark.parametrize(
    ("behaviour", "body", "error", "seconds"),
    [
        (answer(b"a", b"b"), b"ab", None, 0),
        (overload(b"busy"), b"busy", None, 0),
        (refuse(), b"", UpstreamUnreachable, 0),
        (hang(), b"", UpstreamTimeout, 9),
        (hang(b"a"), b"a", UpstreamTimeout, 7),
        (break_off(), b"", UpstreamInterrupted, 0),
        (break_off(b"a", b"b"), b"ab", UpstreamInterrupted, 0),
        (Behaviour(chunks=((2.0, b"a"), (3.0, b"b"))), b"ab", None, 5),
    ],
)
async def test_a_scripted_provider_follows_its_script(
    behaviour: Behaviour, body: bytes, error: type[UpstreamError] | None, seconds: float
) -> None:
    """Each behaviour ends as a real provider's would, at the request's own deadlines, and leaves nothing open."""
    transport = ScriptedTransport([behaviour])
    assert await outcome(transport) == (body, error)
    assert asyncio.get_running_loop().time() == pytest.approx(seconds)
    assert (transport.opened, transport.closed, transport.requests) == (1, 1, [ASK])
    await transport.aclose()


async def test_a_script_ends_and_may_be_a_function() -> None:
    """After its last behaviour a provider is away; a function sees each request."""
    transport = ScriptedTransport([overload()])
    assert (await transport.send(ASK)).status == 503
    assert (await outcome(transport))[1] is UpstreamUnreachable
    deciding = ScriptedTransport(lambda request: answer(request.body, status=201, headers={"a": "b"}))
    response = await deciding.send(ASK)
    assert (response.status, response.headers, await response.read(2)) == (201, {"a": "b"}, b"{}")


async def test_what_stays_open_is_seen() -> None:
    """An answer that was neither read to its end nor closed counts as open; closing twice counts once."""
    transport = ScriptedTransport([answer(b"a")])
    response = await transport.send(ASK)
    assert await response.chunk() == b"a"
    assert (transport.opened, transport.closed) == (1, 0)
    response.close()
    response.close()
    assert transport.closed == 1
    with pytest.raises(UpstreamInterrupted):
        await response.chunk()


async def test_closing_after_the_end_changes_nothing() -> None:
    """A whole answer stays whole."""
    transport = ScriptedTransport([answer()])
    response = await transport.send(ASK)
    assert await response.chunk() == b""
    response.close()
    assert (await response.chunk(), transport.closed) == (b"", 1)


@pytest.mark.parametrize("behaviour", [hang(), hang(b"a"), Behaviour(chunks=((100.0, b"a"),))])
async def test_a_cancelled_caller_leaves_nothing_open(behaviour: Behaviour) -> None:
    """Cancelling a caller while it waits for headers or the whole body closes what it had opened."""
    transport = ScriptedTransport([behaviour])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await (await transport.send(ASK)).read(1 << 20)
    assert (transport.opened, transport.closed) == (1, 1)


async def test_waiting_for_a_chunk_can_be_cancelled_and_begun_anew() -> None:
    """The chunk that was waited for is still there, and the answer stays open."""
    transport = ScriptedTransport([Behaviour(chunks=((100.0, b"a"),))])
    response = await transport.send(ASK)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await response.chunk()
    assert (await response.chunk(), transport.closed) == (b"a", 0)


async def test_a_fake_answer_has_a_limit_too() -> None:
    """A body over the reader's limit is invalid."""
    transport = ScriptedTransport([answer(b"abc")])
    with pytest.raises(UpstreamInvalid):
        await (await transport.send(ASK)).read(2)
    assert transport.closed == 1
