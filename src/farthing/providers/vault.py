"""Seals providers' keys at rest: AES-256-GCM, bound to tenant, id and origin (NIST SP 800-38D)."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from farthing.domain.credentials import Bond
from farthing.domain.secrecy import Secret

KEY_BYTES = 32
_NAME_BYTES = 4
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """A sealed secret that was moved, changed, or sealed under a key that is not here."""


def sealing_key(text: str) -> bytes:
    """A key of 32 bytes from its base64. Raises ValueError."""
    try:
        key = b64decode(text.strip(), validate=True)
    except NotBase64 as error:
        raise ValueError("expected base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"expected {KEY_BYTES} bytes in base64, as `openssl rand -base64 {KEY_BYTES}` makes them")
    return key


class Vault:
    """Seals under the first of its keys and opens under any: a new first key and a re-sealing replace an old one."""

    def __init__(self, keys: Sequence[bytes], *, chance: Callable[[int], bytes]) -> None:
        """`keys` as `sealing_key` makes them, at least one; `chance` gives unpredictable bytes."""
        # Only a gateway whose tenants bring keys pays for the library.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._ciphers = {_name(key): AESGCM(key) for key in keys}
        self._newest = _name(keys[0])
        self._chance = chance

    def seal(self, secret: Secret[str], bond: Bond) -> bytes:
        """The name of the key, a nonce, and the ciphertext with its tag."""
        nonce = self._chance(_NONCE_BYTES)
        return self._newest + nonce + self._ciphers[self._newest].encrypt(nonce, secret.reveal().encode(), _bound(bond))

    def open(self, sealed: bytes, bond: Bond) -> Secret[str]:
        """The secret. Raises `CannotOpen`, also where it was sealed for another tenant, id or origin."""
        from cryptography.exceptions import InvalidTag

        cipher, rest = self._ciphers.get(sealed[:_NAME_BYTES]), sealed[_NAME_BYTES:]
        if cipher is None:
            raise CannotOpen("it was sealed under a key that is not here")
        try:
            return Secret(cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(bond)).decode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("it was changed, or sealed for another tenant, id or origin") from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it is sealed under the first key."""
        return sealed.startswith(self._newest)


def _name(key: bytes) -> bytes:
    return sha256(b"farthing vault key" + key).digest()[:_NAME_BYTES]


def _bound(bond: Bond) -> bytes:
    """The three parts so that no other three read the same."""
    return msgspec.msgpack.encode(bond)
