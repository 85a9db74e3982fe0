"""Reference inputs of other projects' statistics, and how each is put to our functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.domain.stats import means, ratios
from farthing.domain.stats.columns import Numbers
from farthing.domain.stats.cuped import Moved
from farthing.domain.stats.means import ArmMean, Effect
from farthing.domain.stats.proportions import Share

FILE = Path(__file__).parents[3] / "golden" / "statistics" / "vectors.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]

Row = Mapping[str, Any]


def moments(arm: Row) -> ArmMean:
    """An arm told as count, sum and sum of squares."""
    n, mean = arm["n"], arm["sum"] / arm["n"]
    return means.mean_of(n, mean, (arm["sum_sq"] - arm["sum"] * mean) / (n - 1))


def covariance(n: int, crossed: float, first: float, second: float) -> float:
    """Of two figures told as sums and the sum of their products."""
    return (crossed - first * second / n) / (n - 1)


def shares(inputs: Row) -> tuple[Share, Share]:
    """Both arms of a case about hits."""
    return Share(inputs["a"]["x"], inputs["a"]["n"]), Share(inputs["b"]["x"], inputs["b"]["n"])


def wald(inputs: Row) -> Effect:
    """The difference of two shares with its binomial error."""
    a, b = shares(inputs)
    return means.effect(b.mean - a.mean, sqrt(a.se**2 + b.se**2), alpha=inputs["alpha"])


def compared(inputs: Row) -> Effect:
    """The effect a case asks for, of arms told as moments."""
    found = means.compare(moments(inputs["a"]), moments(inputs["b"]), alpha=inputs["alpha"])
    assert found is not None
    effect = found.relative if inputs["relative"] else found.absolute
    assert effect is not None
    return effect


def normal(effect: Effect) -> Effect:
    """The same effect by the normal distribution, as anytime intervals of others take it."""
    return means.effect(effect.estimate, effect.se)


def raw(first: Numbers, second: Numbers) -> means.Comparison:
    """Two arms of users with one request each."""
    arms = [means.arm_mean(values, [1] * len(values)) for values in (first, second)]
    assert arms[0] is not None
    assert arms[1] is not None
    found = means.compare(arms[0], arms[1])
    assert found is not None
    return found


def with_covariance(n: int, centres: list[float], matrix: NDArray[Any]) -> NDArray[Any]:
    """Rows of n users that have exactly these means and this covariance."""
    free = np.linspace(-1, 1, n)
    basis = np.stack([free**power for power in range(1 + len(centres))])
    orthogonal = np.linalg.qr(basis.T)[0][:, 1:].T
    rows: NDArray[Any] = np.linalg.cholesky(matrix) @ orthogonal * sqrt(n - 1) + np.array(centres)[:, None]
    return rows


def with_moments(arm: Row) -> NDArray[Any]:
    """Users with a figure and its covariate, told as sums, sums of squares and of products."""
    n, y, x = arm["n"], arm["y_sum"], arm["x_sum"]
    terms = [(arm["y_sq"], y, y), (arm["xy"], x, y), (arm["x_sq"], x, x)]
    first, crossed, second = (covariance(n, *term) for term in terms)
    return with_covariance(n, [y / n, x / n], np.array([[first, crossed], [crossed, second]]))


def delta_moved(s: NDArray[Any], n: NDArray[Any], x: NDArray[Any], m: NDArray[Any]) -> Moved:
    """An arm whose errors are by the delta method: numerator, denominator, and both of the covariate."""
    users = s.size
    scale = 1 / (users - 1)
    moved = ratios.residuals(s, n) / n.mean() * scale
    foretold = ratios.residuals(x, m) / m.mean() * scale
    ratio = float(s.sum() / n.sum())
    arm = ArmMean(users, users, ratio, means.spread(moved, ratio), users)
    return Moved(arm, float(x.sum() / m.sum()), moved, foretold)
