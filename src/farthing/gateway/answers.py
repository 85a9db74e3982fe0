"""The answer cache as the request path uses it: find at once, keep on the side."""

from __future__ import annotations

from farthing.dialects.base import UpstreamDialect
from farthing.domain.exchange import Exchange
from farthing.domain.tokens import last_user_text
from farthing.gateway.order import Order
from farthing.ports import Clock, Spawn
from farthing.ports.answers import AnswerCache, CacheEntry

MOST_WAITING = 1000
"""Answers that wait to be kept far away; more are not, for they can be bought again."""
PROMPT_SHOWN = 200
"""Characters of the question that are kept for `popular_queries`."""


class Answers:
    """Finds kept answers and keeps new ones without making the caller wait."""

    def __init__(self, *, cache: AnswerCache, clock: Clock, spawn: Spawn) -> None:
        self._cache = cache
        self._clock = clock
        self._spawn = spawn
        self._waiting: list[tuple[str, CacheEntry]] = []
        self._is_keeping = False

    def near(self, key: str) -> tuple[CacheEntry, str] | None:
        """As `find`, where it takes no waiting."""
        return self._cache.near(key)

    def has(self, key: str, entry: CacheEntry) -> bool:
        """Whether this very entry is the one that `near` finds."""
        found = self._cache.near(key)
        return found is not None and found[0] is entry

    async def find(self, key: str, order: Order) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it, or None.

        An answer that another worker buys at this moment is waited for, unless it is wanted as a stream: that would
        be silent until its end. Looks near once more: an identical request may have been answered meanwhile.
        """
        if self._cache.lacks(key):
            return None
        return await self._cache.find(key, waits=not order.chat.stream) or self._cache.near(key)

    def leave(self, key: str) -> None:
        """Nobody here is buying the answer any more: other workers need not wait for it."""
        if self._cache.has_turn(key):
            self._spawn(self._cache.give_up(key), "give up a turn")

    def keep(
        self, key: str, order: Order, bought: Exchange, dialect: UpstreamDialect, body: bytes, *, is_stream: bool
    ) -> None:
        """Keeps a complete answer under `key`, given as the upstream's own bytes, which are a stream or whole."""
        now = self._clock.now_us()
        entry = CacheEntry(
            dialect=dialect.name,
            stream=is_stream,
            body=body,
            provider=bought.provider or "",
            model=bought.model or "",
            cost=bought.cost,
            created_at_us=now,
            expires_at_us=now + order.snapshot.cache_ttl_us,
            tenant=bought.tenant,
            prompt=last_user_text(order.chat.messages)[:PROMPT_SHOWN],
            strategy=bought.strategy,
            tier=bought.tier,
            score=bought.score,
            confidence=bought.confidence,
        )
        self._cache.hold(key, entry)
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((key, entry))
        if not self._is_keeping:
            self._is_keeping = True
            self._spawn(self._keep_all(), "keep answers")

    async def _keep_all(self) -> None:
        """One task keeps them all on the farther levels, those together that came while it kept others."""
        try:
            while self._waiting:
                answers, self._waiting = self._waiting, []
                await self._cache.keep(answers)
        finally:
            self._is_keeping = False
