"""Counting tokens for a model whose vendor is not asked: by our own estimate, at no cost."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.dialects import COUNT_TOKENS
from farthing.dialects.anthropic.count_tokens import estimated
from farthing.domain.chat import Completion, Usage
from farthing.gateway.order import Order
from farthing.gateway.whole import Whole


def counted(order: Order) -> Whole | None:
    """The count, None where the first model's vendor counts itself; no other model is asked in its place.

    Raises `InvalidRequest` for content that the model's vendor could not be sent.
    """
    draft = order.draft
    if draft.plan is None:
        return None
    [model, *_] = draft.plan.models
    draft.plan = replace(draft.plan, models=(model,))
    if order.upstream(order.provider(model)) is COUNT_TOKENS:
        return None
    draft.model = model
    body = estimated(order.reading.tree)
    said = Completion(id="", model=model.name, choices=(), usage=Usage(estimated=True))
    return Whole(dialect=COUNT_TOKENS, body=body, relayed=body, completion=said)
