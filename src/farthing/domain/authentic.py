"""Signs what is kept where others may write, so that only what we put there ourselves is believed."""

from __future__ import annotations

import hmac

from farthing.domain.secrecy import Secret

SIGNATURE_BYTES = 32


def signed(secret: Secret[bytes], key: str, payload: bytes) -> bytes:
    """The payload behind its HMAC-SHA256 (RFC 2104), which holds for this key alone."""
    return _signature(secret, key, payload) + payload


def payload_of(secret: Secret[bytes], key: str, raw: bytes) -> bytes | None:
    """What was signed for this key, None where it was not, or not by us."""
    payload = raw[SIGNATURE_BYTES:]
    return payload if hmac.compare_digest(raw[:SIGNATURE_BYTES], _signature(secret, key, payload)) else None


def _signature(secret: Secret[bytes], key: str, payload: bytes) -> bytes:
    return hmac.digest(secret.reveal(), b"%d:%b%b" % (len(key), key.encode(), payload), "sha256")
