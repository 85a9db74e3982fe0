"""What a record tells of a call, a plan, a model, and an answer whose vendor tells nothing of its tokens."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from farthing.domain import tokens
from farthing.domain.catalogue import Model
from farthing.domain.chat import Completion, Usage
from farthing.domain.keys import Caller
from farthing.domain.routing.plan import Plan
from farthing.gateway.call import Call


def call_facts(call: Call, caller: Caller) -> dict[str, Any]:
    """Who asked, when, and where."""
    return {
        "request_id": call.request_id,
        "created_at_us": call.received_us,
        "route": call.route,
        "dialect": call.dialect.name,
        "tenant": caller.tenant,
        "key_id": caller.key_id,
        "team": caller.team,
        "tags": dict(call.directives.tags),
        "app": call.app,
    }


def model_facts(model: Model) -> dict[str, Any]:
    """Which model answers, and by which prices."""
    return {
        "provider": model.provider,
        "model": model.name,
        "price_version": model.price.version if model.price else None,
    }


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Why it is asked, but for the candidates."""
    return {
        "strategy": plan.strategy,
        "tier": plan.tier,
        "score": plan.score,
        "confidence": plan.confidence,
        "reason": plan.reason,
        "arm": plan.side,
    }


def estimated(tokens_in: int, completion: Completion | None) -> Usage:
    """Tokens counted here for want of the vendor's figures; those it gave of the input so far are kept."""
    tokens_out = tokens.estimate_completion(completion) if completion else 0
    known = completion.usage if completion else None
    if known is not None and known.tokens_in:
        return replace(known, completion=max(known.completion, tokens_out - known.reasoning), estimated=True)
    return Usage(prompt=tokens_in, completion=tokens_out, estimated=True)
