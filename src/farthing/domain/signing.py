"""Signs what is posted to others (Standard Webhooks, symmetric signatures)."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64

SECRET_PREFIX = "whsec_"  # noqa: S105 (how such secrets begin)
SHORTEST_SECRET = 16
"""Bytes: what is shorter could be guessed."""


def secret_bytes(text: str) -> bytes:
    """What signs: the part after `whsec_` as base64, any other text as it stands.

    Raises ValueError for one that is too short to keep others from signing.
    """
    try:
        secret = b64decode(text.removeprefix(SECRET_PREFIX), validate=True) if text.startswith(SECRET_PREFIX) else None
    except NotBase64 as error:
        raise ValueError("expected base64 after whsec_") from error
    found = text.strip().encode() if secret is None else secret
    if len(found) < SHORTEST_SECRET:
        raise ValueError(f"expected at least {SHORTEST_SECRET} bytes, or nobody can trust what it signs")
    return found


def signature(secret: bytes, event_id: str, moment_s: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 over id, seconds since 1970 and body (Standard Webhooks, symmetric signatures)."""
    signed = f"{event_id}.{moment_s}.".encode() + body
    return "v1," + b64encode(hmac.digest(secret, signed, "sha256")).decode()
