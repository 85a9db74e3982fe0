"""Ratings that are newer than the last training, as requests are decided by them: every worker follows them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from farthing.domain.errors import Unavailable
from farthing.ports.learning import Rating, RatingStore

if TYPE_CHECKING:
    from farthing.domain.routing.foresight import Foreteller
    from farthing.domain.routing.residual import Correction, Residual

EACH_TURN = 50
"""Ratings that are taken in at once: some 40 ms of a thread."""


class FollowedRatings:
    """Corrects a predictor by what was rated since its training; all workers by the same ratings in the same order."""

    def __init__(self, source: RatingStore) -> None:
        self.correction: Correction | None = None
        """None until something was rated."""
        self._source = source
        self._predictor: Foreteller | None = None
        self._residual: Residual | None = None
        self._since_us = self._last = 0
        self._waiting: deque[Rating] = deque()

    def begin(self, predictor: Foreteller | None, since_us: int) -> None:
        """Starts anew for a predictor that has learned from what was rated before `since_us` (µs since 1970)."""
        self._predictor, self._since_us, self._last = predictor, since_us, 0
        self.correction = self._residual = None
        self._waiting.clear()

    async def look(self) -> None:
        """Reads what is new; while the database is away nothing is."""
        predictor = self._predictor
        if predictor is None:
            return
        try:
            found = await self._source.ratings(after=self._last, since_us=self._since_us)
        except Unavailable:
            return
        # Meanwhile another may have come.
        if found and predictor is self._predictor:
            self._last = found[-1].id
            self._waiting.extend(found)

    async def learn(self) -> bool:
        """Takes in some of what was read, in a thread. False where nothing is corrected otherwise than before."""
        predictor = self._predictor
        some = [self._waiting.popleft() for _ in range(min(EACH_TURN, len(self._waiting)))]
        if predictor is None or not some:
            return False
        residual, correction = await asyncio.to_thread(_learned, self._residual, predictor, some)
        if predictor is not self._predictor:
            return False
        self._residual, self.correction = residual, correction
        return True


def _learned(residual: Residual | None, predictor: Foreteller, ratings: list[Rating]) -> tuple[Residual, Correction]:
    from farthing.domain.routing.residual import Residual

    residual = residual or Residual(predictor.models)
    for rating in ratings:
        if rating.model in predictor.models and rating.prompt:
            expected = predictor.outlook(rating.prompt).forecasts[rating.model].quality
            residual.learn(rating.prompt, rating.model, rating.quality - expected)
    return residual, residual.correction
