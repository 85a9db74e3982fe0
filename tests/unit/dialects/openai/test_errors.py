"""What a vendor's error answer tells the caller."""

from __future__ import annotations

import json

import pytest

from farthing.dialects import UPSTREAM
from farthing.domain.errors import UpstreamInvalid, UpstreamRejected

Told = tuple[str, str | None, str | None]

SILENT = "The provider rejected the request without saying why: compare it with the provider's manual."


def rejected(body: bytes) -> Told:
    """Message, code and param of a refusal with status 400."""
    error = UPSTREAM["openai"].read_error(400, {}, body)
    assert type(error) is UpstreamRejected
    return error.message, error.code, error.param


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"message": "Too long.", "code": "context_length_exceeded", "param": "messages[0].content"},
            ("The provider rejected the request: Too long.", "context_length_exceeded", "messages[0].content"),
        ),
        ({"message": "Why."}, ("The provider rejected the request: Why.", "upstream_rejected", None)),
        ({"detail": "Why."}, ("The provider rejected the request: Why.", "upstream_rejected", None)),
        ("Why.", ("The provider rejected the request: Why.", "upstream_rejected", None)),
        ({"message": ["x"], "detail": [{"msg": "x"}]}, (SILENT, "upstream_rejected", None)),
        ({"message": "", "code": 400, "param": "<script>"}, (SILENT, "upstream_rejected", None)),
        ({"message": "", "code": "A" * 70, "param": 5}, (SILENT, "upstream_rejected", None)),
        (None, (SILENT, "upstream_rejected", None)),
    ],
)
def test_a_refusal_keeps_reason_code_and_path(error: object, told: Told) -> None:
    """The vendor's reason reaches the caller, with its code and path where these are plain words."""
    assert rejected(json.dumps({"error": error}).encode()) == told


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000, b'{"error":"\xff"}'])
def test_an_unreadable_refusal_says_so(body: bytes) -> None:
    """What is no JSON object is not repeated."""
    assert rejected(body) == (SILENT, "upstream_rejected", None)


def test_a_reason_at_the_top_level() -> None:
    """Vendors who leave `error` out are understood, too."""
    assert rejected(b'{"message":"Why.","code":"bad_tool"}') == (
        "The provider rejected the request: Why.",
        "bad_tool",
        None,
    )


def test_a_redirect_is_no_answer() -> None:
    """Nobody follows it."""
    error = UPSTREAM["openai"].read_error(302, {"location": "http://127.0.0.1"}, b"")
    assert type(error) is UpstreamInvalid
