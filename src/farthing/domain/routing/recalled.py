"""A request of the past, decided anew from what the ledger tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from farthing.domain.catalogue import TIERS, Catalogue, Tier
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.complexity import confidence_of
from farthing.domain.routing.foresight import Foreteller
from farthing.domain.routing.learning.predictor import Outlook
from farthing.domain.routing.needs import LIKELY_TOKENS_OUT
from farthing.domain.routing.plan import Needs, Plan
from farthing.domain.routing.selection import MAY_BE_TOO_WEAK, Pool


class Recalled:
    """What complexity decides, by the score and the tier that were written down: the words alone would not tell them.

    The conversation around the question, its tools and its pictures are not kept; `unable` tells what they demanded.
    """

    name = "complexity"

    def __init__(self, tier: Tier | None, score: float | None, tokens_in: int) -> None:
        self._tier: Tier = tier or TIERS[0]
        self._score = score
        self._needs = Needs(tokens_in=tokens_in, tokens_out=LIKELY_TOKENS_OUT[self._tier], max_tokens=None)

    def plan(
        self,
        chat: ChatRequest,  # noqa: ARG002 (all that it told is written down)
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,  # noqa: ARG002 (a score of words predicts no quality)
    ) -> Plan:
        """As `Complexity.plan` for the request as it was; raises as that does."""
        choice = Pool(catalogue).choose(self._needs, self._tier, allowed)
        known = self._score is not None and choice.is_strong
        return Plan(
            models=choice.models,
            strategy=self.name,
            confidence=confidence_of(self._score or 0.0) if known else "low",
            reason=f"{self._tier.capitalize()}; {choice.because}.",
            needs=self._needs,
            candidates=choice.candidates,
            tier=self._tier,
            score=self._score,
            metadata={"decided_by": self.name},
        )


class Considered(Struct, frozen=True):
    """What matters here of a candidate, as far as it is written down."""

    model: str
    reason: str = ""
    rank: int | None = None


class AsForetold:
    """What a predictor tells of one prompt, with the qualities that were foretold when it was asked in their place.

    Those were foretold by what was learned before: the answer itself and its rating had no part in them.
    """

    def __init__(self, predictor: Foreteller, expected: Mapping[str, float]) -> None:
        """`expected` is the quality (0..1) of each model as it was written down."""
        self._predictor = predictor
        self._expected = expected
        self.models = predictor.models

    def outlook(self, text: str) -> Outlook:
        """As the predictor's, but for the qualities."""
        told = self._predictor.outlook(text)
        forecasts = {
            name: forecast._replace(quality=self._expected.get(name, forecast.quality))
            for name, forecast in told.forecasts.items()
        }
        return Outlook(forecasts, told.near)


def unable(candidates: Iterable[Considered]) -> frozenset[str]:
    """The models that could not have answered: for want of a capability or of room, or the key may not use them."""
    lost = (one for one in candidates if one.rank is None and one.reason)
    return frozenset(one.model for one in lost if not one.reason.endswith(MAY_BE_TOO_WEAK))
