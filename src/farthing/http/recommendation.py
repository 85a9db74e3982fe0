"""What would be chosen for a prompt, and why, without asking anybody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.routing import strategy_for
from farthing.domain.routing.plan import Candidate, Plan
from farthing.gateway.native import usd
from farthing.http.headers import Headers, directives
from farthing.http.policy import caller_of
from farthing.http.services import services_of

Prompt = Annotated[str, Query(min_length=1, max_length=100_000, description="What would be asked.")]


async def recommendation(request: Request, prompt: Prompt) -> dict[str, Any]:
    """The configured strategy's choice, with every candidate and why it lost."""
    plan = await _plan(request, prompt, "auto")
    return _decision(plan) | {
        "metadata": _metadata(plan),
        "candidates": [_candidate(candidate) for candidate in plan.candidates],
    }


async def decision(request: Request, prompt: Prompt, *, auto_route: bool = False) -> dict[str, Any]:
    """The choice of complexity alone, or with `auto_route=true` of the configured strategy, as `/complete` has it."""
    plan = await _plan(request, prompt, "auto" if auto_route else "farthing/complexity")
    candidates = [_candidate(candidate) for candidate in plan.candidates]
    return {"decision": _decision(plan), "metadata": _metadata(plan) | {"candidates": candidates}}


async def _plan(request: Request, prompt: str, model: str) -> Plan:
    snapshot = services_of(request).snapshots.current
    chat = ChatRequest(model=model, messages=(Message("user", (Text(prompt),)),))
    name = strategy_for(model, snapshot.strategy)
    if snapshot.embedder is not None and name != "complexity":
        await snapshot.embedder.embed(prompt)
    strategy = snapshot.strategies[name]
    floor = directives(Headers(request.scope["headers"])).quality_floor
    return strategy.plan(chat, snapshot.catalogue, allowed=caller_of(request).allowed_models, floor=floor)


def _decision(plan: Plan) -> dict[str, Any]:
    first = plan.models[0]
    return {
        "provider": first.provider,
        "model": first.name,
        "confidence": plan.confidence,
        "strategy_used": plan.strategy,
        "reasoning": plan.reason,
    }


def _metadata(plan: Plan) -> dict[str, Any]:
    return {
        "complexity": plan.tier,
        "score": plan.score,
        "fallbacks": [model.name for model in plan.models[1:]],
        "estimated_tokens_in": plan.needs.tokens_in,
        "estimated_tokens_out": plan.needs.tokens_out,
        **plan.metadata,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "provider": candidate.provider,
        "model": candidate.model,
        "tier": candidate.tier,
        "rank": candidate.rank,
        "estimated_cost": usd(candidate.estimated_cost),
        "estimated_quality": candidate.estimated_quality,
        "quality_interval": candidate.quality_interval,
        "reason": candidate.reason,
    }
