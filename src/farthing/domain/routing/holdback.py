"""Has the baseline answer for a small random share of users' days, so that what routing saves can be measured."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from farthing.domain.budget import DAY_US
from farthing.domain.catalogue import Model
from farthing.domain.experiments.assignment import point
from farthing.domain.routing.plan import Plan

HELD_BACK: Literal["hold_back"] = "hold_back"
"""The strategy, and the side, of requests that the baseline answers so that others can be compared with them."""
GROUPS = 64
"""Into which users' days fall by a hash: sums by group stay few, and have in them how much users' days differ."""
_SALT, _GROUP_SALT = b"hold-back:", b"hold-back-group:"
_WHOLE = 1 << 64


def unit_of(tenant: str, user: str | None, request_id: str, at_us: int) -> str:
    """What is held back or routed as a whole: a user's day (UTC), or the request where no user is known.

    Not a user for good: of few users, some much busier than others, hardly any would be held back.
    """
    return f"{tenant}\n{user}\n{at_us // DAY_US}" if user else request_id


def group_of(unit: str) -> int:
    """Its group, from 0; independent of whether it is held back."""
    return point(_GROUP_SALT, unit) * GROUPS >> 64


def divided(plan: Plan, baseline: Model | None, *, share: float, unit: str) -> Plan:
    """The plan with its side of the comparison; for `share` (0..1) of the units with the baseline first.

    A request that the baseline cannot answer, or whose cost there is unknown, is on neither side.
    """
    if baseline is None or baseline.price is None or baseline not in plan.models:
        return plan
    if point(_SALT, unit) >= share * _WHOLE:
        return replace(plan, side="routed")
    much = f"{100 * share:g} % of all, to measure what routing saves"
    reason = f"Held back: {baseline.name}, the baseline, answers {much}."
    led = plan.led_by(baseline.name, reason)
    return replace(led, strategy=HELD_BACK, side=HELD_BACK, confidence="high")
