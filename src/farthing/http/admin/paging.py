"""Lists in portions: a cursor says where the next one begins, and continues no other list."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from farthing.domain.errors import InvalidRequest
from farthing.domain.permissions import Reach

SEAL_BYTES = 8
T = TypeVar("T")


class Listing:
    """One list as one caller sees it."""

    def __init__(self, name: str, reach: Reach) -> None:
        self._question = msgspec.json.encode((name, reach))

    def place(self, cursor: str | None) -> list[str] | None:
        """The key after which the portion begins. Raises `InvalidRequest` for a cursor of another list."""
        if cursor is None:
            return None
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            place, seal = raw[:-SEAL_BYTES], raw[-SEAL_BYTES:]
            if seal == self._seal(place):
                return msgspec.json.decode(place, type=list[str])
        except (ValueError, msgspec.MsgspecError):
            pass
        raise InvalidRequest(
            "The cursor does not belong to this list: take `next_cursor` from an answer to the same query.",
            code="invalid_parameter",
            param="cursor",
        )

    def page(
        self, found: Sequence[T], limit: int, *, key: Callable[[T], Sequence[str]], shown: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        """The answer, from `limit` + 1 things where there are more than `limit`."""
        more = key(found[limit - 1]) if len(found) > limit else None
        return {"data": [shown(thing) for thing in found[:limit]], "next_cursor": more and self._cursor(more)}

    def _cursor(self, key: Sequence[str]) -> str:
        place = msgspec.json.encode(key)
        return urlsafe_b64encode(place + self._seal(place)).decode().rstrip("=")

    def _seal(self, place: bytes) -> bytes:
        return blake2b(place + self._question, digest_size=SEAL_BYTES).digest()
