"""What was read before and comes again to the byte: questions that are repeated, and answers that are kept for them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from farthing.dialects import UPSTREAM, strict
from farthing.dialects.base import InboundDialect
from farthing.domain.cachekey import identity
from farthing.domain.chat import ChatRequest, Completion

LONGEST_NAME = 256
LONGEST_QUESTION = 4 * 1024
LONGEST_ANSWER = 16 * 1024
"""Bytes of a body that is worth remembering: few others come again, and they would take more room than they save."""
MOST_QUESTIONS = 512
MOST_ANSWERS = 512


class Reading:
    """A request's body, understood. Belongs to every request that sent these bytes, so nobody may change it."""

    __slots__ = ("_identity", "_place", "body", "chat", "extras", "safety_identifier", "session", "tree")

    def __init__(self, dialect: InboundDialect, body: bytes) -> None:
        """Raises `InvalidRequest` where the body is none that the dialect takes."""
        self.body = body
        self.tree: Mapping[str, Any] = strict.decode(body)
        self.chat: ChatRequest = dialect.read_request(self.tree)
        self.extras: Mapping[str, Any] = dialect.extras(self.tree)
        self.session = self._named("prompt_cache_key") or self._named("previous_response_id")
        """What the client calls the conversation, if it says so in the body."""
        self.safety_identifier = self._named("safety_identifier")
        self._place: tuple[str, str | None, str, str] | None = None
        self._identity = ""

    def _named(self, name: str) -> str | None:
        value = self.tree.get(name)
        return value[:LONGEST_NAME] if isinstance(value, str) and value else None

    def identity(self, *, tenant: str, arm: str | None, route: str, model: str) -> str:
        """As `domain.cachekey.identity`, of this body; asked again for the same place it is not counted again."""
        place = tenant, arm, route, model
        if place != self._place:
            self._identity = identity(self.tree, tenant=tenant, arm=arm, route=route, model=model)
            self._place = place
        return self._identity


class Readings:
    """The last few questions that were worth remembering: those whose answer was found, since they may come again."""

    def __init__(self, most: int = MOST_QUESTIONS) -> None:
        self._most = most
        self._known: dict[tuple[str, bytes], Reading] = {}

    def of(self, dialect: InboundDialect, body: bytes) -> Reading:
        """The body's reading, a known one or a new one. Raises as `Reading`."""
        known = self._known.get((dialect.name, body)) if len(body) <= LONGEST_QUESTION else None
        return Reading(dialect, body) if known is None else known

    def keep(self, dialect: InboundDialect, reading: Reading) -> None:
        """Remembers a reading; the oldest one makes room."""
        name = dialect.name, reading.body
        if len(reading.body) > LONGEST_QUESTION or name in self._known:
            return
        if len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[name] = reading


def read_kept(dialect: str, body: bytes) -> tuple[Completion, bytes]:
    """As `read_whole` of the upstream dialect of this name, for an answer that was kept and is served again."""
    return _read_kept(dialect, body) if len(body) <= LONGEST_ANSWER else UPSTREAM[dialect].read_whole(body)


@lru_cache(maxsize=MOST_ANSWERS)
def _read_kept(dialect: str, body: bytes) -> tuple[Completion, bytes]:
    return UPSTREAM[dialect].read_whole(body)
