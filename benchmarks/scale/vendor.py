"""A vendor's stand-in: short answers at once, streams of as many words as asked for, and streams that never end."""

from __future__ import annotations

import asyncio
import json
from random import Random

from aiohttp import web

WORDS = 20
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "mock",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A farthing is a quarter of a penny. " * 4},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 27, "completion_tokens": 41, "total_tokens": 68},
}


VOCABULARY = (
    "a",
    "farthing",
    "was",
    "the",
    "smallest",
    "coin",
    "of",
    "England",
    "worth",
    "one",
    "quarter",
    "of",
    "one",
    "penny",
)
HEAD = {
    "id": "chatcmpl-BkTq3zPn0aYw8UeD5sVf1LhXo2Rc",
    "object": "chat.completion.chunk",
    "created": 1_760_000_000,
    "model": "mock",
    "service_tier": "default",
    "system_fingerprint": "fp_3f58d112f7",
}


DICE = Random(1)


class Vendor:
    """Speaks OpenAI's dialect. A stream without `max_tokens` says a few words, and then nothing for ever."""

    def __init__(self) -> None:
        self.application = web.Application()
        self.application.router.add_post("/v1/chat/completions", self._answer)
        self.held = 0
        """Streams that have said their words and wait."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if not asked.get("stream"):
            return web.json_response(COMPLETION)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        wanted = asked.get("max_tokens")
        for number in range(wanted or WORDS):
            await response.write(_event({"content": f" {VOCABULARY[number % len(VOCABULARY)]}"}, None))
        if wanted:
            await response.write(_event({}, "stop") + b"data: [DONE]\n\n")
        else:
            await self._hold()
        return response

    async def _hold(self) -> None:
        self.held += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.held -= 1


def _event(delta: dict[str, str], finish: str | None) -> bytes:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    # As vendors do who hide the lengths of words; and so that nothing packs better than in life.
    chunk = HEAD | {"choices": choices, "obfuscation": f"{DICE.getrandbits(DICE.randrange(4, 60)):x}"}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
