"""What holds for the requests of one route, as the configuration says."""

from __future__ import annotations

from math import ceil, log

from msgspec import Struct

from farthing.domain.scope import Scope


class Promise(Struct, frozen=True, kw_only=True):
    """A route's answers are on average at most so much worse than the baseline's."""

    points: float
    """Of quality, above 0 and below 1."""
    confidence: float = 0.9
    """Above 0 and below 1: how likely it is kept, each time that it is tested."""

    @property
    def fewest_pairs(self) -> int:
        """Of fewer nothing follows: even if none of them lost anything, more than `points` of all could lose all."""
        return max(2, ceil(log(1 - self.confidence) / log(1 - self.points)))


class Rule(Struct, frozen=True, kw_only=True):
    """What is allowed and promised where the gateway chooses the model."""

    name: str
    scope: Scope
    cascade: bool = False
    """Whether a cheap answer may be asked first and checked."""
    cascade_streams: bool = False
    """Whether streams may be as well, which then begin late."""
    promise: Promise | None = None
    margin: float | None = None
    """How much less quality than the baseline's may be expected of a cheaper model, so that the promise is kept; None
    where nothing is shown, and the baseline answers."""
    challengers: frozenset[str] = frozenset()
    """The models for which that is shown."""
