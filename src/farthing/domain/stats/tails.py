"""The p-value that decides: Student's t says too much where a few users are far dearer than the others."""

from __future__ import annotations

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.means import Comparison

_FARTHEST = 1e100
"""In size, of what is raised to the third power."""


def decisive_p(found: Comparison) -> float:
    """The two-sided p-value, or that of t corrected for the users' skewness and kurtosis where it is greater.

    Of costs with a long tail an arm that has met none of the dear requests looks cheap and, by its small error, sure of
    it. Where arms are equal that happens to both alike and cancels out; where one is small it does not. Only what is
    against a difference is taken from the correction, so that it names no winner of its own.
    """
    effect = found.absolute
    if effect.t is None:
        return effect.p
    left = freedom(found)
    leaning = dist.student_p(symmetric(effect.t, skewness(found)), left)
    return max(effect.p, dist.student_p(effect.t, left), leaning)


def freedom(found: Comparison) -> float:
    """Satterthwaite's degrees of freedom, from what the users' kurtosis leaves to each arm's standard error."""
    control, treatment = found.control, found.treatment
    c, t = ((arm.se / found.absolute.se) ** 2 for arm in (control, treatment))
    return 1 / (c * c / control.tail_freedom + t * t / treatment.tail_freedom)


def skewness(found: Comparison) -> float:
    """Of the difference's error: the arms' own by the cubes of their standard errors, control's turned round."""
    se = found.absolute.se
    return found.treatment.skew * (found.treatment.se / se) ** 3 - found.control.skew * (found.control.se / se) ** 3


def symmetric(t: float, skew: float) -> float:
    """A t whose distribution leans by a, made symmetric and kept in order: t + a·t²/3 + a²·t³/27 + a/6 (Hall 1992)."""
    held = min(_FARTHEST, max(-_FARTHEST, t))
    lean = min(_FARTHEST, max(-_FARTHEST, skew * held / 3))
    return dist.held(held * (1 + lean + lean * lean / 3) + skew / 6)
