"""What other choices would have been worth, from answers that were chosen otherwise: doubly robust, with an interval.

The ledger's own requests are the population. An answer that was drawn and rated is a sample of it by chance, each for
itself, with probability π: the propensity of the choice times the chance of a rating. What is foretold of the choice,
plus what the sample says that this is off by, each weighted with 1/π, is the difference estimator under Poisson
sampling (Särndal, Swensson and Wretman 1992, sections 3.5 and 6.3), the doubly robust one of Dudík, Langford and Li
(2011) with known propensities: right however wrong what is foretold, and narrow where that is right.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.stats.columns import total
from farthing.domain.stats.distributions import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
LEAST_CHANCE = 1e-6
"""What is rarer never happens."""


class Worth(Struct, frozen=True):
    """A mean over all requests, and how sure it is."""

    mean: float
    interval: tuple[float, float]
    """Covers what the mean of all would be in 95% of cases."""
    effective: float
    """Rated answers of equal weight that would say as much: (Σw)²/Σw² (Kish 1965, section 11.7)."""


class Replayed(Struct, frozen=True, kw_only=True):
    """Requests, one a row in each column, as numpy arrays of one length."""

    was: NDArray[Any]
    """What was foretold of the answer that was given, 0..1."""
    would: NDArray[Any]
    """What is foretold of the choice, 0..1."""
    rating: NDArray[Any]
    """What the answer that was given was worth, 0..1; NaN where nobody rated it."""
    is_same: NDArray[Any]
    """Whether the choice is what answered."""
    propensity: NDArray[Any]
    """Of the choice to have been what answers, 0..1; 0 where it could not have been, or nobody knows."""
    rated: NDArray[Any]
    """Chance of the answer to have been rated, 0..1."""
    model: NDArray[Any]
    """Number of the model that answered, from 0."""
    choice: NDArray[Any]
    """Number of the model of the choice, from 0."""

    def rows(self, chosen: NDArray[Any]) -> Replayed:
        """Those requests alone."""
        return Replayed(**{name: getattr(self, name)[chosen] for name in self.__struct_fields__})


class Comparison(Struct, frozen=True):
    """What the answers were worth, what the choices would have been, and the difference."""

    was: Worth
    would: Worth
    difference: Worth


_PRIOR = 5
"""Ratings' worth of what models have in common that is added to what is known of the scatter of each."""


def compare_choices(replayed: Replayed) -> Comparison | None:
    """None where not one answer was rated; then nothing but what is foretold speaks for any figure."""
    import numpy as np

    is_rated = ~np.isnan(replayed.rating)
    if not is_rated.any():
        return None
    off = np.where(is_rated, replayed.rating - replayed.was, 0.0)
    scatter = _scatter(off, replayed, is_rated)
    was = _Sample(is_rated, np.ones(len(off)), replayed.rated, scatter[replayed.model])
    would = _Sample(is_rated & replayed.is_same, replayed.propensity, replayed.rated, scatter[replayed.choice])
    before, after = was.worth(replayed.was, off), would.worth(replayed.would, off)
    return Comparison(before, after, _difference((before, was), (after, would), off, replayed.is_same))


class _Sample:
    """Requests whose answer is a sample of what is asked for, and what each stands for."""

    def __init__(
        self, drawn: NDArray[Any], propensity: NDArray[Any], rated: NDArray[Any], scatter: NDArray[Any]
    ) -> None:
        """`scatter` is the mean square that what is foretold of such an answer is off by."""
        import numpy as np

        chance = propensity * rated
        self.propensity, self.scatter = propensity, scatter
        self.is_possible = chance >= LEAST_CHANCE
        self.inverse = np.divide(1.0, chance, out=np.zeros(len(rated)), where=self.is_possible)
        self.weight = np.where(drawn, self.inverse, 0.0)

    def worth(self, foretold: NDArray[Any], off: NDArray[Any]) -> Worth:
        """The mean: what is foretold, and what the sample says it is off by, for those that could be in the sample.

        The weights are normalised to their sum (Swaminathan and Joachims 2015), which costs a little bias and saves
        much scatter. The variance is the larger of what the drawn answers say, Σ w(w − 1)·off², and of what the
        chances of all say, Σ (1/π − 1)·scatter, which is there even where nothing rare was drawn.
        """
        weights = float(total(self.weight))
        share = float(self.is_possible.mean())
        shift = share * float(total(self.weight * off)) / weights if weights else 0.0
        seen = float((self.weight * (self.weight - 1).clip(0) * off * off).sum())
        unknown = (self.inverse - 1).clip(0) * self.is_possible + ~self.is_possible
        variance = max(seen, float((unknown * self.scatter).sum()))
        mean = float(foretold.mean()) + shift
        effective = weights**2 / float((self.weight**2).sum()) if weights else 0.0
        return _worth(mean, sqrt(variance) / len(off), effective, (0.0, 1.0))


def _difference(
    before: tuple[Worth, _Sample], after: tuple[Worth, _Sample], off: NDArray[Any], is_same: NDArray[Any]
) -> Worth:
    """Of the two means: an answer that stays what it was is no source of doubt."""
    (was, old), (would, new) = before, after
    seen = float((((new.weight - old.weight) * off) ** 2).sum())
    other = 1 - new.propensity
    apart = new.scatter + old.scatter * (old.inverse - 1).clip(0)
    sampled = new.scatter * other**2 * new.inverse + other * apart
    variance = max(seen, float((sampled * new.is_possible + ~is_same * apart * ~new.is_possible).sum()))
    return _worth(would.mean - was.mean, sqrt(variance) / len(off), would.effective, (-1.0, 1.0))


def _scatter(off: NDArray[Any], replayed: Replayed, is_rated: NDArray[Any]) -> NDArray[Any]:
    """By model the mean square that what is foretold is off by; of one with few ratings mostly that of all."""
    import numpy as np

    models = int(max(replayed.model.max(), replayed.choice.max())) + 1
    squares = off * off
    count = np.bincount(replayed.model[is_rated], minlength=models)
    sums = np.bincount(replayed.model[is_rated], squares[is_rated], models)
    found: NDArray[Any] = (sums + _PRIOR * squares[is_rated].mean()) / (count + _PRIOR)
    return found


def _worth(mean: float, error: float, effective: float, bounds: tuple[float, float]) -> Worth:
    low, high = bounds
    half = normal_quantile((1 + LEVEL) / 2) * error
    return Worth(
        min(max(mean, low), high), (min(max(mean - half, low), high), max(min(mean + half, high), low)), effective
    )
