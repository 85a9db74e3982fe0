"""A value that must never be seen: whatever prints or packs it by mistake gets three stars."""

from __future__ import annotations

import hmac
from typing import AnyStr, Generic, NoReturn

SHOWN = "***"


class Secret(Generic[AnyStr]):
    """Text or bytes that only `reveal` gives out. What holds one may be logged, compared and used as a key."""

    __slots__ = ("_value",)

    def __init__(self, value: AnyStr) -> None:
        self._value: AnyStr = value

    def reveal(self) -> AnyStr:
        """The value, for the one place that sends it or computes with it."""
        return self._value

    def __repr__(self) -> str:
        return SHOWN

    def __format__(self, _: str) -> str:
        """Whatever the width or the precision, which would tell the length or the beginning."""
        return SHOWN

    def __eq__(self, other: object) -> bool:
        """In a time that tells nothing of where the two differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return type(self._value) is type(other._value) and hmac.compare_digest(
            _bytes(self._value), _bytes(other._value)
        )

    def __hash__(self) -> int:
        """The same for all: a hash can be guessed from."""
        return hash(SHOWN)

    def __reduce_ex__(self, _: object) -> NoReturn:
        """Raises TypeError: packed, it would be readable, and hidden, it would come back as another key."""
        raise TypeError("a secret cannot be copied or packed")


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
