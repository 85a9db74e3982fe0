"""What a tenant's key is bound to, and how much of it is shown."""

from __future__ import annotations

import pytest

from farthing.domain.credentials import hint_of, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.com/v1", "https://api.example.com:443"),
        ("HTTPS://API.Example.com:443", "https://api.example.com:443"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("http://[::1]/v1", "http://[::1]:80"),
        ("https://api.example.com:8443/v1/x", "https://api.example.com:8443"),
    ],
)
def test_an_origin_is_where_requests_go(url: str, origin: str) -> None:
    """Scheme, host and port in one form; the path does not matter."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(("secret", "hint"), [("sk-0123456789abcdef", "…cdef"), ("0123456789abcde", "…"), ("", "…")])
def test_a_hint_gives_no_short_secret_away(secret: str, hint: str) -> None:
    """Four characters of a long one, none of a short one."""
    assert hint_of(secret) == hint
