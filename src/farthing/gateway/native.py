"""The fields of a native answer that come from the record rather than from the model."""

from __future__ import annotations

from typing import Any

from farthing.domain.exchange import Exchange
from farthing.domain.pricing import NANO
from farthing.gateway.recording import Draft


def native_fields(draft: Draft, exchange: Exchange) -> dict[str, Any]:
    """What `/complete` answers beside `response`; money in USD, null where the model is unpriced."""
    plan = draft.plan
    return {
        "request_id": exchange.request_id,
        "provider": exchange.provider,
        "model": exchange.model,
        "strategy_used": exchange.strategy or draft.requested_model,
        "confidence": exchange.confidence,
        "complexity": exchange.tier,
        "complexity_metadata": {"score": exchange.score, **(plan.metadata if plan else {})},
        "routing_metadata": _routing(draft, exchange),
        "tokens_in": exchange.usage.tokens_in,
        "tokens_out": exchange.usage.tokens_out,
        "tokens_estimated": exchange.usage.estimated,
        "cost": usd(exchange.cost),
        "total_cost_today": usd(draft.spent_today),
        "latency_ms": exchange.duration_us / 1000,
        "cache_hit": exchange.cache == "hit",
        "original_cost": usd(exchange.baseline_cost),
        "savings": usd(exchange.savings),
        "cache_key": exchange.cache_key,
        "experiment_assignment": exchange.arm if exchange.experiment_id else None,
    } | _tokenizer(draft)


def _tokenizer(draft: Draft) -> dict[str, Any]:
    """What a request that names a tokenizer gets back; there is none here to count with, so the count stays unknown."""
    tokenizer = draft.native.get("tokenizer_id")
    return {} if tokenizer is None else {"tokenizer_id": tokenizer, "tokenizer_tokens_in": None}


def usd(nano: int | None) -> float | None:
    """Nano-dollars as the dollars that JSON shows."""
    return None if nano is None else nano / NANO


def _routing(draft: Draft, exchange: Exchange) -> dict[str, Any]:
    plan = draft.plan
    if plan is None:
        return {"reason": "An earlier answer to the same question was kept."}
    return {
        "reason": plan.reason,
        "candidates": [
            {"provider": c.provider, "model": c.model, "tier": c.tier, "rank": c.rank, "reason": c.reason}
            for c in plan.candidates
        ],
        "attempts": [
            {"model": a.model, "provider": a.provider, "error": a.error, "outcome": a.outcome or None}
            for a in exchange.attempts
        ],
        "cascade": plan.metadata.get("cascade"),
    }
