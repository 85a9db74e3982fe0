"""Requests, answers and models of the kinds that pass a gateway, made up from seeds."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from farthing.domain.catalogue import TIERS, Catalogue, Model
from farthing.domain.pricing import PriceSheet, Rates

TEXT = (
    "the service answers each request once and keeps what it has learned for later use by other parts of the same "
    "system while people read reports about it and decide which of the many small changes is worth their time today"
)
PROSE = TEXT.split()
CODE = 'def total(rows):\n    return sum(row["amount"] for row in rows if row["kind"] == \'paid\')\n'
SIZES = {"short": (1, 0), "medium": (10, 300), "long": (50, 1_200)}
"""By name: messages, and characters of each."""


def prose(size: int, seed: int) -> str:
    """English-like text of about that many characters."""
    chance = random.Random(seed)
    words: list[str] = []
    length = 0
    while length < size:
        words.append(chance.choice(PROSE))
        length += len(words[-1]) + 1
    return " ".join(words).capitalize() + "."


def turns(name: str, seed: int) -> list[dict[str, str]]:
    """A conversation of that size."""
    count, size = SIZES["medium" if name == "tools" else name]
    if count == 1:
        return [{"role": "user", "content": f"What does the word {prose(20, seed)} mean in a report?"}]
    said = []
    for position in range(count - 1):
        text = prose(size, seed * 100 + position) + ("\n```python\n" + CODE + "```" if position % 3 == 0 else "")
        said.append({"role": "assistant" if position % 2 else "user", "content": text})
    return said


def body(name: str, seed: int) -> bytes:
    """A chat completion request as OpenAI's SDK writes it."""
    system = {"role": "system", "content": "You are a helpful assistant. " + prose(80, 7)}
    messages: list[Any] = turns(name, seed) if name == "short" else [system, *turns(name, seed)]
    tree: dict[str, Any] = {"messages": messages, "model": "demo/0", "max_tokens": 200, "temperature": 0}
    if name == "tools":
        tree["tools"] = [{"type": "function", "function": function(number)} for number in range(5)]
        tree["tool_choice"] = "auto"
    return msgspec.json.encode(tree)


def function(number: int) -> dict[str, Any]:
    """A function as agents offer it."""
    properties = {
        f"field_{position}": {"type": "string", "description": prose(60, position)} for position in range(1, 5)
    }
    return {
        "name": f"look_up_{number}",
        "description": prose(150, number),
        "parameters": {"type": "object", "properties": properties, "required": ["field_1"]},
    }


def messages_body(name: str, seed: int) -> bytes:
    """A Messages request as Anthropic's SDK writes it."""
    return msgspec.json.encode(
        {
            "max_tokens": 200,
            "messages": [
                {**turn, "content": [{"type": "text", "text": turn["content"]}]} if name != "short" else turn
                for turn in turns(name, seed)
            ],
            "model": "demo/0",
            "system": "You are a helpful assistant.",
        }
    )


def openai_answer(text: str, number: int) -> bytes:
    """A chat completion as OpenAI writes it."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "id": f"chatcmpl-{number:029d}",
                "object": "chat.completion",
                "created": 1_764_547_200,
                "model": "gpt-5.5-2026-03-05",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": 120,
                    "completion_tokens": 40,
                    "total_tokens": 160,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {
                        "reasoning_tokens": 0,
                        "audio_tokens": 0,
                        "accepted_prediction_tokens": 0,
                        "rejected_prediction_tokens": 0,
                    },
                },
                "service_tier": "default",
                "system_fingerprint": None,
            }
        ),
        indent=2,
    )


def anthropic_answer(text: str, number: int) -> bytes:
    """A message as Anthropic writes it."""
    return msgspec.json.encode(
        {
            "model": "claude-sonnet-5",
            "id": f"msg_{number:024d}",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 120,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": 40,
                "service_tier": "standard",
            },
        }
    )


def sheet(factor: int) -> PriceSheet:
    """A plain price."""
    rates = dict.fromkeys(Rates.__struct_fields__, 50_000_000 * factor) | {"per_request": 0}
    return PriceSheet(version="benchmark", steps=((0, Rates(**rates)),))


def catalogue(size: int) -> Catalogue:
    """`size` models, spread over the tiers, each dearer than the one before."""
    models = {
        f"demo/{place}": Model(
            name=f"demo/{place}",
            provider="demo",
            upstream=str(place),
            dialect="openai",
            tier=TIERS[place * len(TIERS) // size],
            price=sheet(place + 1),
            context_tokens=131_072,
            capabilities=frozenset({"tools", "json"}),
        )
        for place in range(size)
    }
    return Catalogue(models=models)
