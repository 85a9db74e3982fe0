"""How much to reserve: for one request under one budget, and in advance for a whole worker."""

from __future__ import annotations

from msgspec import Struct

PREFETCH_SHARE = 16
"""A worker leases in advance at most this part of what is free, so that none keeps a budget from the others."""
PREFETCH_HOLDS = 20
"""Nothing is leased in advance where that part is less than so many holds: a nearly spent budget is shared exactly."""
PREFETCH_S = 90
"""Seconds of spending that a lease should last: longer than a database takes to come back.

Who spends less than one hold in that time leases nothing in advance.
"""


_CACHES, _ESCAPES = b"cache_control", b"\\u"


def may_write_cache(body: bytes) -> bool:
    """Whether a request may ask for its prompt to be cached: by a name, which JSON can also write escaped."""
    return _CACHES in body or _ESCAPES in body


class Bid(Struct, frozen=True):
    """What one request may cost at one model, in nano-dollars."""

    likely: int
    """At most in 19 of 20 cases, where that was learned."""
    most: int | None
    """None where the caller sets no limit to the answer."""
    least: int = 0
    """What its question alone costs."""

    def under(self, limit: int) -> int:
        """What to hold under a budget of this limit: the most where it is known and could ever fit, else the likely."""
        if self.most is None:
            return self.likely
        return self.most if self.most <= limit else min(self.likely, self.most)


def prefetch(per_second: float, largest: int, free: int) -> int:
    """Nano-dollars that a worker may lease in advance.

    `per_second` is what it spends, `largest` the largest hold of late, `free` what nobody has spent or leased.
    """
    share, lasting = free // PREFETCH_SHARE, round(per_second * PREFETCH_S)
    if share < PREFETCH_HOLDS * largest or lasting < largest:
        return 0
    return min(share, lasting)
