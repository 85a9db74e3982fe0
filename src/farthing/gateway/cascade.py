"""A cheap model's answer, checked before anybody sees it, or another's where it will not do: all in one request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from msgspec.structs import replace

from farthing.dialects import INBOUND, strict
from farthing.dialects.reading import Reading
from farthing.domain.catalogue import Model
from farthing.domain.errors import FarthingError, UpstreamTimeout
from farthing.domain.routing.cascade import Pair, Verdict, may_cascade, pair_of
from farthing.domain.routing.checking import Check, agreement, check_for, read_probability, self_check
from farthing.domain.routing.needs import read_needs
from farthing.domain.routing.plan import Plan
from farthing.gateway.dispatch import Dispatch, OnComplete
from farthing.gateway.intake import NEVER_KEPT
from farthing.gateway.order import Order
from farthing.gateway.source import StreamSource
from farthing.gateway.whole import Whole

Ask = Callable[[Order, Model], Awaitable[Whole | StreamSource]]

_OURS = INBOUND["native"]
"""What the gateway's own questions come in as: no vendor's dialect, so that each vendor is asked in its own words."""
_STREAM_OPTIONS = "stream_options"


async def checked_answer(dispatch: Dispatch, order: Order, on_complete: OnComplete) -> Whole | StreamSource:
    """As `Dispatch.first_answer`, for a request that a route rule covers: by a cascade where that is allowed and pays.

    Whatever goes wrong once the cheap model has answered, its answer is served.
    """
    draft, chosen = order.draft, order.draft.plan
    pair = _pair_for(order, chosen) if chosen else None
    if pair is None or chosen is None:
        return await dispatch.first_answer(order, on_complete)
    quiet, ask = _unstreamed(order), partial(dispatch.ask, on_complete=on_complete)
    plan = draft.plan = _led(pair, chosen)
    began_us = draft.elapsed_us
    answer = await dispatch.first_answer(quiet, on_complete)
    if not isinstance(answer, Whole) or draft.model != pair.first:
        return answer
    took_us = draft.elapsed_us - began_us
    aside = draft.set_aside(pair.first, answer.completion, "unserved")
    check, score = await _checked(ask, quiet, pair, answer.completion.text)
    verdict = Verdict(pair=pair, check=check, score=score)
    if not verdict.passes:
        draft.plan, draft.unserved = verdict.told(plan), (pair.first, answer.completion)
        try:
            _require_time(order, pair.then, took_us)
            return await ask(order, pair.then)
        except FarthingError as error:
            verdict, draft.unserved = replace(verdict, obstacle=error.code), None
    draft.plan = verdict.told(plan)
    draft.take_back(aside)
    return answer


def _pair_for(order: Order, plan: Plan) -> Pair | None:
    """The models of the cascade. None where there is none for this request.

    A budget near its end wants the cheaper model anyway, and what a request may cost holds for all calls together.
    """
    rule, draft, call, chat = order.rule, order.draft, order.call, order.chat
    if rule is None or not rule.cascade or (chat.stream and not rule.cascade_streams):
        return None
    if draft.is_thrifty or order.ceiling is not None or call.dialect.name in NEVER_KEPT:
        return None
    if not may_cascade(chat):
        return None
    return pair_of(plan, is_bound=call.directives.quality_floor is not None, weights=order.snapshot.check_weights)


def _led(pair: Pair, plan: Plan) -> Plan:
    """The plan with the first of the pair in front."""
    return replace(plan, models=(pair.first, *[model for model in plan.models if model != pair.first]))


def _unstreamed(order: Order) -> Order:
    """The same order for a whole answer."""
    reading = order.reading
    if not order.chat.stream:
        return order
    body = reading.body
    if _STREAM_OPTIONS in reading.tree:
        body = strict.without(body, _STREAM_OPTIONS)
    reading = Reading(order.call.dialect, strict.splice(body, {"stream": False}))
    return replace(order, reading=reading, chat=reading.chat)


async def _checked(ask: Ask, order: Order, pair: Pair, text: str) -> tuple[Check | None, float | None]:
    """How the first model's answer is checked, and its score.

    None where there is nothing to check, or it cannot be done or would be paid for in vain: no score would be enough.
    """
    if not text.strip():
        return None, None
    model, check = pair.first, check_for(order.chat, text)
    if pair.belief(check, 1.0) < pair.least:
        return check, None
    try:
        if check == "agreement":
            return check, agreement(text, await _asked(ask, order, model))
        return check, read_probability(await _doubt(ask, order, model, text))
    except FarthingError:
        return check, None


async def _doubt(ask: Ask, order: Order, model: Model, text: str) -> str:
    """What the model says of its own answer. Raises `FarthingError`."""
    question = self_check(order.chat, text, model)
    order.draft.question = read_needs(question, "simple")
    try:
        return await _asked(ask, replace(order, call=replace(order.call, dialect=_OURS), chat=question), model)
    finally:
        order.draft.question = None


async def _asked(ask: Ask, order: Order, model: Model) -> str:
    """What the model answers to a check, which is paid for beside the caller's answer. Raises `FarthingError`."""
    # What is asked for no stream is answered whole.
    answer = cast("Whole", await ask(order, model))
    order.draft.set_aside(model, answer.completion, "check")
    return answer.completion.text


def _require_time(order: Order, model: Model, took_us: int) -> None:
    """Raises `UpstreamTimeout` where the model has less time left than the one before took."""
    left_us = order.provider(model).deadlines.total * 1e6 - order.draft.elapsed_us
    if left_us <= took_us:
        raise UpstreamTimeout("Too little time is left for a second answer.")
