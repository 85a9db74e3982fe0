"""What load, vendor and oracle agree on: how a request is worded, what is said to it, and what that costs."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from msgspec import Struct, field

NANO_IN, NANO_OUT = 2_500, 10_000
"""Nano-dollars that a token costs; 2.5 and 10 USD for a million."""
TOKENS_PER_CHUNK = 6
DONE = b"data: [DONE]\n\n"
_WORDS = ("a quarter of", "one penny was", "once called a", "farthing by all", "who had few")
_encode = msgspec.json.encode


class Wish(Struct, frozen=True):
    """What a prompt asks the vendor for. `nonce` names the request, `canary` its tenant: both come back."""

    nonce: str
    canary: str = ""
    chunks: int = 20
    first_ms: int = 100
    every_ms: int = 10
    silent_after: int | None = None
    """The chunk before which the vendor falls silent for ever."""
    padding: str = ""
    """Makes the prompt longer."""
    reads: int | None = None
    """As how many tokens the vendor counts the prompt, if not as it always does."""

    @property
    def tokens_in(self) -> int:
        """What the vendor says the prompt has."""
        return 50 + len(self.nonce) % 17 if self.reads is None else self.reads

    @property
    def tokens_out(self) -> int:
        """What the vendor says a whole answer has."""
        return self.chunks * TOKENS_PER_CHUNK

    @property
    def cost(self) -> int:
        """Nano-dollars of a whole answer."""
        return self.tokens_in * NANO_IN + self.tokens_out * NANO_OUT


class Mood(Struct, frozen=True):
    """How a deployment treats everybody: answers `percent` of the requests with `status`, or says nothing at all."""

    status: int = 0
    percent: int = 100
    retry_after: str = ""
    silent: bool = False
    after_ms: int = 0
    """How long it takes to refuse."""


class Entry(Struct):
    """A line of the vendor's ledger; the last one of an `id` stands. `at` is on the machine's monotonic clock."""

    id: str
    nonce: str
    deployment: str
    key: str
    user: str = ""
    stream: bool = False
    event: Literal["asked", "ended", "aborted", "refused"] = "asked"
    chunks: int = 0
    """Pieces of text that have left."""
    at: float = field(default_factory=time.monotonic)


def piece(wish: Wish, index: int) -> str:
    """The text of one chunk; the first one says whose answer this is."""
    words = f" {_WORDS[index % len(_WORDS)]}"
    return f"{wish.nonce} {wish.canary}{words}" if index == 0 else words


def text(wish: Wish, chunks: int | None = None) -> str:
    """The first so many chunks, or all."""
    return "".join(piece(wish, index) for index in range(wish.chunks if chunks is None else chunks))


def _usage(wish: Wish) -> dict[str, int]:
    return {
        "prompt_tokens": wish.tokens_in,
        "completion_tokens": wish.tokens_out,
        "total_tokens": wish.tokens_in + wish.tokens_out,
    }


def event(wish: Wish, content: str) -> bytes:
    """A chunk as OpenAI streams it."""
    choices = [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    return _data({"id": f"chat-{wish.nonce}", "object": "chat.completion.chunk", "model": "m", "choices": choices})


def usage_event(wish: Wish) -> bytes:
    """The end of a stream: the reason, and what was used."""
    name = {"id": f"chat-{wish.nonce}", "object": "chat.completion.chunk", "model": "m"}
    stop = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    return _data({**name, "choices": stop}) + _data({**name, "choices": [], "usage": _usage(wish)})


def whole(wish: Wish) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": text(wish)}
    return _encode(
        {
            "id": f"chat-{wish.nonce}",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(wish),
        }
    )


def _data(value: object) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"
