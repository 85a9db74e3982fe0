"""A whole answer on its way to the caller."""

from __future__ import annotations

from msgspec import Struct

from farthing.gateway.recording import Draft


class Reply(Struct, eq=False):
    """A whole answer, settled."""

    draft: Draft
    body: bytes
