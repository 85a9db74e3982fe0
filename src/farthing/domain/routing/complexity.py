"""The documented complexity score: how demanding a prompt looks, from its features alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from farthing.domain.catalogue import Catalogue, Tier
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.cold import LengthPrior
from farthing.domain.routing.features import read_features
from farthing.domain.routing.needs import read_needs
from farthing.domain.routing.plan import Confidence, Plan
from farthing.domain.routing.selection import Pool
from farthing.domain.tokens import last_user_text

WEIGHTS = {
    "length": 0.60,
    "code": 0.35,
    "mathematics": 0.50,
    "reasoning": 0.65,
    "constraints": 0.25,
    "language": 0.15,
    "turns": 0.30,
    "tools": 0.40,
}
"""The score that each part alone reaches when it is at its most."""

MODERATE_FROM = 0.25
COMPLEX_FROM = 0.55

HIGH_CONFIDENCE = 0.15
MEDIUM_CONFIDENCE = 0.05
"""Distance of the score to the nearest threshold."""

_NOTABLE = 0.08
"""Parts that alone make less of a score than this are not worth a word in the reason."""

_NAMES = {  # all but the length, which the number of words tells
    "code": "code",
    "mathematics": "mathematics",
    "reasoning": "reasoning",
    "constraints": "constraints",
    "language": "a language other than English",
    "turns": "a long conversation",
    "tools": "tools",
}
_THRESHOLDS = {"moderate": MODERATE_FROM, "complex": COMPLEX_FROM}
_EACH_WEIGHT = tuple(WEIGHTS.values())


def score(parts: Iterable[float]) -> float:
    """Complexity 0..1 from the parts in the order of `WEIGHTS`: 1 - Π(1 - weight · part).

    Each part counts by itself, adds to the others, and no number of them comes to more than 1.
    """
    simplicity = 1.0
    for weight, part in zip(_EACH_WEIGHT, parts, strict=True):
        if part:
            simplicity *= 1.0 - weight * part
    return 1.0 - simplicity


def tier_of(complexity: float) -> Tier:
    """The tier of models that a prompt of this score needs."""
    if complexity < MODERATE_FROM:
        return "simple"
    return "moderate" if complexity < COMPLEX_FROM else "complex"


def confidence_of(complexity: float) -> Confidence:
    """How sure the tier is, by the distance of the score to the nearest threshold."""
    distance = min(abs(complexity - MODERATE_FROM), abs(complexity - COMPLEX_FROM))
    if distance >= HIGH_CONFIDENCE:
        return "high"
    return "medium" if distance >= MEDIUM_CONFIDENCE else "low"


class Complexity:
    """Sends a prompt to the cheapest capable model of the tier that its score asks for."""

    name = "complexity"

    def __init__(self, prior: LengthPrior | None = None) -> None:
        """`prior` moves the score; without it the score is of the documented features alone."""
        self._prior = prior
        self._pool = Pool(Catalogue(models={}))

    def plan(
        self,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,  # noqa: ARG002 - a score of words predicts no quality
    ) -> Plan:
        """The models of the tier by price, then those of the tiers above.

        Raises:
            NotFound: No model may be routed to.
            InvalidRequest: None of them can do what the request needs, or fits it into its context window.
        """
        if self._pool.catalogue is not catalogue:
            self._pool = Pool(catalogue)
        parts, extent = read_features(chat)
        complexity = score(parts.values())
        metadata: dict[str, Any] = {"decided_by": "complexity", "parts": parts, "thresholds": _THRESHOLDS}
        if self._prior is not None:
            metadata["before_prior"] = _rounded(complexity)
            complexity = self._prior.moved(complexity, len(last_user_text(chat.messages)))
        tier = tier_of(complexity)
        needs = read_needs(chat, tier)
        choice = self._pool.choose(needs, tier, allowed)
        return Plan(
            models=choice.models,
            strategy="complexity",
            confidence=confidence_of(complexity) if choice.is_strong else "low",
            reason=f"{tier.capitalize()}: {extent}{_seen(parts)}; {choice.because}.",
            needs=needs,
            candidates=choice.candidates,
            tier=tier,
            score=_rounded(complexity),
            metadata=metadata,
        )


def _rounded(complexity: float) -> float:
    return int(complexity * 10_000 + 0.5) / 10_000


def _seen(parts: Mapping[str, float]) -> str:
    """What made the score, the strongest first, as it reads after the number of words."""
    made = [(WEIGHTS[name] * part, name) for name, part in parts.items() if part]
    notable = sorted([pair for pair in made if pair[0] >= _NOTABLE and pair[1] in _NAMES], reverse=True)[:3]
    if not notable:
        return ", little code or mathematics" if parts["code"] or parts["mathematics"] else ", no code or mathematics"
    names = [_NAMES[name] for _, name in notable]
    return f" with {' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)}"
