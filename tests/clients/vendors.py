"""Two scripted vendors on loopback, in the wire formats that OpenAI and Anthropic publish."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from tests.clients.scripts import (
    AFTER_TOOL,
    CACHED_IN,
    CALL_ID,
    CITY_TOOL,
    COUNTED,
    SCRIPTS,
    TOKENS_IN,
    TOKENS_OUT,
    Asked,
    Script,
)

VECTOR = (0.5, -0.25, 1.0)
Json = dict[str, Any]


class Vendors:
    """Both vendors as one application; `asked` holds every request in its order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    @property
    def application(self) -> web.Application:
        """What is to be served."""
        application = web.Application()
        application.router.add_post("/openai/v1/chat/completions", self._openai)
        application.router.add_post("/openai/v1/embeddings", self._embeddings)
        application.router.add_post("/openai/v1/responses", self._responses)
        application.router.add_post("/anthropic/v1/messages", self._anthropic)
        application.router.add_post("/anthropic/v1/messages/count_tokens", self._count)
        return application

    async def _read(self, request: web.Request) -> tuple[Json, Script]:
        body = msgspec.json.decode(await request.read(), type=Json)
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append(Asked(request.path, key, body))
        script = SCRIPTS.get(body["model"].rpartition("-")[2], Script(status=404))
        if script.arguments is not None and _has_tool_result(body):
            script = AFTER_TOOL
        return body, script

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body, script = await self._read(request)
        if script.status != 200:
            error = {"message": script.text, "type": "invalid_request_error", "param": "max_tokens", "code": "scripted"}
            return web.json_response({"error": error}, status=script.status)
        if not body.get("stream"):
            return web.json_response(openai_completion(script))
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in openai_chunks(script, asked=asked)]
        return await _stream(request, [*events, *([] if script.breaks else [b"data: [DONE]\n\n"])])

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        body, script = await self._read(request)
        if script.status != 200:
            kind = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
            error = {"type": kind.get(script.status, "overloaded_error"), "message": script.text}
            return web.json_response({"type": "error", "error": error}, status=script.status)
        if not body.get("stream"):
            return web.json_response(anthropic_message(script))
        events = anthropic_events(script)
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
        return await _stream(request, lines)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body, script = await self._read(request)
        whole = openai_response(script)
        if not body.get("stream"):
            return web.json_response(whole)
        first, second = script.pieces
        place = {"item_id": "msg_vendor", "output_index": 0, "content_index": 0}
        item = {**whole["output"][0], "content": []}
        events: list[Json] = [
            {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {
                "type": "response.content_part.added",
                **place,
                "part": {"type": "output_text", "text": "", "annotations": []},
            },
            {"type": "response.output_text.delta", **place, "delta": first, "logprobs": []},
            {"type": "response.output_text.delta", **place, "delta": second, "logprobs": []},
            {"type": "response.completed", "response": whole},
        ]
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
        return await _stream(request, [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in numbered])

    async def _count(self, request: web.Request) -> web.Response:
        await self._read(request)
        return web.json_response({"input_tokens": COUNTED})

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=Json)
        self.asked.append(Asked(request.path, None, body))
        packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
        vector: object = packed if body.get("encoding_format") == "base64" else list(VECTOR)
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return web.json_response({"object": "list", "data": data, "model": "embeds", "usage": usage})


def _has_tool_result(body: Json) -> bool:
    """Whether the caller has run the tool already."""
    text = json.dumps(body.get("messages"))
    return '"role": "tool"' in text or '"type": "tool_result"' in text


