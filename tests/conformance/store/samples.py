"""Exchanges and answers to fill a store with."""

from __future__ import annotations

import random
from typing import Any

from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Exchange
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.ports.answers import CacheEntry

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOON_US = 1_764_590_400_000_000
"""Noon of 1 December 2025 UTC."""

_random = random.Random(20251201)


_FIELDS: dict[str, Any] = {
    "status": "ok",
    "route": "/v1/chat/completions",
    "dialect": "openai",
    "tenant": "acme",
    "key_id": "key-1",
    "team": "support",
    "user": "ann",
    "session": "s-1",
    "tags": {"feature": "triage"},
    "app": "OpenAI/Python",
    "requested_model": "auto",
    "provider": "openai",
    "model": "small",
    "upstream_id": "chatcmpl-1",
    "strategy": "complexity",
    "tier": "simple",
    "score": 0.125,
    "confidence": "high",
    "reason": "Simple: 3 words.",
    "decision": {"candidates": [{"model": "small", "estimated_cost": 5}], "metadata": {"words": 3}},
    "experiment_id": "exp-1",
    "arm": "test",
    "attempts": (Attempt(model="small", provider="openai", duration_us=7),),
    "usage": Usage(
        prompt=1,
        cached=2,
        cache_write_5m=3,
        cache_write_1h=4,
        cached_audio=11,
        audio_in=5,
        image_in=6,
        completion=7,
        reasoning=8,
        audio_out=9,
        image_out=10,
    ),
    "cost": 300,
    "baseline_cost": 1000,
    "price_version": "genai-prices 1",
    "cache": "miss",
    "cache_key": "aa",
    "http_status": 200,
    "finish": "stop",
    "duration_us": 2500,
    "first_token_us": 1200,
    "upstream_us": 2000,
}


def exchange(**changes: Any) -> Exchange:
    """An answered request at noon with every field set; `created_at_us` also makes its id."""
    created_at_us = changes.get("created_at_us", NOON_US)
    request_id = changes.get("request_id") or uuid7(created_at_us, _random.getrandbits(RANDOM_BITS))
    return Exchange(**{**_FIELDS, "created_at_us": created_at_us, **changes, "request_id": request_id})


TOKENS_IN, TOKENS_OUT = 32, 34
"""What the usage above sums to."""


def answer(**changes: Any) -> CacheEntry:
    """A kept answer of `acme`, bought at noon and good for a day."""
    fields: dict[str, Any] = {
        "dialect": "openai",
        "stream": False,
        "body": b'{"choices":[]}',
        "provider": "openai",
        "model": "small",
        "cost": 300,
        "created_at_us": NOON_US,
        "expires_at_us": NOON_US + DAY_US,
        "tenant": "acme",
        "prompt": "What is a farthing?",
        "strategy": "complexity",
        "tier": "simple",
    }
    return CacheEntry(**{**fields, **changes})
