"""Which arm a user gets: a hash, the same on every host, that needs no memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from farthing.domain.experiments.data import GROUPS
from farthing.domain.experiments.definition import Experiment, Namespace

HELD_BACK = 0.02
"""The share of users who keep control's strategy for good after a winner was promoted."""
ROUNDED = 0.01
"""How far shares may be from 1 altogether, since people round them."""
_WHOLE = 1 << 64


def point(salt: bytes, unit: str) -> int:
    """Where in 0..2⁶⁴ a user falls: the first 8 bytes of SHA-256 over the salt and the user."""
    return int.from_bytes(hashlib.sha256(salt + unit.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def ranges(shares: Sequence[float], traffic: float = 1.0) -> tuple[tuple[float, float], ...]:
    """The part of 0..1 that each arm takes: its own share, shrunk from its start to `traffic`.

    So that more traffic only adds users. Shares that do not add up to 1 count as equal ones, and traffic outside 0..1
    as the nearest bound (as GrowthBook's `getBucketRanges`).
    """
    if not shares:
        return ()
    traffic = min(1.0, max(0.0, traffic))
    if abs(sum(shares) - 1.0) > ROUNDED:
        shares = [1.0 / len(shares)] * len(shares)
    found, start = [], 0.0
    for share in shares:
        found.append((start, start + share * traffic))
        start += share
    return tuple(found)


def _scaled(value: float) -> int:
    """A bound in 0..1 as one in 0..2⁶⁴; what is within a rounding of the end is the end."""
    return _WHOLE if value >= 1.0 - 1e-12 else max(0, int(value * _WHOLE))


class Allocation(Struct, frozen=True, kw_only=True):
    """Everything about an experiment that assignment needs, worked out once."""

    salt: bytes
    arms: tuple[tuple[int, int, str], ...]
    """From, up to but without, and the arm's name; in 0..2⁶⁴."""
    namespace: tuple[bytes, int, int] | None

    def arm(self, unit: str) -> str | None:
        """The arm of this user, or None who takes no part."""
        if self.namespace is not None:
            salt, start, end = self.namespace
            if not start <= point(salt, unit) < end:
                return None
        where = point(self.salt, unit)
        for start, end, name in self.arms:
            if start <= where < end:
                return name
        return None


def allocation(experiment: Experiment) -> Allocation:
    """How the experiment's present phase spreads its users; to be kept for as long as the experiment is unchanged."""
    spread = ranges(experiment.phases[-1].shares, experiment.traffic)
    bounds = [(_scaled(start), _scaled(end)) for start, end in spread]
    arms = tuple((start, end, arm.name) for (start, end), arm in zip(bounds, experiment.arms, strict=True))
    namespace = _exclusion(experiment.namespace) if experiment.namespace else None
    return Allocation(salt=f"{experiment.salt}:{experiment.phase}:".encode(), arms=arms, namespace=namespace)


def _exclusion(namespace: Namespace) -> tuple[bytes, int, int]:
    return f"namespace:{namespace.name}:".encode(), _scaled(namespace.start), _scaled(namespace.end)


def assign(experiment: Experiment, unit: str) -> str | None:
    """The arm of a user, or of a request where no user is known; None takes no part.

    Where many are assigned, keep the `allocation`.
    """
    return allocation(experiment).arm(unit)


def is_held_back(experiment: Experiment, unit: str) -> bool:
    """Whether this user keeps control's strategy after another arm was promoted."""
    return point(f"{experiment.salt}:held-back:".encode(), unit) < _scaled(HELD_BACK)


def group(unit: str) -> int:
    """The group, from 0, in which a user is followed after a promotion: the same for every experiment."""
    return point(b"followed:", unit) * GROUPS >> 64
