"""Requests that were decided anew, in columns: a few numbers each, however many there are."""

from __future__ import annotations

from array import array
from collections import Counter
from math import nan
from typing import TYPE_CHECKING, Any

from farthing.insight.replay.costing import Cost
from farthing.insight.replay.policy import Choice
from farthing.ports.replay import Decided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from farthing.domain.stats.offpolicy import Replayed


class Tally:
    """Takes in one request after the other."""

    def __init__(self) -> None:
        self.left_out = Counter[str]()
        """Requests that could not be decided anew, by why."""
        self.models: list[str] = []
        self.patterns: list[str] = []
        self.unpriced = self.unlogged = self.stale = 0
        """Requests without a cost, without propensities, and with a rating that the choice had learned from."""
        self._numbers: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._model, self._choice, self._pattern = array("q"), array("q"), array("q")
        self._is_exact, self._is_priced, self._is_same = array("b"), array("b"), array("b")
        self._cost_was, self._cost_would = array("q"), array("q")
        self._expected_was, self._expected, self._rating, self._propensity = (array("d") for _ in range(4))

    def __len__(self) -> int:
        return len(self._model)

    def add(self, row: Decided, choice: Choice, cost: Cost | None) -> None:
        """One that was decided anew."""
        self._model.append(_number(row.model, self._numbers, self.models))
        self._choice.append(_number(choice.model.name, self._numbers, self.models))
        self._pattern.append(_number(choice.pattern, self._kinds, self.patterns))
        self.unpriced += cost is None
        self._is_priced.append(cost is not None)
        self._is_exact.append(cost is not None and cost.is_exact)
        self._cost_was.append(cost.was if cost else 0)
        self._cost_would.append(cost.would if cost else 0)
        self._is_same.append(choice.is_drawn and choice.model.name == row.model)
        self._propensity.append(choice.propensity)
        self._expected_was.append(nan if choice.expected_was is None else choice.expected_was)
        self._expected.append(nan if choice.expected is None else choice.expected)
        self.unlogged += "propensities" not in (row.decision.get("metadata") or {})
        self.stale += row.rating is not None and not choice.is_rating_fresh
        self._rating.append(row.rating if row.rating is not None and choice.is_rating_fresh else nan)

    def columns(self) -> dict[str, NDArray[Any]]:
        """By name: `model`, `choice`, `pattern`, `is_exact`, `is_priced`, and the costs `was` and `would`."""
        import numpy as np

        return {
            "model": np.array(self._model),
            "choice": np.array(self._choice),
            "pattern": np.array(self._pattern),
            "is_exact": np.array(self._is_exact, dtype=bool),
            "is_priced": np.array(self._is_priced, dtype=bool),
            "was": np.array(self._cost_was),
            "would": np.array(self._cost_would),
        }

    def replayed(self) -> Replayed:
        """The requests as their quality is estimated from them.

        An answer is taken to be rated by chance, with the share of its pattern. Of a model of which nothing is foretold
        the mean of its other ratings is expected, of one without any that of all others.
        """
        import numpy as np

        from farthing.domain.stats.offpolicy import Replayed

        model, choice, pattern = np.array(self._model), np.array(self._choice), np.array(self._pattern)
        rating, is_same = np.array(self._rating), np.array(self._is_same, dtype=bool)
        is_rated = ~np.isnan(rating)
        known = np.where(is_rated, rating, 0.0)
        sums, counts = (np.bincount(model, each, len(self.models)) for each in (known, is_rated))
        mine = _mean(sums[model] - known, counts[model] - is_rated, known.sum() - known, is_rated.sum() - is_rated)
        others = _mean(sums, counts, known.sum(), is_rated.sum())[choice]
        was, would = np.array(self._expected_was), np.array(self._expected)
        was = np.where(np.isnan(was), mine, was)
        would = np.where(is_same, was, np.where(np.isnan(would), others, would))
        share = np.bincount(pattern, is_rated) / np.bincount(pattern)
        return Replayed(
            was=was,
            would=would,
            rating=rating,
            is_same=is_same,
            propensity=np.array(self._propensity),
            rated=share[pattern],
            model=model,
            choice=choice,
        )


def _number(name: str, numbers: dict[str, int], names: list[str]) -> int:
    """The place of a name among those that were met."""
    found = numbers.setdefault(name, len(names))
    if found == len(names):
        names.append(name)
    return found


def _mean(sums: Any, counts: Any, all_sums: Any, all_counts: Any) -> Any:  # noqa: ANN401 (arrays, or numbers for all)
    """Of a model's ratings; of all where it has none, and one half where nobody has."""
    import numpy as np

    overall = np.where(np.maximum(all_counts, 0) > 0, all_sums / np.maximum(all_counts, 1), 0.5)
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall)
