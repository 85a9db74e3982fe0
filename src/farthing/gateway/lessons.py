"""Notes on the side which question a model has answered, in case that somebody rates the answer."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from farthing.domain.chat import Text
from farthing.domain.exchange import Exchange, broken_cost
from farthing.domain.routing.learning.terms import excerpt
from farthing.domain.routing.plan import Plan
from farthing.domain.tokens import last_user_text
from farthing.gateway.order import Order
from farthing.ports.learning import Finding, Lesson

MOST_WAITING = 1_000
"""Lessons that wait to be written; more are not noted."""
EACH_ROUND = 10
"""So many more are noted after each round, however many requests there are: ratings are few, and the database has to
write all of it."""
UNTAUGHT = frozenset({"embeddings", "count_tokens"})
"""Dialects whose answers nobody rates."""
_DIGEST_BYTES = 16
_encode = msgspec.json.Encoder().encode


class Lessons:
    """Waits for a job that writes them; no request waits for it."""

    def __init__(self) -> None:
        self._waiting: list[Lesson] = []
        self._room = MOST_WAITING

    def note(self, order: Order, bought: Exchange) -> None:
        """Notes a request whose answer was bought."""
        if not self._room or not order.snapshot.keep_prompts or order.call.dialect.name in UNTAUGHT:
            return
        prompt = last_user_text(order.chat.messages)
        if prompt:
            self._room -= 1
            self._waiting.append(
                Lesson(
                    request_id=bought.request_id,
                    created_at_us=bought.created_at_us,
                    tenant=bought.tenant,
                    model=bought.model or "",
                    prompt=excerpt(prompt),
                    cost=bought.own_cost,
                    cache_key=bought.cache_key,
                    checked=_finding(order.draft.plan, bought),
                    **_asking(order, bought),
                )
            )

    def take(self) -> Sequence[Lesson]:
        """All that wait, and begins a new round."""
        taken, self._waiting = self._waiting, []
        self._room = min(self._room + EACH_ROUND, MOST_WAITING)
        return taken

    def give_back(self, lessons: Sequence[Lesson]) -> None:
        """They could not be written: they wait for the next round, as many as may."""
        self._waiting = [*lessons, *self._waiting][-MOST_WAITING:]


def _finding(plan: Plan | None, bought: Exchange) -> Finding | None:
    """What a check has found of the first answer, if it was made."""
    found = plan.metadata.get("cascade") if plan else None
    if found is None or found["score"] is None:
        return None
    is_served = found["served"] == found["first"]
    return Finding(
        model=found["first"],
        is_served=is_served,
        cost=bought.own_cost if is_served else broken_cost(one for one in bought.attempts if one.outcome == "unserved"),
        **{name: found[name] for name in ("check", "score", "expected", "belief")},
    )


def _asking(order: Order, bought: Exchange) -> dict[str, Any]:
    """Who may ask the same again, and after what: nothing where that would not tell of the answer.

    The same user of another key may be another's user, whose program counts them as well.

    A program with tools sends the same question until it is done, and one about what does not stand in the request, or
    is no text, may be another each time. Whose answer did not arrive asks for it once more.
    """
    chat, draft = order.chat, order.draft
    last = chat.messages[-1]
    is_question = last.role == "user" and all(type(part) is Text for part in last.parts)
    if not is_question or chat.tools or chat.has_unseen or bought.status != "ok" or not (draft.session or draft.user):
        return {}
    who = f"session {draft.session}" if draft.session else f"user {draft.user}"
    return {
        "asker": f"{draft.caller.key_id or 'nobody'} {who}",
        "context": blake2b(_encode(chat.messages[:-1]), digest_size=_DIGEST_BYTES).hexdigest(),
        "answered_us": bought.created_at_us + bought.duration_us,
    }
