"""Confseq's beta-binomial mixtures, which are the sample ratio's e-value with another prior."""

from __future__ import annotations

from math import exp, log, log1p
from typing import Any

import numpy as np
from scipy.optimize import brentq

from farthing.domain.stats.balance import log_e_value
from tests.unit.domain.stats.reference import Row

ALPHA = 0.05
"""At which their priors are tuned."""


def evidence(hits: float, of: float, share: float, tightest: float) -> float:
    """Ln of the evidence that hits are not that share, most of all after so many as `tightest` says."""
    variance = share * (1 - share)
    strength = tightest * variance / (log1p(-2 * log(ALPHA)) - 2 * log(ALPHA)) - variance
    prior = [strength / (1 - share), strength / share]
    return log_e_value([hits, of - hits], [share, 1 - share], prior)  # type: ignore[list-item]


def bounded_sums(inputs: Row) -> dict[str, Any]:
    """Sums of values −g and h are hits with share g/(g+h); the bound is where the evidence is 1/α."""
    low, high, spread = inputs["g"], inputs["h"], inputs["v"]
    of, tightest = spread / (low * high), inputs["v_opt"] / (low * high)

    def at(total: float) -> float:
        return evidence((total + of * low) / (low + high), of, low / (low + high), tightest)

    bound = brentq(lambda total: at(total) + log(inputs["alpha"]), inputs["s"], spread)
    return {"log_mixture": at(inputs["s"]), "bound": bound}


def one_share(inputs: Row) -> dict[str, Any]:
    """Every share against which the evidence stays below 1/α."""
    hits, of = inputs["successes"], inputs["trials"]

    def above(share: float) -> float:
        return evidence(hits, of, share, inputs["t_opt"]) + log(inputs["alpha"])

    return {"ci": [brentq(above, 1e-6, hits / of), brentq(above, hits / of, 1 - 1e-6)]}


def quantiles(inputs: Row) -> dict[str, Any]:
    """The least evidence of both arms together that any value is not the quantile of both."""
    arms = []
    for name in "ab":
        first, last = map(int, inputs[name].split(".."))
        arms.append(np.arange(first, last + 1))
    places = np.unique(np.concatenate(arms))
    against = [sum(_against(arm, place, inputs) for arm in arms) for place in places]
    return {"p": min(1.0, exp(-min(against)))}


def _against(arm: Any, place: int, inputs: Row) -> float:
    """Of one arm that this value is not its quantile: by those below it, or by those up to it."""
    due = inputs["quantile"] * arm.size
    below, until = int((arm < place).sum()), int((arm <= place).sum())
    hits = below if below > due else min(until, due)
    return evidence(hits, arm.size, inputs["quantile"], inputs["t_opt"])
