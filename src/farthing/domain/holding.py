"""How much to reserve: for one request under one budget, and in advance for a whole worker."""

from __future__ import annotations

from math import ceil

from msgspec import Struct

from farthing.domain.catalogue import Model
from farthing.domain.routing.plan import Needs

PREFETCH_SHARE = 16
"""A worker leases in advance at most this part of what is free, so that none keeps a budget from the others."""
PREFETCH_HOLDS = 20
"""Nothing is leased in advance where that part is less than so many holds: a nearly spent budget is shared exactly."""
PREFETCH_S = 90
"""Seconds of spending that a lease should last: longer than a database takes to come back.

Who spends less than one hold in that time leases nothing in advance.
"""
WIDEST = 1_000_000
"""Tokens of a context window that nobody knows."""
KNOWN_ERROR = 1.5
"""Times the estimate that four vendors' tokenizers count at most of English, program text and JSON."""
LIKELY_SEARCHES = 5
"""Calls of a vendor's own tools that one answer is likely not to exceed."""

_CACHES, _ESCAPES = b"cache_control", b"\\u"


def may_write_cache(body: bytes) -> bool:
    """Whether a request may ask for its prompt to be cached: by a name, which JSON can also write escaped."""
    # `in` asks first whether it was given a number, which takes longer than the search in a short body.
    return body.find(_CACHES) >= 0 or body.find(_ESCAPES) >= 0


class Bid(Struct, frozen=True):
    """What one request may cost at one model, in nano-dollars."""

    likely: int
    """At most in 19 of 20 cases, where that was learned."""
    most: int | None
    """None where the caller sets no limit to the answer."""
    least: int = 0
    """What its question alone costs, as estimated."""
    doubt: int = 0
    """By how much the other figures are too low where the vendor counts as many tokens in the question as it can."""

    @property
    def highest(self) -> int:
        """The most where it is known, else the likely."""
        return self.likely if self.most is None else self.most

    def under(self, limit: int) -> int:
        """What it takes under a budget of this limit: the most where it is known and can ever fit, else the likely."""
        if self.most is None:
            return self.likely
        return self.most if self.most <= limit else min(self.likely, self.most)

    def safe(self, limit: int) -> int:
        """What is held for it beside others: what it takes, however the vendor counts its question."""
        return self.under(limit) + self.doubt


def bid_for(model: Model, needs: Needs, body: bytes, learned: int | None = None) -> Bid | None:
    """What a request may cost at a model; None where that has no price.

    `body` is the request as it came, which may ask that its prompt be cached, at a price. `learned` are the tokens that
    95 of 100 answers do not exceed, where that is known.
    """
    price = model.price
    if price is None:
        return None
    longest, writes_cache = needs.longest, price.charges_caching and may_write_cache(body)
    tokens_out = needs.tokens_out if learned is None else learned
    if longest is not None:
        tokens_out = min(tokens_out, longest)
    wrote = tokens_out if longest is None else longest
    near, least = ceil(needs.tokens_in * KNOWN_ERROR), price.estimate(needs.tokens_in, 0)
    if needs.has_unseen:
        # Nobody here knows how much the vendor will read: likely no more than the model can.
        read = max(near, model.context_tokens or WIDEST)
        tokens = price.most(read, wrote, writes_cache=writes_cache, is_text=False)
        return Bid(tokens + LIKELY_SEARCHES * price.tools.dearest, None, least)
    # Whatever stands in the body may be read, and no tokenizer makes more tokens of a text than it has bytes.
    read = max(near, needs.most_in, len(body) - needs.picture_chars)
    most = price.most(near, wrote, writes_cache=writes_cache)
    likely = most if tokens_out == wrote else price.most(near, tokens_out, writes_cache=writes_cache)
    safe = price.most(read, wrote, writes_cache=writes_cache)
    return Bid(likely, None if longest is None else most, least, safe - most)


def prefetch(per_second: float, largest: int, free: int) -> int:
    """Nano-dollars that a worker may lease in advance.

    `per_second` is what it spends, `largest` the largest hold of late, `free` what nobody has spent or leased.
    """
    share, lasting = free // PREFETCH_SHARE, round(per_second * PREFETCH_S)
    if share < PREFETCH_HOLDS * largest or lasting < largest:
        return 0
    return min(share, lasting)
