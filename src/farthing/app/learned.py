"""What was learned, as requests are decided by it: followed in the database, and kept while that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from farthing.app.ratings import FollowedRatings
from farthing.domain.errors import Unavailable
from farthing.domain.routing import strategies_with
from farthing.domain.routing.plan import Strategy
from farthing.store.learning.runs import Runs

if TYPE_CHECKING:
    from farthing.domain.routing.foresight import Foreteller
    from farthing.domain.routing.learning.predictor import Predictor
    from farthing.domain.routing.residual import Correction
    from farthing.ports.learning import Learned

logger = logging.getLogger(__name__)


class FollowedLearning:
    """Looks whether something else is in force, and loads it beside everything else."""

    def __init__(self, source: Runs, ratings: FollowedRatings) -> None:
        """`ratings` are told from when on they count."""
        self.predictor: Predictor | None = None
        self.rated: Mapping[str, int] = {}
        """Rated answers that it has learned from, by model."""
        self.is_lost = False
        """Whether something is in force that cannot be used: nothing learned decides until it is learned anew."""
        self._source = source
        self._number = self._wanted = 0
        self._news = asyncio.Event()
        self._ratings = ratings
        self._made: tuple[Predictor | None, Correction | None, float, Mapping[str, Strategy]] | None = None

    def strategies(self, floor: float) -> Mapping[str, Strategy]:
        """Every strategy by its name; `floor` is the most quality that a cheaper answer may cost."""
        made, predictor, correction = self._made, self.predictor, self._ratings.correction
        if made is None or made[0] is not predictor or made[1] is not correction or made[2] != floor:
            foreteller = _corrected(predictor, correction)
            found = strategies_with(foreteller, rated=self.rated, floor=floor)
            self._made = made = predictor, correction, floor, found
        return made[3]

    async def look(self) -> None:
        """Notes whether there is news, which takes one short question. While the database is away there is none."""
        try:
            self._wanted = await self._source.number()
        except Unavailable:
            return
        if self._wanted != self._number:
            self._news.set()

    async def load(self) -> bool:
        """Waits for news and takes it over. False where the database was away: the next look says so again."""
        await self._news.wait()
        self._news.clear()
        wanted = self._wanted
        try:
            learned = await self._source.active()
            predictor = None if learned is None else await asyncio.to_thread(_read, learned)
            self.is_lost = False
        except Unavailable:
            return False
        except ValueError as error:
            logger.warning("what was learned is not used: %s", error)
            learned = predictor = None
            self.is_lost = True
        models = {} if learned is None else learned.run.summary.get("models", {})
        self.rated = {model: figures["labels"] for model, figures in models.items()}
        self.predictor, self._number = predictor, wanted
        self._ratings.begin(predictor, 0 if learned is None else learned.run.created_us)
        return True


def _corrected(predictor: Predictor | None, correction: Correction | None) -> Foreteller | None:
    if predictor is None or correction is None:
        return predictor
    from farthing.domain.routing.residual import Corrected

    return Corrected(predictor, correction)


def _read(learned: Learned) -> Predictor:
    """The predictor, which has foretold once: what it loads for that is loaded here. Raises ValueError."""
    from farthing.insight.learning.packing import unpacked

    predictor = unpacked(learned.payload)
    predictor.predict("What is a farthing?")
    return predictor
