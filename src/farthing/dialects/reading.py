"""A request's body, understood once for everybody who asks what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.dialects import strict
from farthing.dialects.base import InboundDialect
from farthing.domain.chat import ChatRequest

LONGEST_NAME = 256
_NAMES = frozenset({"prompt_cache_key", "previous_response_id", "safety_identifier"})


class Reading:
    """What a body says."""

    __slots__ = ("chat", "extras", "safety_identifier", "session", "tree")

    def __init__(self, dialect: InboundDialect, body: bytes) -> None:
        """Raises `InvalidRequest` where the body is none that the dialect takes."""
        self.tree: Mapping[str, Any] = strict.decode(body)
        self.chat: ChatRequest = dialect.read_request(self.tree)
        self.extras: Mapping[str, Any] = dialect.extras(self.tree)
        self.session: str | None = None
        """What the client calls the conversation, if it says so in the body."""
        self.safety_identifier: str | None = None
        if not _NAMES.isdisjoint(self.tree):
            self.session = self._named("prompt_cache_key") or self._named("previous_response_id")
            self.safety_identifier = self._named("safety_identifier")

    def _named(self, name: str) -> str | None:
        value = self.tree.get(name)
        return value[:LONGEST_NAME] if isinstance(value, str) and value else None
