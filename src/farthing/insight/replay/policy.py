"""The policy that is asked about: which model it would have chosen for a request of the past."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from msgspec import Struct, ValidationError, convert

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.routing.foresight import Expected, Foresight, Foreteller
from farthing.domain.routing.hybrid import Hybrid
from farthing.domain.routing.learned import Learned
from farthing.domain.routing.patterns import pattern_of
from farthing.domain.routing.plan import Needs, Strategy
from farthing.domain.routing.recalled import AsForetold, Considered, Recalled, unable
from farthing.ports.replay import Decided, StrategyName


class Policy(Struct, frozen=True, kw_only=True):
    """What is asked about."""

    strategy: StrategyName
    floor: float
    """0..1, the most quality that a cheaper answer may cost."""
    days: Sequence[tuple[int, Catalogue]]
    """Catalogues by the moment (µs) from which they hold, ascending: the policy's models are those that are routed."""
    repriced: frozenset[str] = frozenset()
    """Models whose price is a supposed one."""

    def catalogue(self, moment_us: int) -> Catalogue:
        """The one of a moment; before the first that one."""
        place = bisect_right(self.days, moment_us, key=lambda day: day[0])
        return self.days[max(0, place - 1)][1]


class Known(Struct, frozen=True):
    """What is learned."""

    predictor: Foreteller
    rated: Mapping[str, int]
    """Rated answers that it has learned from, by model."""
    since_us: int
    """When it was learned: a rating from before may have taught it."""


class Choice(Struct, frozen=True, kw_only=True):
    """What the policy would have chosen."""

    model: Model
    expected: float | None
    """The quality (0..1) foretold of it by what has not seen this answer's rating; None where nothing is."""
    expected_was: float | None
    """The same of the model that answered."""
    longer: float
    """How many times as long its answer is expected to be as the one that was given."""
    propensity: float
    """With which it could have been what answers; 0 where not what was drawn answered, as after a failure."""
    is_drawn: bool
    """Whether what answered is what was first in the plan, and nobody else was asked."""
    is_rating_fresh: bool
    """Whether the rating had no part in the choice."""
    pattern: str


class _Metadata(Struct, frozen=True):
    """The part of a decision's metadata that is read."""

    expected: dict[str, float] = {}
    propensities: dict[str, float] | None = None
    pattern: str | None = None


class _Decision(Struct, frozen=True):
    candidates: tuple[Considered, ...] = ()
    metadata: _Metadata = _Metadata()


class CannotTell(Exception):
    """A request that cannot be decided anew; the message says why, as a row of a table."""


class Chooser:
    """Decides requests anew. Pure."""

    def __init__(self, policy: Policy, known: Known | None) -> None:
        self._policy = policy
        self._known = known
        self._learns = policy.strategy != "complexity" and known is not None

    def choose(self, row: Decided) -> Choice:
        """The policy's choice. Raises `CannotTell`."""
        decision = _read(row)
        if self._learns and not row.prompt:
            raise CannotTell("the question was not kept")
        catalogue = self._policy.catalogue(row.created_at_us)
        metadata, first = decision.metadata, {one.model for one in decision.candidates if one.rank == 0}
        is_drawn = row.is_first and first <= {row.model}
        foresight = self._foresight(metadata.expected)
        strategy = self._strategy(Recalled(row.tier, row.score, row.usage.tokens_in), foresight)
        allowed = frozenset(catalogue.models) - unable(decision.candidates)
        prompt = row.prompt or ""
        chat = ChatRequest(model="auto", messages=(Message("user", (Text(prompt),)),))
        try:
            plan = strategy.plan(chat, catalogue, allowed=allowed)
        except (NotFound, InvalidRequest) as error:
            raise CannotTell("no model of the pool could answer") from error
        model, served = plan.models[0], catalogue.find(row.model)
        told: Mapping[str, Expected] = {}
        if foresight is not None and prompt:
            told = foresight.expect(prompt, [model, *([served] if served else [])], plan.needs)
        is_blind = row.model in metadata.expected or not self._has_taught(row)
        found = metadata.expected | {name: one.quality for name, one in told.items() if is_blind}
        return Choice(
            model=model,
            expected=found.get(model.name),
            expected_was=found.get(row.model),
            longer=_longer(told.get(model.name), told.get(row.model), plan.needs),
            propensity=_propensity(row, metadata, model.name) if is_drawn else 0.0,
            is_drawn=is_drawn,
            is_rating_fresh=is_blind or not self._learns,
            pattern=metadata.pattern or (pattern_of(prompt) if prompt else "unknown"),
        )

    def _foresight(self, expected: Mapping[str, float]) -> Foresight | None:
        known = self._known
        return None if known is None else Foresight(AsForetold(known.predictor, expected), known.rated)

    def _strategy(self, recalled: Recalled, foresight: Foresight | None) -> Strategy:
        if foresight is None or not self._learns:
            return recalled
        learned = Learned(recalled, foresight, self._policy.floor)
        return learned if self._policy.strategy == "learning" else Hybrid(recalled, learned)

    def _has_taught(self, row: Decided) -> bool:
        """Whether what is learned may have learned from this answer's rating."""
        return self._known is not None and row.rated_us is not None and row.rated_us < self._known.since_us


def _read(row: Decided) -> _Decision:
    try:
        return convert(row.decision, _Decision)
    except ValidationError as error:
        raise CannotTell("the decision was written down by another release") from error


def _propensity(row: Decided, metadata: _Metadata, choice: str) -> float:
    """Of the choice; what nobody wrote down was sure."""
    if metadata.propensities is None:
        return float(choice == row.model)
    return metadata.propensities.get(choice, 0.0)


def _longer(choice: Expected | None, served: Expected | None, needs: Needs) -> float:
    """The ratio of the two answers' expected lengths; 1 where one of them is not foretold."""
    lengths = [_length(one, needs) for one in (choice, served)]
    return lengths[0] / lengths[1] if lengths[0] and lengths[1] else 1.0


def _length(one: Expected | None, needs: Needs) -> float:
    """Output tokens that the expected cost pays for; 0 where that is not known."""
    if one is None or one.cost is None or one.model.price is None:
        return 0.0
    rates = one.model.price.rates(needs.tokens_in)
    if not rates.completion:
        return 0.0
    return max(0.0, ((one.cost - rates.per_request) * 1_000_000 - needs.tokens_in * rates.prompt) / rates.completion)
