"""Requests, answers and records of the sizes that a gateway meets, each different from the next."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from farthing.domain.budget import DAY_US
from farthing.domain.catalogue import TIERS, Catalogue, Model, Tier
from farthing.domain.chat import ChatRequest, Message, Text, Usage
from farthing.domain.exchange import Attempt, Exchange
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.pricing import TOKEN_CLASSES, PriceSheet, Rates
from farthing.ports.answers import CacheEntry

NOON_US = 1_764_590_400_000_000
"""Noon of 1 December 2025 UTC."""
VARIANTS = 200
"""Different ones of a kind: nothing is measured that only repetition makes quick."""
TEXT = "Explain what an event loop is, when it pays to write a server around one, and what it costs. "
SIZES = {"short": (1, 1), "medium": (10, 4), "long": (50, 13)}
"""By name: messages, and how often each repeats the text: about 0.2, 4 and 60 kB."""


def body(size: str, number: int) -> dict[str, Any]:
    """An OpenAI chat request that is like no other of its size."""
    messages, repeats = SIZES[size]
    roles = ("user", "assistant")
    said = [{"role": roles[turn % 2], "content": TEXT * repeats} for turn in range(messages - 1)]
    asked = {"role": "user", "content": f"Question {number}: {TEXT * repeats}"}
    return {"model": "auto", "messages": [*said, asked], "max_tokens": 400, "temperature": 0.2}


def encoded(size: str) -> list[bytes]:
    """All variants as they arrive."""
    return [json.dumps(body(size, number)).encode() for number in range(VARIANTS)]


def chat(text: str) -> ChatRequest:
    """A request with one message, as the domain sees it."""
    return ChatRequest(model="auto", messages=(Message("user", (Text(text),)),), max_tokens=400)


def catalogue(size: int) -> Catalogue:
    """So many models, spread over the tiers, each dearer than the one before."""
    models = [_model(place, TIERS[place * len(TIERS) // size]) for place in range(size)]
    return Catalogue(models={model.name: model for model in models}, baseline=models[-1].name)


def _model(place: int, tier: Tier) -> Model:
    name = f"model-{place}"
    price = sheet(place + 1)
    return Model(name=name, provider="vendor", upstream=name, dialect="openai", tier=tier, price=price)


def sheet(usd_per_mtok: int) -> PriceSheet:
    """A price with a second step, as long contexts have; output at four times the input's."""
    nano = usd_per_mtok * 1_000_000_000
    writing = dict.fromkeys(("completion", "reasoning", "audio_out", "image_out"), 4 * nano)
    rates = Rates(**(dict.fromkeys(TOKEN_CLASSES, nano) | writing))
    return PriceSheet(version="benchmark", steps=((0, rates), (200_000, rates)))


def usage(number: int) -> Usage:
    """What a vendor reports."""
    return Usage(prompt=100 + number, cached=40, completion=200 + number % 50, reasoning=number % 3)


_PLAN = {
    "candidates": [
        {"model": f"model-{place}", "provider": "vendor", "estimated_cost": 1000 * place, "reason": "Fits; dearer."}
        for place in range(3)
    ],
    "metadata": {"tier": "simple", "score": 0.21, "words": 17, "code": 0.0, "questions": 1.0},
}


def exchange(number: int, dice: random.Random) -> Exchange:
    """One of a mix: four in ten routed, three passed through, two from the cache, one interrupted stream or error."""
    created_at_us = NOON_US + number
    kind = number % 10
    facts: dict[str, Any] = {
        "request_id": uuid7(created_at_us, dice.getrandbits(RANDOM_BITS)),
        "created_at_us": created_at_us,
        "status": "ok",
        "route": "/v1/chat/completions",
        "dialect": "openai",
        "tenant": f"tenant-{number % 3}",
        "key_id": f"key-{number % 10}",
        "team": f"team-{number % 6}",
        "user": f"user-{number % 40}",
        "tags": {"feature": f"f{number % 5}"} if kind < 3 else {},
        "app": "OpenAI/Python 2.11.0",
        "requested_model": "auto" if kind < 4 else "model-1",
        "stream": kind % 2 == 1,
        "provider": "vendor",
        "model": f"model-{number % 6}",
        "upstream_id": f"chatcmpl-{number:012d}",
        "usage": usage(number),
        "cost": 1200 + number,
        "baseline_cost": 9000 + number,
        "price_version": "genai-prices 2025-11-30",
        "duration_us": 800_000 + number,
        "first_token_us": 120_000,
        "upstream_us": 799_000,
        "finish": "stop",
        "attempts": (Attempt(model=f"model-{number % 6}", provider="vendor", duration_us=799_000),),
        **_KINDS[kind](number),
    }
    return Exchange(**facts)


def _routed(number: int) -> dict[str, Any]:
    tier, confidence = TIERS[number % 3], ("high", "medium", "low")[number // 10 % 3]
    chosen = {"strategy": "complexity", "tier": tier, "score": 0.21, "confidence": confidence}
    return {
        **chosen,
        "reason": "Simple: 17 words, no code.",
        "decision": _PLAN,
        "cache": "miss",
        "cache_key": key(number),
    }


def _cached(number: int) -> dict[str, Any]:
    kept = {"status": "cached", "cache": "hit", "cache_level": "memory", "cache_key": key(number % 50), "cost": 0}
    return {**kept, "attempts": (), "upstream_us": 0, "duration_us": 300}


def _passed(number: int) -> dict[str, Any]:  # noqa: ARG001 (as the others)
    return {"strategy": "passthrough"}


def _failed(number: int) -> dict[str, Any]:
    status = ("error", "interrupted")[number // 10 % 2]
    return {"status": status, "error_code": "upstream_timeout", "http_status": 504, "finish": None}


_KINDS: list[Callable[[int], dict[str, Any]]] = [*[_routed] * 4, *[_passed] * 3, *[_cached] * 2, _failed]


def key(number: int) -> str:
    """A cache key."""
    return f"{number:064x}"


def entry(number: int, *, now_us: int = NOON_US) -> CacheEntry:
    """A kept answer of about half a kilobyte."""
    return CacheEntry(
        dialect="openai",
        stream=False,
        body=completion(number),
        provider="vendor",
        model="model-1",
        cost=1200,
        created_at_us=now_us,
        expires_at_us=now_us + DAY_US,
        tenant="tenant-1",
        prompt=f"Question {number}: {TEXT}",
        strategy="complexity",
        tier="simple",
        score=0.21,
        confidence="high",
    )


def completion(number: int) -> bytes:
    """A vendor's whole answer."""
    message = {"role": "assistant", "content": f"Answer {number}. {TEXT * 3}"}
    reported = {"prompt_tokens": 100, "completion_tokens": 80, "total_tokens": 180}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": "model-1"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({**head, "choices": choices, "usage": reported}).encode()


def events(words: int) -> list[bytes]:
    """A vendor's stream: so many deltas, the finish, the usage, and the end mark."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-1"}

    def event(**fields: object) -> bytes:
        return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"

    deltas = [
        event(choices=[{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}])
        for number in range(words)
    ]
    finish = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    reported = {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words}
    return [*deltas, finish, event(choices=[], usage=reported), b"data: [DONE]\n\n"]
