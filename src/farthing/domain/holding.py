"""How much to reserve: for one request under one budget, and in advance for a whole worker."""

from __future__ import annotations

from msgspec import Struct

SANE_SHARE = 20
"""A request whose most is within this part of a limit is held for in full."""
PREFETCH_SHARE = 16
"""A worker leases in advance at most this part of what is free, so that none keeps a budget from the others."""
PREFETCH_HOLDS = 20
"""Nothing is leased in advance where that part is less than so many holds: a nearly spent budget is shared exactly."""
PREFETCH_S = 90
"""Seconds of spending that a lease should last: longer than a database takes to come back.

Who spends less than one hold in that time leases nothing in advance.
"""


class Bid(Struct, frozen=True):
    """What one request may cost at one model, in nano-dollars."""

    likely: int
    """At most in 19 of 20 cases, where that was learned."""
    most: int | None
    """None where the caller sets no limit to the answer."""
    is_learned: bool = False
    least: int = 0
    """What its question alone costs."""

    def under(self, limit: int) -> int:
        """What to hold under a budget of this limit: the most where it is known and a sane share, else the likely."""
        if self.most is None:
            return self.likely
        if SANE_SHARE * self.most <= limit or (not self.is_learned and self.most <= limit):
            return self.most
        return min(self.likely, self.most)


def prefetch(per_second: float, largest: int, free: int) -> int:
    """Nano-dollars that a worker may lease in advance.

    `per_second` is what it spends, `largest` the largest hold of late, `free` what nobody has spent or leased.
    """
    share, lasting = free // PREFETCH_SHARE, round(per_second * PREFETCH_S)
    if share < PREFETCH_HOLDS * largest or lasting < largest:
        return 0
    return min(share, lasting)
