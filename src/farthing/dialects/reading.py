"""A request's body, understood once for everybody who asks what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.dialects import strict
from farthing.dialects.base import InboundDialect
from farthing.domain.chat import ChatRequest
from farthing.domain.errors import InvalidRequest

LONGEST_NAME = 256
EXPERIMENT = "experiment_id"
"""The field by which a request of a vendor's dialect names its experiment, as one of our own does."""
_NAMES = frozenset({"prompt_cache_key", "previous_response_id", "safety_identifier"})


class Reading:
    """What a body says."""

    __slots__ = ("body", "chat", "extras", "safety_identifier", "session", "tree")

    def __init__(self, dialect: InboundDialect, body: bytes) -> None:
        """Raises `InvalidRequest` where the body is none that the dialect takes."""
        tree = strict.decode(body)
        extras = dialect.extras(tree)
        if EXPERIMENT in tree and not extras:
            extras = {EXPERIMENT: _experiment(tree.pop(EXPERIMENT))}
            body = strict.without(body, EXPERIMENT)
        self.tree: Mapping[str, Any] = tree
        self.body = body
        """As vendors of the caller's dialect may see it: without what is said to the gateway."""
        self.chat: ChatRequest = dialect.read_request(tree)
        self.extras: Mapping[str, Any] = extras
        self.session: str | None = None
        """What the client calls the conversation, if it says so in the body."""
        self.safety_identifier: str | None = None
        if not _NAMES.isdisjoint(self.tree):
            self.session = self._named("prompt_cache_key") or self._named("previous_response_id")
            self.safety_identifier = self._named("safety_identifier")

    def _named(self, name: str) -> str | None:
        value = self.tree.get(name)
        return value[:LONGEST_NAME] if isinstance(value, str) and value else None


def _experiment(value: object) -> str | None:
    if value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_NAME):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidRequest(
        f"`{EXPERIMENT}` must be an experiment's id, 1 to {LONGEST_NAME} characters: send it as text.",
        code="invalid_parameter",
        param=EXPERIMENT,
    )