async def _stream(request: web.Request, events: list[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(event)
    return response


def _openai_usage() -> Json:
    return {
        "prompt_tokens": TOKENS_IN,
        "completion_tokens": TOKENS_OUT,
        "total_tokens": TOKENS_IN + TOKENS_OUT,
        "prompt_tokens_details": {"cached_tokens": CACHED_IN},
    }


def openai_completion(script: Script) -> Json:
    """A whole answer in OpenAI's format."""
    message: Json = {"role": "assistant", "content": script.text}
    if script.arguments is not None:
        function = {"name": CITY_TOOL, "arguments": json.dumps(script.arguments)}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": CALL_ID, "type": "function", "function": function}]
    finish = "stop" if script.arguments is None else "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    head = {"id": "chatcmpl-vendor", "object": "chat.completion", "created": 1_760_000_000, "model": "vendor-model"}
    return {**head, "choices": [choice], "usage": _openai_usage(), "service_tier": "default"}


def openai_response(script: Script) -> Json:
    """A whole answer in the format of OpenAI's Responses API, with a field that nobody but the vendor knows."""
    usage = {
        "input_tokens": TOKENS_IN,
        "input_tokens_details": {"cached_tokens": CACHED_IN},
        "output_tokens": TOKENS_OUT,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": TOKENS_IN + TOKENS_OUT,
    }
    text = {"type": "output_text", "text": script.text, "annotations": []}
    message = {"type": "message", "id": "msg_vendor", "status": "completed", "role": "assistant", "content": [text]}
    head = {"id": "resp_vendor", "object": "response", "created_at": 1_760_000_000, "model": "vendor-model"}
    return {**head, "status": "completed", "output": [message], "usage": usage, "billing": {"payer": "developer"}}


def openai_chunks(script: Script, *, asked: bool) -> Iterator[Json]:
    """The same as a stream, with an error in place of its end where the script breaks."""
    head = {
        "id": "chatcmpl-vendor",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "vendor-model",
    }

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    first, second = script.pieces
    if script.arguments is None:
        yield chunk({"role": "assistant", "content": first})
        if script.breaks:
            yield {"error": {"message": "lost it", "type": "server_error", "param": None, "code": None}}
            return
        yield chunk({"content": second})
        yield chunk({}, "stop")
    else:
        function = {"name": CITY_TOOL, "arguments": first}
        opened = {"index": 0, "id": CALL_ID, "type": "function", "function": function}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [opened]})
        yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": second}}]})
        yield chunk({}, "tool_calls")
    if asked:
        yield {**head, "choices": [], "usage": _openai_usage()}


def _anthropic_usage() -> Json:
    return {
        "input_tokens": TOKENS_IN - CACHED_IN,
        "cache_read_input_tokens": CACHED_IN,
        "cache_creation_input_tokens": 0,
        "output_tokens": TOKENS_OUT,
    }


def _anthropic_block(script: Script) -> Json:
    if script.arguments is None:
        return {"type": "text", "text": script.text}
    return {"type": "tool_use", "id": CALL_ID, "name": CITY_TOOL, "input": script.arguments}


def anthropic_message(script: Script) -> Json:
    """A whole answer in Anthropic's format."""
    stop = "end_turn" if script.arguments is None else "tool_use"
    head = {"id": "msg_vendor", "type": "message", "role": "assistant", "model": "vendor-model"}
    end = {"stop_reason": stop, "stop_sequence": None}
    return {**head, "content": [_anthropic_block(script)], **end, "usage": _anthropic_usage()}


def anthropic_events(script: Script) -> Iterator[Json]:
    """The same as a stream, with an error in place of its end where the script breaks."""
    whole = anthropic_message(script)
    begun = {**_anthropic_usage(), "output_tokens": 1}
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": begun}}
    kind, field = ("text_delta", "text") if script.arguments is None else ("input_json_delta", "partial_json")
    empty: Json = {"text": ""} if script.arguments is None else {"input": {}}
    yield {"type": "content_block_start", "index": 0, "content_block": {**_anthropic_block(script), **empty}}
    yield {"type": "ping"}
    first, second = script.pieces
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: first}}
    if script.breaks:
        yield {"type": "error", "error": {"type": "overloaded_error", "message": "lost it"}}
        return
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: second}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": TOKENS_OUT}}
    yield {"type": "message_stop"}
