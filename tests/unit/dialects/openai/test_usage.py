"""Every token in exactly one class, whichever vendor counted it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects.openai.replies import write_usage
from farthing.dialects.openai.usage import read_usage
from farthing.domain.chat import Usage

counts = st.integers(0, 1_000_000)


@pytest.mark.parametrize(
    ("wired", "usage"),
    [
        ({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}, Usage(prompt=19, completion=10)),
        (
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 6},
                "completion_tokens_details": {
                    "reasoning_tokens": 192,
                    "audio_tokens": 8,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            Usage(prompt=80, cached=1920, audio_in=6, completion=100, reasoning=192, audio_out=8),
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 5,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
            },
            Usage(prompt=36, cached=64, completion=5),
        ),
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(prompt=32, completion=9, reasoning=94),
        ),
        (
            {"prompt_tokens": 32, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 94}},
            Usage(prompt=32, completion=9, reasoning=94),
        ),
        (
            {
                "prompt_tokens": 50,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cache_write_tokens": 30, "image_tokens": 15},
            },
            Usage(prompt=5, cache_write_5m=30, image_in=15, completion=1),
        ),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 9}},
            Usage(cached=8, audio_in=2),
        ),
        (
            {
                "prompt_tokens": 318,
                "completion_tokens": 4,
                "prompt_tokens_details": {
                    "cached_tokens": 192,
                    "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 128},
                    "audio_tokens": 200,
                },
            },
            Usage(prompt=54, cached=64, cached_audio=128, audio_in=72, completion=4),
        ),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {
                    "cached_tokens": 60,
                    "cached_tokens_details": {"text_tokens": 20, "image_tokens": 40},
                    "image_tokens": 50,
                },
            },
            Usage(prompt=30, cached=60, image_in=10),
        ),
        (
            {
                "prompt_tokens": 10,
                "prompt_tokens_details": {
                    "cached_tokens": 4,
                    "cached_tokens_details": {"audio_tokens": 9},
                    "audio_tokens": 5,
                },
            },
            Usage(prompt=6, cached_audio=4),
        ),
        (
            {
                "prompt_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 4, "cached_tokens_details": {"audio_tokens": None}},
            },
            Usage(prompt=6, cached=4),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None, "cost": 0.1},
            Usage(prompt=10, completion=2),
        ),
        (
            {"prompt_tokens": 1336, "completion_tokens": 31, "total_tokens": 1367, "cached_tokens": 1280},
            Usage(prompt=56, cached=1280, completion=31),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "num_search_queries": 18},
            Usage(prompt=9, completion=3, web_searches=18),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "server_tool_use": {"web_search_requests": 2}},
            Usage(prompt=9, completion=3, web_searches=2),
        ),
        (
            {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
            Usage(prompt=20, completion=198, reasoning=405),
        ),
        (
            {"input_tokens": 30, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}},
            Usage(prompt=30, completion=5, reasoning=4),
        ),
    ],
    ids=[
        "plain",
        "OpenAI",
        "DeepSeek",
        "xAI",
        "no total",
        "cache write",
        "details over the total",
        "cached audio",
        "cached pictures",
        "more cached audio than was cached",
        "cached text",
        "nulls",
        "Moonshot",
        "Perplexity",
        "OpenRouter",
        "Gemini",
        "Responses",
    ],
)
def test_read_usage(wired: object, usage: Usage) -> None:
    """Cached, reasoning, audio and image tokens are taken out of the totals they are part of."""
    assert read_usage(wired) == usage


@pytest.mark.parametrize(
    "wired",
    [
        None,
        {},
        [],
        "12",
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": -5},
        {"prompt_tokens": 10**12, "completion_tokens": 5},
        {"prompt_tokens": 1.5, "completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -3}},
        {"input_tokens": -5, "output_tokens": 5},
        {"total_tokens": 5},
    ],
)
def test_absurd_usage_is_none(wired: object) -> None:
    """Negative, huge, fractional or empty counts are no report: the tokens are then counted here."""
    assert read_usage(wired) is None


wired_usages = st.fixed_dictionaries(
    {
        "prompt_tokens": st.integers(1, 1_000_000),
        "completion_tokens": counts,
        "prompt_tokens_details": st.fixed_dictionaries(
            {
                "cached_tokens": counts,
                "cached_tokens_details": st.fixed_dictionaries({"audio_tokens": counts}),
                "audio_tokens": counts,
            }
        ),
        "completion_tokens_details": st.fixed_dictionaries({"reasoning_tokens": counts, "audio_tokens": counts}),
    }
)
usages = st.builds(
    Usage,
    prompt=st.integers(1, 1_000_000),
    cached=counts,
    cached_audio=counts,
    cache_write_5m=counts,
    audio_in=counts,
    completion=counts,
    reasoning=counts,
    audio_out=counts,
)


@given(wired_usages, st.booleans())
def test_no_token_is_lost_or_doubled(wired: dict[str, Any], has_total: bool) -> None:
    """However the details contradict the totals, the classes sum to what the vendor says it read and wrote."""
    read, wrote = wired["prompt_tokens"], wired["completion_tokens"]
    reasoning = wired["completion_tokens_details"]["reasoning_tokens"]
    usage = read_usage(wired | ({"total_tokens": read + wrote} if has_total else {}))
    assert usage is not None
    assert usage.tokens_in == read
    assert usage.tokens_out == (wrote if reasoning <= wrote else wrote + reasoning)


@given(usages)
def test_written_usage_reads_the_same(usage: Usage) -> None:
    """What is told to a caller is what was counted."""
    assert read_usage(write_usage(usage)) == usage
