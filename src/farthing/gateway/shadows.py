"""Draws by chance the requests whose answer is compared with a second model's, and keeps them until that is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import random

from msgspec import Struct

from farthing.domain.catalogue import Model
from farthing.domain.chat import Completion
from farthing.domain.exchange import Exchange
from farthing.domain.routing.needs import fitting
from farthing.domain.routing.plan import Plan
from farthing.domain.tokens import last_user_text
from farthing.gateway.order import Order

MOST_WAITING = 100
"""Requests that wait to be compared; more are not drawn."""
LARGEST_BODY = 100_000
"""Bytes of a request that is drawn: those that wait are kept in memory, and what is longer is dear to ask twice."""


class Drawn(Struct, frozen=True):
    """A request that was answered, what it was answered, and whose answer that is compared with."""

    order: Order
    answer: str
    exchange: Exchange
    baseline: Model
    other: Model
    bought: str | None = None
    """What the other has answered, where the request has paid for that already; None where it is still to be asked."""


class Shadows:
    """Between requests, none of which waits for it, and those who compare."""

    def __init__(self, dice: Callable[[], float] = random) -> None:
        """`dice` throws a number from 0 up to but without 1."""
        self._dice = dice
        self._waiting: asyncio.Queue[Drawn] = asyncio.Queue(MOST_WAITING)

    def draw(self, order: Order, completion: Completion, bought: Exchange) -> None:
        """Keeps the request if chance will have it, and if there is a second model to ask."""
        if self._dice() >= order.snapshot.shadow_share or self._waiting.full():
            return
        drawn = _drawn(order, completion, bought)
        if drawn is not None:
            self._waiting.put_nowait(drawn)

    async def next(self) -> Drawn:
        """The one that has waited longest, as soon as there is one."""
        return await self._waiting.get()


def _drawn(order: Order, completion: Completion, bought: Exchange) -> Drawn | None:
    plan, catalogue = order.draft.plan, order.snapshot.catalogue
    baseline = catalogue.find(catalogue.baseline or "")
    if plan is None or baseline is None or not _is_comparable(order, plan, completion, bought):
        return None
    if order.draft.unserved is not None:
        first, said = order.draft.unserved
        return Drawn(order, completion.text, bought, baseline, first, said.text) if is_whole(said) else None
    other = baseline
    if bought.model == baseline.name:
        challenger = catalogue.find(_challenger(plan, baseline))
        if challenger is None:
            return None
        other = challenger
    if not _may_answer(order, plan, other):
        return None
    return Drawn(order, completion.text, bought, baseline, other)


def _is_comparable(order: Order, plan: Plan, completion: Completion, bought: Exchange) -> bool:
    """Whether a strategy chose the model, and the answer is a whole text to a text that may be kept.

    Requests in experiments are left alone, and so are those under an idempotency key: nothing of theirs is done twice.
    """
    chat, call = order.chat, order.call
    if plan.strategy == "passthrough" or order.draft.part is not None or call.directives.idempotency_key:
        return False
    if chat.tools or chat.n > 1 or chat.logprobs or chat.untranslatable or chat.has_unseen:
        return False
    if "images" in plan.needs.capabilities or len(call.body) > LARGEST_BODY or not order.snapshot.keep_prompts:
        return False
    return bought.status == "ok" and is_whole(completion) and bool(last_user_text(chat.messages))


def is_whole(completion: Completion) -> bool:
    """Whether there is something to compare, up to its end."""
    return completion.is_complete and bool(completion.text)


def _challenger(plan: Plan, baseline: Model) -> str:
    """Whom the baseline is compared with: the model that a promise is about, or the plan's cheapest; may be empty."""
    if promise := plan.metadata.get("promise"):
        return str(promise["challenger"])
    costs = {
        candidate.model: candidate.estimated_cost
        for candidate in plan.candidates
        if candidate.rank is not None and candidate.estimated_cost is not None and candidate.model != baseline.name
    }
    return min(costs, key=costs.__getitem__, default="")


def _may_answer(order: Order, plan: Plan, other: Model) -> bool:
    """Whether the model can be told the request, has a price to be held, and is one that this caller may use."""
    needs, allowed = plan.needs, order.draft.caller.allowed_models
    if allowed is not None and other.name not in allowed:
        return False
    if other.price is None or order.provider(other).is_locked:
        return False
    return needs.capabilities <= other.capabilities and bool(fitting([other], needs.tokens_in + needs.tokens_out))
