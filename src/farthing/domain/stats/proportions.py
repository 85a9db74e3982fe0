"""Two shares of requests compared, where each user has one request: error rates, rating rates."""

from __future__ import annotations

from math import ceil, hypot, sqrt
from typing import Literal

from msgspec import Struct

from farthing.domain.stats import distributions as dist

FEWEST_EXPECTED = 5
"""Below this many expected in a cell of the table the exact test speaks."""


class Share(Struct, frozen=True):
    """So many of so many."""

    hits: int
    of: int

    @property
    def mean(self) -> float:
        """Between 0 and 1."""
        return self.hits / self.of

    @property
    def se(self) -> float:
        """Binomial standard error (Wald)."""
        return sqrt(self.mean * (1 - self.mean) / self.of)


class ShareDifference(Struct, frozen=True):
    """Treatment − control."""

    difference: float
    low: float
    high: float
    p: float
    method: Literal["pooled_z", "fisher"]


def compare_shares(control: Share, treatment: Share, *, alpha: float = 0.05) -> ShareDifference | None:
    """Newcombe's interval with the pooled z test, or Fisher's below 5 expected; None where an arm is empty."""
    if not control.of or not treatment.of:
        return None
    exact = fewest_expected(control, treatment) < FEWEST_EXPECTED
    low, high = newcombe(control, treatment, alpha=alpha)
    p = fisher_p(control, treatment) if exact else dist.normal_p(pooled_z(control, treatment))
    return ShareDifference(treatment.mean - control.mean, low, high, p, "fisher" if exact else "pooled_z")


def fewest_expected(control: Share, treatment: Share) -> float:
    """The smallest expected count in the table of hits and misses."""
    hits, every = control.hits + treatment.hits, control.of + treatment.of
    return min(hits, every - hits) * min(control.of, treatment.of) / every


def pooled_z(control: Share, treatment: Share) -> float:
    """Z of the difference under one common share; 0 where nothing, or everything, is a hit."""
    common = (control.hits + treatment.hits) / (control.of + treatment.of)
    se = sqrt(common * (1 - common)) * hypot(1 / sqrt(control.of), 1 / sqrt(treatment.of))
    return dist.held((treatment.mean - control.mean) / se) if se else 0.0


def wilson(share: Share, *, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's score interval (1927)."""
    z = dist.normal_quantile(1 - alpha / 2)
    middle = (share.hits + z * z / 2) / (share.of + z * z)
    half = z / (share.of + z * z) * sqrt(share.hits * (1 - share.mean) + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(control: Share, treatment: Share, *, alpha: float = 0.05) -> tuple[float, float]:
    """Hybrid score interval of treatment − control (Newcombe 1998, method 10)."""
    (c_low, c_high), (t_low, t_high) = wilson(control, alpha=alpha), wilson(treatment, alpha=alpha)
    c, t = control.mean, treatment.mean
    return t - c - hypot(t - t_low, c_high - c), t - c + hypot(t_high - t, c - c_low)


def fisher_p(control: Share, treatment: Share) -> float:
    """Two-sided p of Fisher's exact test: all tables with these margins that are no likelier than the one seen.

    Tables further than 300 and 40 standard deviations from the expected one have less than 1e-300 together.
    """
    import numpy as np

    hits, every = control.hits + treatment.hits, control.of + treatment.of
    expected, half = hits * control.of / every, treatment.of / every * (every - hits) / max(1, every - 1)
    reach = ceil(300 + 40 * sqrt(expected * half))
    low = max(0, hits - treatment.of, int(expected) - reach)
    high = min(hits, control.of, int(expected) + reach)
    if not low <= control.hits <= high:
        return dist.SMALLEST_P
    k = np.arange(low, high, dtype=np.float64)
    steps = np.log((hits - k) / (k + 1)) + np.log((control.of - k) / (every - hits - control.of + k + 1))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    logs -= logs.max()
    weights = np.exp(np.maximum(logs, -dist.LARGEST_LOG))
    seen = logs[control.hits - low] + 1e-9
    return dist.clamped(float(weights[logs <= seen].sum() / weights.sum()))
