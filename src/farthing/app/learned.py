"""What was learned, as requests are decided by it: followed in the database, and kept while that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from farthing.domain.errors import Unavailable
from farthing.domain.routing import strategies_with
from farthing.domain.routing.plan import Strategy
from farthing.store.learning.runs import Runs

if TYPE_CHECKING:
    from farthing.domain.routing.learning.predictor import Predictor
    from farthing.ports.learning import Learned

logger = logging.getLogger(__name__)


class FollowedLearning:
    """Looks whether something else is in force, and loads it beside everything else."""

    def __init__(self, source: Runs) -> None:
        self.predictor: Predictor | None = None
        self.rated: Mapping[str, int] = {}
        """Rated answers that it has learned from, by model."""
        self.is_lost = False
        """Whether something is in force that cannot be used: nothing learned decides until it is learned anew."""
        self._source = source
        self._number = self._wanted = 0
        self._news = asyncio.Event()
        self._made: tuple[Predictor | None, float, Mapping[str, Strategy]] | None = None

    def strategies(self, floor: float) -> Mapping[str, Strategy]:
        """Every strategy by its name; `floor` is the most quality that a cheaper answer may cost."""
        made = self._made
        if made is None or made[0] is not self.predictor or made[1] != floor:
            found = strategies_with(self.predictor, rated=self.rated, floor=floor)
            self._made = made = self.predictor, floor, found
        return made[2]

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
        return True


def _read(learned: Learned) -> Predictor:
    """The predictor, which has foretold once: what it loads for that is loaded here. Raises ValueError."""
    from farthing.insight.learning.packing import unpacked

    predictor = unpacked(learned.payload)
    predictor.predict("What is a farthing?")
    return predictor
