"""Asks a second model what a caller has asked, and a judge which answer is better."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest
from farthing.domain.errors import FarthingError, NotFound, Unavailable
from farthing.domain.judging import Verdict, qualities, question, verdict_in
from farthing.domain.routing.patterns import pattern_of
from farthing.domain.tokens import last_user_text
from farthing.gateway.errand import Errands
from farthing.gateway.lessons import Lessons
from farthing.gateway.shadows import Drawn, Shadows, is_whole
from farthing.gateway.snapshot import Snapshots
from farthing.ports import Feedback
from farthing.ports.learning import Comparisons, Pair

logger = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Pairs that wait for the database; the oldest go first."""


class Comparing:
    """One worker's comparisons. What is under way when the gateway stops is given up."""

    def __init__(
        self,
        *,
        snapshots: Snapshots,
        shadows: Shadows,
        errands: Errands,
        lessons: Lessons,
        comparisons: Comparisons,
        feedback: Feedback,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        """`flush` brings to the database what was bought, so that it can be rated."""
        self._snapshots = snapshots
        self._shadows = shadows
        self._errands = errands
        self._lessons = lessons
        self._comparisons = comparisons
        self._feedback = feedback
        self._flush = flush
        self._waiting: list[tuple[Pair, str]] = []

    async def work(self) -> None:
        """For ever compares what is drawn; a model or a budget that refuses ends that comparison and no other."""
        while True:
            drawn = await self._shadows.next()
            try:
                await self._compare(drawn)
            except FarthingError as error:
                logger.info("an answer of %s was not compared: %s", drawn.exchange.model, error)

    async def keep(self) -> None:
        """Writes down what was found; while the database is away it waits."""
        if not self._waiting:
            return
        with suppress(Unavailable):
            await self._flush()
            while self._waiting:
                await self._write(*self._waiting[0])
                del self._waiting[0]
        del self._waiting[:-MOST_WAITING]

    async def _compare(self, drawn: Drawn) -> None:
        order = drawn.order
        judge = order.snapshot.catalogue.find(order.snapshot.judge or "")
        # Of what was drawn before it was switched off nothing is bought: there is no budget for it any more.
        is_wanted = self._snapshots.current.shadow_share > 0
        if judge is None or not is_wanted or not await self._has_room(drawn, judge):
            return
        other = await self._other(drawn)
        if other is None:
            return
        forward, its_cost = await self._verdict(drawn, judge, drawn.answer, other.text)
        if forward is None:
            return
        backward, more = await self._verdict(drawn, judge, other.text, drawn.answer)
        if backward is not None:
            spent = other.cost, its_cost, more
            cost = None if None in spent else sum(each or 0 for each in spent)
            self._waiting.append((_pair(drawn, other, qualities(forward, backward), cost), judge.name))

    async def _other(self, drawn: Drawn) -> _Other | None:
        """What the second model says; None where that is no whole answer. Raises `FarthingError`."""
        if drawn.bought is not None:
            return _Other(drawn.exchange.request_id, drawn.bought, 0)
        found = await self._errands.buy(
            "shadow", drawn.order.chat, drawn.other, tenant=drawn.exchange.tenant, under=drawn.order.snapshot
        )
        self._lessons.note(found.order, found.exchange)
        if not is_whole(found.completion):
            return None
        return _Other(found.exchange.request_id, found.completion.text, found.exchange.cost)

    async def _has_room(self, drawn: Drawn, judge: Model) -> bool:
        """Whether the day's budgets hold the errands; what is refused for money beforehand leaves no row."""
        chat, tenant = drawn.order.chat, drawn.exchange.tenant
        asked = question(judge.name, chat.messages, drawn.answer, drawn.answer)
        has_room = self._errands.has_room
        if drawn.bought is None and not await has_room("shadow", chat, drawn.other, tenant=tenant):
            return False
        return await has_room("judge", asked, judge, tenant=tenant)

    async def _verdict(self, drawn: Drawn, judge: Model, first: str, second: str) -> tuple[Verdict | None, int | None]:
        """What the judge says of two answers in this order, and what that cost in nano-dollars."""
        asked: ChatRequest = question(judge.name, drawn.order.chat.messages, first, second)
        bought = await self._errands.buy(
            "judge", asked, judge, tenant=drawn.exchange.tenant, under=drawn.order.snapshot
        )
        return verdict_in(bought.completion.text), bought.exchange.cost

    async def _write(self, pair: Pair, judge: str) -> None:
        await self._comparisons.keep(pair)
        rated = {pair.request_id: pair.served_quality}
        # Where both answers are one request's, the rating is the served one's.
        rated.setdefault(pair.other_request_id, pair.other_quality)
        for request_id, quality in rated.items():
            try:
                await self._feedback.rate(
                    request_id, 1 + 4 * quality, tenant=pair.tenant, principal=f"judge:{judge}", source="judge"
                )
            except NotFound:
                logger.info("request %s cannot be rated any more", request_id)


class _Other(NamedTuple):
    """An answer that the served one is compared with."""

    request_id: str
    text: str
    cost: int | None
    """Nano-dollars that it takes beside the request; None where unpriced."""


def _pair(drawn: Drawn, other: _Other, found: tuple[float, float], cost: int | None) -> Pair:
    order, served = drawn.order, drawn.exchange
    promise = order.draft.plan.metadata.get("promise", {}) if order.draft.plan else {}
    # A fallback that answered is not whom the promise is about.
    is_its = promise.get("challenger") in {served.model, drawn.other.name}
    served_quality, other_quality = found
    return Pair(
        request_id=served.request_id,
        other_request_id=other.request_id,
        created_at_us=served.created_at_us,
        tenant=served.tenant,
        rule=order.rule.name if order.rule else "",
        pattern=pattern_of(last_user_text(order.chat.messages)),
        served_model=served.model or "",
        other_model=drawn.other.name,
        baseline_model=drawn.baseline.name,
        served_quality=served_quality,
        other_quality=other_quality,
        short=promise.get("short") if is_its else None,
        cost=cost,
    )
