"""What an upstream answered at once."""

from __future__ import annotations

from msgspec import Struct

from farthing.dialects.base import UpstreamDialect
from farthing.domain.chat import Completion


class Whole(Struct, frozen=True, kw_only=True):
    """A complete body as the upstream sent it, and what it says."""

    dialect: UpstreamDialect
    body: bytes
    relayed: bytes
    """The body as a caller of the same dialect gets it."""
    completion: Completion
