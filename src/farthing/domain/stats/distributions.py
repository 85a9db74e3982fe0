"""The distribution functions that the tests stand on, by scipy.special, which is loaded when one is first asked."""

from __future__ import annotations

from math import exp, isfinite, log, pi, sqrt

SMALLEST_P = 1e-300
"""No p-value leaves as less: zero would claim certainty, and less than this is lost when it is multiplied."""
LARGEST = 1e300
"""No figure leaves as more, in size: JSON has no infinity."""
LARGEST_LOG = log(LARGEST)
"""Of the largest e-value that is told."""


def clamped(p: float) -> float:
    """A p-value within [1e-300, 1]; one that is not a number says nothing and becomes 1."""
    return min(1.0, max(SMALLEST_P, p)) if isfinite(p) else 1.0


def held(value: float) -> float:
    """The number within ±1e300, so that JSON can carry it."""
    return min(LARGEST, max(-LARGEST, value))


def exponential(logarithm: float) -> float:
    """The number with this natural logarithm, held within [1e-300, 1e300]."""
    return exp(min(LARGEST_LOG, max(-LARGEST_LOG, logarithm)))


def normal_cdf(z: float) -> float:
    """Φ(z), the share of a standard normal below z."""
    from scipy.special import ndtr

    return float(ndtr(z))


def normal_density(z: float) -> float:
    """φ(z), the height of a standard normal."""
    return exp(-0.5 * min(abs(z), 50.0) ** 2) / sqrt(2 * pi)


def normal_quantile(share: float) -> float:
    """The z below which this share (0 to 1, both excluded) of a standard normal lies; exact far into the lower tail."""
    from scipy.special import ndtri

    return float(ndtri(share))


def z_of(p: float) -> float:
    """|z| whose two-sided normal p-value this is: 1.96 for .05, 37 for 1e-300."""
    return max(0.0, -normal_quantile(clamped(p) / 2))


def normal_p(z: float) -> float:
    """Two-sided p-value of a standard normal."""
    return clamped(2 * normal_cdf(-abs(z)))


def student_cdf(t: float, freedom: float | None) -> float:
    """Share of Student's t with these (fractional) degrees of freedom below t; None stands for the normal."""
    from scipy.special import stdtr

    return normal_cdf(t) if freedom is None else float(stdtr(freedom, t))


def student_p(t: float, freedom: float | None) -> float:
    """Two-sided p-value of Student's t."""
    return clamped(2 * student_cdf(-abs(t), freedom))


def student_quantile(share: float, freedom: float | None) -> float:
    """The t below which this share of Student's distribution lies."""
    from scipy.special import stdtrit

    return normal_quantile(share) if freedom is None else float(stdtrit(freedom, share))


def chi_square_p(statistic: float, freedom: int) -> float:
    """Share of χ² with these degrees of freedom above the statistic."""
    from scipy.special import chdtrc

    return clamped(float(chdtrc(freedom, statistic)))


def beta_above(a: float, b: float, bound: float) -> float:
    """Share of Beta(a, b) above the bound, 1 − I(a, b); 0 where it is too small for a number."""
    from scipy.special import betaincc

    return float(betaincc(a, b, bound))
