"""A provider on loopback that speaks the OpenAI dialect and says what was recorded, streaming and not."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from benchmarks.replay.recordings import Recording, token_count

PIECE_CHARACTERS = 48
"""Characters of a stream's delta."""


class ReplayUpstream:
    """Serves recordings by model and last user message; `calls` counts answers by model, `unknown` the 404s."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.calls: Counter[str] = Counter()
        self.streams = 0
        self.unknown = 0
        self._texts = {
            (model, recording.prompt): answer.response
            for recording in recordings
            for model, answer in recording.models.items()
        }

    @property
    def application(self) -> web.Application:
        """What is to be served; a provider's `base_url` is its address and `/v1`."""
        application = web.Application(client_max_size=1 << 24)
        application.router.add_post("/v1/chat/completions", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        prompt, model = _prompt(body), str(body.get("model"))
        text = self._texts.get((model, prompt))
        if text is None:
            self.unknown += 1
            error = {"message": "no recording of this model for this prompt", "type": "invalid_request_error"}
            return web.json_response({"error": {**error, "param": None, "code": "not_recorded"}}, status=404)
        self.calls[model] += 1
        if not body.get("stream"):
            return web.json_response(completion(model, prompt, text))
        self.streams += 1
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        for chunk in chunks(model, prompt, text, include_usage=asked):
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            # One event to a packet, as over a real network.
            await asyncio.sleep(0)
        await response.write(b"data: [DONE]\n\n")
        return response


def _prompt(body: dict[str, Any]) -> str:
    """The text of the last user message."""
    messages = [message for message in body["messages"] if message.get("role") == "user"]
    content = messages[-1]["content"] if messages else ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def usage(prompt: str, text: str) -> dict[str, int]:
    """Tokens as the provider reports them, counted by the replay's rule."""
    tokens_in, tokens_out = token_count(prompt), token_count(text)
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def _identity(model: str, prompt: str, kind: str) -> dict[str, Any]:
    """Fields that every object of an answer begins with; the id is the same for the same call."""
    digest = hashlib.sha256(f"{model}\n{prompt}".encode()).hexdigest()[:24]
    return {"id": f"chatcmpl-{digest}", "object": kind, "created": 1_700_000_000, "model": model}


def completion(model: str, prompt: str, text: str) -> dict[str, Any]:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {**_identity(model, prompt, "chat.completion"), "choices": [choice], "usage": usage(prompt, text)}


def chunks(model: str, prompt: str, text: str, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """The same answer in pieces."""
    head = _identity(model, prompt, "chat.completion.chunk")

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield chunk({"content": text[start : start + PIECE_CHARACTERS]})
    yield chunk({}, "stop")
    if include_usage:
        yield {**head, "choices": [], "usage": usage(prompt, text)}
