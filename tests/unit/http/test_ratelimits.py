"""Headers that tell how a caller's rates stand."""

from __future__ import annotations

import pytest

from farthing.dialects import INBOUND
from farthing.domain.errors import RateLimited
from farthing.domain.limits import Standing
from farthing.http.errors import error_answer
from farthing.http.ratelimits import limit_headers

STANDINGS = (
    Standing("requests", 60, 59, 1_000_000, 1_764_547_201_000_000),
    Standing("tokens", 9000, 100, 59_333_333, 1_764_547_259_333_333),
)


def test_everybody_is_told_under_openais_names() -> None:
    """Limit, rest, and when the whole of it is to be had again."""
    assert limit_headers(STANDINGS, "openai") == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"9000"),
        (b"x-ratelimit-remaining-tokens", b"100"),
        (b"x-ratelimit-reset-tokens", b"59.334s"),
    ]


def test_callers_of_anthropics_dialect_are_told_under_its_names_as_well() -> None:
    """With the moment, in whole seconds and never too early."""
    assert limit_headers(STANDINGS[1:], "anthropic")[3:] == [
        (b"anthropic-ratelimit-tokens-limit", b"9000"),
        (b"anthropic-ratelimit-tokens-remaining", b"100"),
        (b"anthropic-ratelimit-tokens-reset", b"2025-12-01T00:01:00Z"),
    ]


@pytest.mark.parametrize(
    ("micros", "expected"), [(0, b"0ms"), (1, b"1ms"), (850_000, b"850ms"), (62_500_000, b"1m2.5s")]
)
def test_durations_read_as_openai_writes_them(micros: int, expected: bytes) -> None:
    """In the largest units that fit, rounded up."""
    assert limit_headers([Standing("requests", 1, 0, micros, 0)], "native")[2][1] == expected


def test_a_refusal_tells_how_the_rates_stand() -> None:
    """In the same words as an answer."""
    error = RateLimited("Wait.", retry_after=0.5, standings=STANDINGS[:1])
    status, headers, _ = error_answer(error, INBOUND["openai"], "id", [])
    assert status == 429
    assert headers[4:] == [
        (b"retry-after", b"1"),
        (b"retry-after-ms", b"500"),
        *limit_headers(STANDINGS[:1], "openai"),
    ]
