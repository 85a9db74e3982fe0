"""The same answer, whole and as each vendor streams it, with the vendor's report where that vendor puts it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from farthing.dialects import UPSTREAM
from farthing.dialects.base import Event, UpstreamDialect
from farthing.dialects.openai.embeddings import read_answer
from farthing.dialects.sse import frame
from farthing.domain.chat import Usage, UsageReport

Tree = dict[str, Any]

_ANTHROPIC: Tree = {"id": "1", "type": "message", "role": "assistant", "model": "m"}
_ANSWERS: dict[str, Tree] = {
    "openai": {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    },
    "responses": {"id": "1", "object": "response", "model": "m", "status": "completed", "error": None, "output": []},
    "embeddings": {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]},
    "anthropic": {**_ANTHROPIC, "content": [{"type": "text", "text": "Yes."}], "stop_reason": "end_turn"},
    "gemini": {
        "responseId": "1",
        "modelVersion": "m",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}],
    },
}


def body(dialect: str, usage: Tree) -> bytes:
    """A whole answer with this report, which for `responses` names the items of the output as well."""
    if dialect == "responses":
        return msgspec.json.encode(_ANSWERS[dialect] | usage)
    field = "usageMetadata" if dialect == "gemini" else "usage"
    return msgspec.json.encode(_ANSWERS[dialect] | {field: usage})


def events(dialect: str, usage: Tree, place: str = "apart") -> Iterator[Event]:
    """The same answer as a stream, with the report in this place."""
    for data, name in _EVENTS[dialect](usage, place):
        text = data if isinstance(data, bytes) else msgspec.json.encode(data)
        yield Event(name, text, frame(text, name))


def whole(dialect: str, usage: Tree) -> Usage | None:
    """What is read from the whole answer."""
    answer = body(dialect, usage)
    return read_answer(answer) if dialect == "embeddings" else UPSTREAM[dialect].read_completion(answer).usage


def streamed(dialect: str, usage: Tree, place: str = "apart") -> Usage | None:
    """What is read from the stream: the last report stands."""
    speaks: UpstreamDialect = UPSTREAM[dialect]
    reader, told = speaks.stream_reader(), None
    for event in events(dialect, usage, place):
        for delta in reader.read(event).deltas:
            told = delta.usage if isinstance(delta, UsageReport) else told
    reader.close()
    return told


def _openai(usage: Tree, place: str) -> Iterator[tuple[Tree | bytes, bytes]]:
    """`apart` in a chunk without choices, `last` in the one that finishes, `growing` in each, `choice` within one."""

    def chunk(text: str | None, finish: str | None = None) -> Tree:
        delta = {"role": "assistant", "content": text} if text else {}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    first, last = chunk("Yes."), chunk(None, "stop")
    if place == "growing":
        first["usage"] = usage | {"completion_tokens": 1, "total_tokens": usage["prompt_tokens"] + 1}
    if place in {"growing", "last"}:
        last["usage"] = usage
    if place == "choice":
        last["choices"][0]["usage"] = usage
    yield first, b""
    yield last, b""
    if place == "apart":
        yield chunk(None) | {"choices": [], "usage": usage}, b""
    yield b"[DONE]", b""


def _anthropic(usage: Tree, _: str) -> Iterator[tuple[Tree, bytes]]:
    """The input stands in the first event with its split by time, which the last one does not repeat."""
    begun = {name: value for name, value in usage.items() if name not in {"iterations", "output_tokens_details"}}
    ended = {name: value for name, value in usage.items() if name != "cache_creation"}
    for event in (
        {"type": "message_start", "message": {**_ANTHROPIC, "content": [], "usage": begun | {"output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Yes."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": ended},
        {"type": "message_stop"},
    ):
        yield event, str(event["type"]).encode()


def _responses(usage: Tree, _: str) -> Iterator[tuple[Tree, bytes]]:
    """The last event holds the whole answer."""
    ended = msgspec.json.decode(body("responses", usage))
    for name, response in (("response.created", _ANSWERS["responses"]), ("response.completed", ended)):
        yield {"type": name, "response": response}, name.encode()


def _gemini(usage: Tree, _: str) -> Iterator[tuple[Tree, bytes]]:
    """Every event has a report; the first ones know little of the output."""
    early = {name: value for name, value in usage.items() if "andidates" not in name}
    part = {"content": {"role": "model", "parts": [{"text": "Yes."}]}, "index": 0}
    event = {"responseId": "1", "modelVersion": "m"}
    yield event | {"candidates": [part], "usageMetadata": early | {"totalTokenCount": usage["promptTokenCount"]}}, b""
    yield event | {"candidates": [part | {"finishReason": "STOP"}], "usageMetadata": usage}, b""


_EVENTS = {"openai": _openai, "responses": _responses, "anthropic": _anthropic, "gemini": _gemini}
