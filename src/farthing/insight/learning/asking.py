"""Tells from what is asked which earlier answers were no good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from farthing.domain.rephrasing import is_same_question
from farthing.ports.learning import Lesson, Remark

WITHIN_US = 120_000_000
"""After an answer: who asks again later may want to know it once more."""
SOONEST_US = 2_000_000
"""After an answer: nobody reads it and asks again in less, but programs do."""
MOST_ASKED = 8
"""Questions of one person in that time; more are a program's."""
GRADE = 2
"""From 1 to 5, of an answer whose question was asked again."""
NAME = "implicit"
"""Whose ratings these are: one of each answer."""


def asked_again(asked: Sequence[Lesson], known: Iterable[Lesson]) -> list[Remark]:
    """What new questions tell of earlier answers: `known` are all that the same people had in the last time.

    Told is the last answer to the same question, in the same or in other words, after the same messages: it was thrown
    away.
    """
    earlier = defaultdict(list)
    for one in known:
        earlier[one.tenant, one.asker].append(one)
    spurned = [(_spurned(now, earlier[now.tenant, now.asker]), now.tenant) for now in asked]
    return [
        Remark(request_id=request_id, tenant=tenant, principal=NAME, grade=GRADE, source="implicit")
        for request_id, tenant in spurned
        if request_id is not None
    ]


def _spurned(now: Lesson, known: Iterable[Lesson]) -> str | None:
    """The request whose answer did not please, None where a program asks or nothing is asked again."""
    before = [one for one in known if one.request_id != now.request_id and one.created_at_us <= now.created_at_us]
    recent = [(gap_us, one) for one in before if (gap_us := now.created_at_us - (one.answered_us or 0)) <= WITHIN_US]
    if len(recent) > MOST_ASKED or any(gap_us < SOONEST_US for gap_us, _ in recent):
        return None
    same = [
        (gap_us, one.request_id)
        for gap_us, one in recent
        if one.context == now.context and is_same_question(one.prompt, now.prompt)
    ]
    return min(same)[1] if same else None
