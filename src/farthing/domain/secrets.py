"""The secrets of virtual keys: how they are written, recognised and remembered."""

from __future__ import annotations

import hmac
from functools import lru_cache
from zlib import crc32

PREFIX = "sk-farthing-"
RANDOM_BYTES = 32
"""How much chance a secret holds: 256 bits, so that a plain keyed digest is as safe to store as a slow one."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43
"""Digits of base 62 that 256 bits need."""
_CHECK_LENGTH = 6
"""Digits of base 62 that a CRC-32 needs."""
_LENGTH = len(PREFIX) + _BODY_LENGTH + _CHECK_LENGTH
_DOMAIN = b"farthing virtual key"


def mint(random_bytes: bytes) -> str:
    """A new secret from `RANDOM_BYTES` bytes of chance, ending in a checksum that catches typing errors.

    Raises ValueError for any other number of bytes.
    """
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"a secret is minted from {RANDOM_BYTES} random bytes, not from {len(random_bytes)}")
    body = PREFIX + _base62(int.from_bytes(random_bytes, "big"), _BODY_LENGTH)
    return body + _checksum(body)


def is_well_formed(secret: str) -> bool:
    """Whether `mint` may have written this: tells a typing error from an unknown key without a look-up."""
    if len(secret) != _LENGTH or not secret.startswith(PREFIX) or not secret.isascii():
        return False
    return _checksum(secret[:-_CHECK_LENGTH]) == secret[-_CHECK_LENGTH:]


def digest(secret: str) -> bytes:
    """What is stored in place of the secret: HMAC-SHA256 under a fixed key that sets it apart from other hashes."""
    return _remembered(secret) if len(secret) <= _LENGTH else _digest(secret)


def hint(secret: str) -> str:
    """Prefix and last four characters: enough for a person to recognise a key, too little to use it."""
    return f"{PREFIX}…{secret[-4:]}"


def _digest(secret: str) -> bytes:
    return hmac.digest(_DOMAIN, secret.encode("utf-8", "surrogatepass"), "sha256")


_remembered = lru_cache(maxsize=4096)(_digest)
"""Every request shows its key, and the digest takes longer than everything else that admits it."""


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode("ascii")), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
