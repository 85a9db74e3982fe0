"""What people are told without having asked: that a budget nears its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from farthing.domain.budget import Budget, Span, dollars

THRESHOLDS = (50, 80, 90, 100)
"""Percent of a budget's limit at which it tells."""


class Notice(Struct, frozen=True, kw_only=True):
    """Something that happened, told once to everybody who wants to hear of it."""

    event_id: str
    """The same on whichever worker noticed."""
    kind: str
    """What happened, for programs: `budget.threshold_reached`."""
    text: str
    """The same in one sentence, for people."""
    occurred_at_us: int
    """Microseconds since 1970 in UTC."""
    data: dict[str, Any]


class NotDelivered(Exception):
    """A channel did not take a notice; it is tried again later."""


def reached(spent: int, limit: int) -> tuple[int, ...]:
    """The thresholds that `spent` of `limit` has come to, both in nano-dollars; none where the limit is nothing."""
    return tuple(percent for percent in THRESHOLDS if 0 < limit * percent <= spent * 100)


def budget_notices(
    budget: Budget, window: Span, spent: int, now_us: int, *, is_used_up: bool = False
) -> Iterator[Notice]:
    """One for each threshold that has been reached in this window. A changed limit is told of anew.

    `is_used_up` says that it refuses: a hard budget seldom comes to its last nano-dollar, and its end is told all the
    same.
    """
    percents = reached(spent, budget.limit)
    if is_used_up and THRESHOLDS[-1] not in percents:
        percents = (*percents, THRESHOLDS[-1])
    for percent in percents:
        yield Notice(
            event_id=f"budget:{budget.id}:{window.start_us}:{budget.limit}:{percent}",
            kind="budget.threshold_reached",
            text=_sentence(budget, window, spent, percent),
            occurred_at_us=now_us,
            data={
                "budget_id": budget.id,
                "tenant": budget.tenant,
                "scope": budget.scope,
                "subject": budget.subject,
                "window": budget.window,
                "is_hard": budget.is_hard,
                "threshold_percent": percent,
                "spent_usd": dollars(spent).removeprefix("$"),
                "limit_usd": dollars(budget.limit).removeprefix("$"),
                "resets_at": None if window.end_us is None else moment_text(window.end_us),
            },
        )


def _sentence(budget: Budget, window: Span, spent: int, percent: int) -> str:
    which = "budget" if budget.window == "total" else f"{budget.window}'s budget"
    whose = budget.name or f"{budget.scope} {budget.subject}".rstrip()
    left = "Requests are refused when it is spent" if budget.is_hard else "It is watched and refuses nothing"
    come = f"has come to {percent}%"
    if spent * 100 < budget.limit * percent:
        come, left = "is used up", "What is left is too little for what is asked, which is refused"
    until = "" if window.end_us is None else f"; it begins anew at {moment_text(window.end_us)}"
    return f"The {which} of {whose} {come}: {dollars(spent)} of {dollars(budget.limit)} are spent. {left}{until}."


def moment_text(moment_us: int) -> str:
    """A moment in µs since 1970 as `2026-11-21T10:00:00Z`."""
    return f"{datetime.fromtimestamp(moment_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
