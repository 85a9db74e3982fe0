"""What a well-formed head says."""

from __future__ import annotations

from msgspec import Struct

from farthing.gateway.call import Directives


class Head(Struct, frozen=True, kw_only=True):
    """The facts of a head that is well-formed."""

    path: str = ""
    credential: str | None
    directives: Directives
    app: str | None
    forward: tuple[tuple[bytes, bytes], ...]
    is_local: bool
    """Whether its Host is one of this machine's own names."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Head({self.path!r})"
