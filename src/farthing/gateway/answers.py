"""The answer cache as the request path uses it: find at once, keep on the side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from farthing.domain.tokens import last_user_text
from farthing.gateway.order import Order
from farthing.ports import AnswerCache, CacheEntry, Clock

PROMPT_SHOWN = 200
"""Characters of the question that are kept for `popular_queries`."""


class Answers:
    """Finds kept answers and keeps new ones without making the caller wait."""

    def __init__(
        self, *, cache: AnswerCache, clock: Clock, spawn: Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._spawn = spawn

    async def find(self, key: str) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it, or None."""
        return await self._cache.find(key)

    def keep(self, order: Order, body: bytes) -> None:
        """Keeps a complete answer, given as the upstream's own bytes."""
        draft = order.draft
        model, exchange, plan = draft.model, draft.exchange, draft.plan
        if model is None or exchange is None or draft.cache_key is None:
            return
        now = self._clock.now_us()
        entry = CacheEntry(
            dialect=model.dialect,
            stream=order.chat.stream,
            body=body,
            provider=model.provider,
            model=model.name,
            cost=exchange.cost,
            created_at_us=now,
            expires_at_us=now + order.snapshot.cache_ttl_us,
            tenant=draft.caller.tenant,
            prompt=last_user_text(order.chat.messages)[:PROMPT_SHOWN],
            strategy=exchange.strategy,
            tier=exchange.tier,
            score=exchange.score,
            confidence=plan.confidence if plan else None,
        )
        self._spawn(self._cache.keep(draft.cache_key, entry), "keep an answer")
