"""What a provider's refusal becomes, and what of its text may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects.failures import MAX_REASON, cleaned, failure, retry_after
from farthing.domain.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
)

SECRETS = [
    "sk-proj-abcd********wxyz",
    "AIzaSyD-abc_defghij0123",
    "Bearer abc.def",
    "org-ABcd1234efgh",
    "https://internal.example/x?key=1",
    "/home/somebody/app.py",
    "somebody@example.com",
    "10.0.0.1:8080",
    "9f86d081884c7d659a2feaa0c55ad015",
]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, UpstreamRejected),
        (404, UpstreamRejected),
        (413, UpstreamRejected),
        (422, UpstreamRejected),
        (401, UpstreamUnauthorized),
        (402, UpstreamUnauthorized),
        (403, UpstreamUnauthorized),
        (408, UpstreamTimeout),
        (429, UpstreamRateLimited),
        (500, UpstreamOverloaded),
        (503, UpstreamOverloaded),
        (529, UpstreamOverloaded),
        (302, UpstreamInvalid),
        (418, UpstreamInvalid),
    ],
)
def test_the_status_decides_the_class(status: int, expected: type[UpstreamError]) -> None:
    """Each status has its place in the tree of errors, and never another one."""
    assert type(failure(status, {}, "why")) is expected


def test_the_reason_is_told_only_where_the_request_was_rejected() -> None:
    """A provider's text about keys, limits or its own trouble stays with us."""
    assert failure(400, {}, "max_tokens is too large").message == (
        "The provider rejected the request: max_tokens is too large"
    )
    assert failure(422, {}, " \n").message.startswith("The provider rejected the request without saying why")
    assert [
        status for status in (401, 403, 408, 418, 429, 500) if "canary" in failure(status, {}, "canary").message
    ] == []


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_removed(secret: str) -> None:
    """Keys, addresses, paths and mailboxes do not come through."""
    assert cleaned(f"invalid: {secret} was given") == "invalid: [removed] was given"


@pytest.mark.parametrize(
    "text",
    [
        "messages.0.content: at least one message is required for claude-haiku-4-5-20251001",
        "max_tokens: 200000 > 128000, which is the maximum allowed for organizations",
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ],
)
def test_ordinary_reasons_stay_whole(text: str) -> None:
    """Model names, numbers, field paths and patterns are no secrets."""
    assert cleaned(text) == text


def test_a_reason_is_one_short_line() -> None:
    """Line ends, controls and invisible characters become spaces, and long texts are cut."""
    assert cleaned("a\r\nb\x00\u202ec") == "a b c"
    assert cleaned("word " * 1000) == ("word " * 60).rstrip() + "…"
    assert len(cleaned("word " * 1000)) <= MAX_REASON


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "2"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00"}, None),
    ],
)
def test_the_asked_wait_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are read; what makes no sense is no wait."""
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(("asked", "told"), [("0", 0.0), ("-1", 0.0), ("5", 5.0), ("1e9", 60.0), ("inf", 60.0)])
def test_nobody_waits_longer_than_a_minute(asked: str, told: float) -> None:
    """A wait is held within 0 and 60 s."""
    assert failure(429, {"retry-after": asked}).retry_after == told
    assert failure(503, {"retry-after": asked}).retry_after == told


def test_the_headers_count_before_the_body() -> None:
    """A wait named in the body is used only where the headers name none."""
    assert failure(429, {}, wait=7).retry_after == 7
    assert failure(429, {"retry-after": "3"}, wait=7).retry_after == 3


@given(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str), st.text(max_size=40))
def test_no_wait_is_beyond_understanding(asked: str, date: str) -> None:
    """Whatever a provider writes, the wait is unknown or a number, and what is told is 0 to 60 s."""
    for headers in ({"retry-after": asked, "date": date}, {"retry-after-ms": asked}):
        seconds = retry_after(headers)
        assert seconds is None or seconds == seconds  # noqa: PLR0124 (NaN alone differs from itself)
        told = failure(429, headers).retry_after
        assert told is None or 0 <= told <= 60
