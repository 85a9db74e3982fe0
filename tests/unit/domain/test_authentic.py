"""Only what was signed for a key is believed under it."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.authentic import payload_of, signed
from farthing.domain.secrecy import Secret

SECRET = Secret(b"ours")


def test_the_form() -> None:
    """The HMAC-SHA256 over the key's length, the key and the payload, then the payload."""
    assert signed(SECRET, "ab", b"xyz") == hmac.digest(b"ours", b"2:abxyz", "sha256") + b"xyz"


@given(st.text(max_size=20), st.binary(max_size=50), st.integers(0, 10**6))
def test_what_is_signed_comes_back_and_nothing_else(key: str, payload: bytes, place: int) -> None:
    """With any bit turned, another key or another secret it is nothing."""
    raw = signed(SECRET, key, payload)
    turned = bytearray(raw)
    turned[place % len(raw)] ^= 1 << place % 8
    assert payload_of(SECRET, key, raw) == payload
    assert payload_of(SECRET, key, bytes(turned)) is None
    assert payload_of(SECRET, key + "x", raw) is None
    assert payload_of(Secret(b"theirs"), key, raw) is None
