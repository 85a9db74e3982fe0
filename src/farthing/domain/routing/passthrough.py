"""The plan for a model that was asked for by name."""

from __future__ import annotations

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.needs import SURE_OVERFLOW, fitting, read_needs, too_long
from farthing.domain.routing.plan import Candidate, Plan


def concrete(chat: ChatRequest, model: Model, catalogue: Catalogue) -> Plan:
    """A plan of that model alone, whatever the prompt looks like.

    Raises:
        InvalidRequest: The messages are surely longer than its context window; says whether `auto` has a longer one.
    """
    needs = read_needs(chat, "moderate")
    window = model.context_tokens
    if window is not None and needs.tokens_in > window * SURE_OVERFLOW:
        routed = [other for other in catalogue.models.values() if other.routed]
        raise too_long(
            needs, window, "Shorten the messages, or ask for `auto`." if fitting(routed, needs.tokens_in) else None
        )
    chosen = Candidate(
        model=model.name,
        provider=model.provider,
        tier=model.tier,
        estimated_cost=model.price.estimate(needs.tokens_in, needs.tokens_out) if model.price else None,
        estimated_quality=None,
        reason="asked for by name",
        rank=0,
    )
    return Plan(
        models=(model,),
        strategy="passthrough",
        confidence="high",
        reason=f"{model.name} was asked for by name.",
        needs=needs,
        candidates=(chosen,),
    )
