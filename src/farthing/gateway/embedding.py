"""Prompts are embedded before what was learned decides, where that reads embeddings."""

from __future__ import annotations

from farthing.domain.catalogue import VIRTUAL_MODELS
from farthing.domain.routing import strategy_for
from farthing.domain.tokens import last_user_text
from farthing.gateway.order import Order
from farthing.ports.embedding import Embedder


async def embed(order: Order, embedder: Embedder) -> None:
    """Waits for the embedding of a prompt that a strategy will decide by what was learned."""
    part, model = order.draft.part, order.chat.model
    wanted = model if part is None else part.model or f"farthing/{part.arm.strategy}"
    if wanted in VIRTUAL_MODELS and strategy_for(wanted, order.snapshot.strategy) != "complexity":
        await embedder.embed(last_user_text(order.chat.messages))
        # Whether an experiment's arms could answer was asked before it was there.
        order.plans.clear()
