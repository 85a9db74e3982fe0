"""What was learned, as requests are decided by it: followed in the database, and kept while that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from farthing.app.ratings import FollowedRatings
from farthing.domain.errors import Unavailable
from farthing.domain.routing import strategies_with
from farthing.domain.routing.learning.embedded import Embedded
from farthing.domain.routing.plan import Strategy
from farthing.store.learning.runs import Runs

if TYPE_CHECKING:
    from farthing.domain.routing.foresight import Foreteller
    from farthing.domain.routing.learning.embedded import Recall
    from farthing.domain.routing.learning.predictor import Predictor
    from farthing.domain.routing.residual import Correction
    from farthing.ports.embedding import Embedder
    from farthing.ports.learning import Learned

logger = logging.getLogger(__name__)

_UNKNOWN = -1
"""No number that anything learned has."""
_WARMING = "What is a farthing?"


class FollowedLearning:
    """Looks whether something else is in force, and loads it beside everything else."""

    def __init__(self, source: Runs, ratings: FollowedRatings, embedder: Embedder | None = None) -> None:
        """`ratings` are told from when on they count; without `embedder` nothing that reads embeddings is used."""
        self.predictor: Predictor | None = None
        self.rated: Mapping[str, int] = {}
        """Rated answers that it has learned from, by model."""
        self.unused: str | None = None
        """Why what is in force cannot be used: nothing learned decides until it is learned anew."""
        self._source = source
        self._number = self._wanted = 0
        self._news = asyncio.Event()
        self._ratings = ratings
        self.embedder: Embedder | None = None
        """What requests wait for before they are decided by what was learned; None where there is no need."""
        self._offered = embedder
        self._made: tuple[Predictor | None, Correction | None, float, Mapping[str, Strategy]] | None = None

    def configure(self, embedder: Embedder | None) -> None:
        """Takes over what embeds from now on: the next look loads anew what is in force."""
        if embedder is not self._offered:
            self._offered, self._number = embedder, _UNKNOWN

    def strategies(self, floor: float) -> Mapping[str, Strategy]:
        """Every strategy by its name; `floor` is the most quality that a cheaper answer may cost."""
        made, predictor, correction = self._made, self.predictor, self._ratings.correction
        if made is None or made[0] is not predictor or made[1] is not correction or made[2] != floor:
            recall = None if self.embedder is None else self.embedder.recall
            foreteller = _corrected(_told(predictor, recall), correction)
            found = strategies_with(foreteller, rated=self.rated, floor=floor)
            self._made = made = predictor, correction, floor, found
        return made[3]

    @property
    def has_news(self) -> bool:
        """Whether something else is in force than what was loaded."""
        return self._wanted != self._number

    async def look(self) -> None:
        """Notes whether there is news, which takes one short question. While the database is away there is none."""
        try:
            self._wanted = await self._source.number()
        except Unavailable:
            return
        if self.has_news:
            self._news.set()

    async def load(self) -> bool:
        """Waits for news and takes it over. False where the database was away: the next look says so again."""
        await self._news.wait()
        self._news.clear()
        wanted, offered = self._wanted, self._offered
        try:
            learned = await self._source.active()
            predictor = None if learned is None else await asyncio.to_thread(_read, learned, offered)
            self.unused = None
        except Unavailable:
            return False
        except ValueError as error:
            logger.warning("what was learned is not used: %s", error)
            learned = predictor = None
            self.unused = str(error)
        self.rated = {} if learned is None else learned.run.rated
        self.predictor, self._number = predictor, wanted if offered is self._offered else _UNKNOWN
        self.embedder = offered if predictor is not None and predictor.reads_embeddings else None
        told = _told(predictor, None if self.embedder is None else self.embedder.told)
        self._ratings.begin(told, 0 if learned is None else learned.run.created_us)
        return True


def _told(predictor: Predictor | None, recall: Recall | None) -> Foreteller | None:
    return predictor if predictor is None or recall is None else Embedded(predictor, recall)


def _corrected(predictor: Foreteller | None, correction: Correction | None) -> Foreteller | None:
    if predictor is None or correction is None:
        return predictor
    from farthing.domain.routing.residual import Corrected

    return Corrected(predictor, correction)


def _read(learned: Learned, embedder: Embedder | None) -> Predictor:
    """The predictor, which has foretold once: what it loads for that is loaded here. Raises ValueError."""
    from farthing.insight.learning.packing import unpacked

    predictor = unpacked(learned.payload)
    if predictor.reads_embeddings:
        if embedder is None:
            raise ValueError("it reads embeddings, which `[learning] embeddings` does not switch on here")
        embedder.told(_WARMING)
    predictor.predict(_WARMING)
    return predictor
