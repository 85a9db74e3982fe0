"""The strategy that knows from recorded answers what each model is worth for a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Catalogue, Model
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.foresight import Expected, Foresight, confidence_in
from farthing.domain.routing.patterns import pattern_of
from farthing.domain.routing.plan import Candidate, Plan, Strategy
from farthing.domain.routing.ranking import Bar, candidates_of, rank, sentence
from farthing.domain.routing.selection import MAY_BE_TOO_WEAK, Offer, Pool, candidate_of, lost, offers_of
from farthing.domain.routing.unlearned import unlearned
from farthing.domain.tokens import last_user_text

NOTHING_OF_THESE = "nothing learned yet of these models"
"""Why a predictor that knows other models than those that can answer does not decide."""
_UNKNOWN = "nothing is known of its quality yet"


class Learned:
    """Sends a prompt to the cheapest model that is expected to be as good as the best, but for the floor."""

    name = "learning"

    def __init__(self, instead: Strategy, foresight: Foresight, floor: float) -> None:
        """`instead` decides where nothing is known; `floor` (0..1) holds where a request has none of its own."""
        self._instead = instead
        self._foresight = foresight
        self._floor = floor
        self._pool = Pool(Catalogue(models={}))

    def plan(
        self,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,
    ) -> Plan:
        """The models by what is expected of them, then those of which nothing is known. Raises as the other does."""
        plan = self._instead.plan(chat, catalogue, allowed=allowed)
        found = self.revised(plan, chat, catalogue, allowed=allowed, floor=floor)
        return unlearned(plan, self.name, NOTHING_OF_THESE) if found is None else found

    def revised(
        self,
        plan: Plan,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None,
        floor: float | None,
    ) -> Plan | None:
        """What is made of another strategy's plan; None where nothing is known of any model that can answer."""
        if self._pool.catalogue is not catalogue:
            self._pool = Pool(catalogue)
        text, able = last_user_text(chat.messages), self._pool.able(plan.needs, allowed)
        if not text or not self._foresight.knows(able):
            return None
        baseline = catalogue.compared
        expected = self._foresight.expect(text, able if baseline is None else [*able, baseline], plan.needs)
        known = [expected[model.name] for model in able if model.name in expected]
        priced = [one for one in known if one.cost is not None] or known
        bar = Bar.of(priced, None if baseline is None else expected.get(baseline.name), self._default(floor))
        groups = rank(priced, bar)
        offers, weak = _others(able, priced, expected, plan)
        candidates = [*candidates_of(groups, bar), *_behind(offers, expected, len(priced)), *weak]
        candidates += self._pool.left_out(candidates, plan.needs, plan.tier or TIERS[0], allowed)
        return replace(
            plan,
            models=(*(one.model for group in groups for one in group), *(offer.model for offer in offers)),
            strategy=self.name,
            confidence=confidence_in((groups[0][0], expected[bar.model])),
            reason=sentence(groups, bar),
            candidates=tuple(candidates),
            metadata=plan.metadata
            | {
                "decided_by": self.name,
                "pattern": pattern_of(text),
                "floor": bar.floor,
                "least": round(bar.quality - bar.floor, 4),
                "expected": {one.model.name: round(one.quality, 4) for one in known},
            },
        )

    def _default(self, floor: float | None) -> float:
        return self._floor if floor is None else floor


def _others(
    able: Sequence[Model], ranked: Sequence[Expected], expected: Mapping[str, Expected], plan: Plan
) -> tuple[list[Offer], list[Candidate]]:
    """The models that follow those that are ranked, and those that are too weak to be asked on no knowledge."""
    names = {one.model.name for one in ranked}
    weak, strong = offers_of([model for model in able if model.name not in names], plan.needs, plan.tier or TIERS[0])
    known = [offer for offer in weak if offer.name in expected]
    unknown = [offer for offer in weak if offer.name not in expected]
    too_weak = [lost(offer, f"{_UNKNOWN}, and tier {offer.model.tier} {MAY_BE_TOO_WEAK}") for offer in unknown]
    return sorted([*known, *strong]), too_weak


def _behind(offers: Sequence[Offer], expected: Mapping[str, Expected], places: int) -> list[Candidate]:
    """Models that come after so many that are ranked by what is expected of them."""
    candidates = []
    for place, offer in enumerate(offers, places):
        found = expected.get(offer.name)
        if found is None:
            candidates.append(candidate_of(offer, _UNKNOWN, place))
        else:
            reason = f"expected quality {found.quality:.2f}, but no price, so priced models come first"
            quality = {"estimated_quality": round(found.quality, 4), "quality_interval": found.interval}
            candidates.append(replace(candidate_of(offer, reason, place), **quality))
    return candidates
