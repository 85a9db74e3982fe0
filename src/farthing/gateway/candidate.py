"""A model that may be asked."""

from __future__ import annotations

from msgspec import Struct

from farthing.dialects.base import UpstreamDialect
from farthing.domain.catalogue import Model
from farthing.gateway.breaker import Breaker
from farthing.ports import Provider


class Candidate(Struct, frozen=True):
    """A model, where it is reached and in which dialect, and how its deployment has done."""

    model: Model
    provider: Provider
    dialect: UpstreamDialect
    headers: tuple[tuple[bytes, bytes], ...]
    """What the provider is sent with each request: its key, and what its settings say."""
    breaker: Breaker

    def __repr__(self) -> str:
        """Without the headers, which hold the key."""
        return f"Candidate({self.model.name!r}, {self.provider!r})"
