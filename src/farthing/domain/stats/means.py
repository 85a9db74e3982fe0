"""A mean over requests clustered by user, and two arms compared by it: cost, latency, quality, errors alike."""

from __future__ import annotations

from math import comb, copysign, hypot, isfinite, lgamma, log, sqrt
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.columns import Numbers, column, counts, squares, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEGLIGIBLE = 1e-9
"""A standard error, or a difference without one, below this share of the means is rounding and counts as zero."""
FEWEST_USERS = 2
"""Of one user nothing can be said about how users differ."""

Side = Literal["greater", "less"]


class ArmMean(Struct, frozen=True):
    """What one arm tells of a metric."""

    users: int
    """Users with at least one request that counts."""
    requests: float
    """Requests that count, over all users."""
    mean: float
    """Σ of the metric / Σ of the requests, in the metric's unit."""
    se: float
    """Standard error of the mean, clustered by user; 0 for a single user, of whom it is unknown."""
    effective_users: float
    """(Σn)²/Σn²: how many equally busy users would tell as much."""

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the standard error: effective users − 1, and at least 1."""
        return max(1.0, self.effective_users - 1)

    @property
    def sd(self) -> float:
        """Standard deviation between users, √users standard errors: that of the requests where each user has one."""
        return self.se * sqrt(self.users)


class Effect(Struct, frozen=True):
    """An estimate with what is known of its error."""

    estimate: float
    se: float
    freedom: float | None
    """Degrees of freedom; None where the normal distribution is meant."""
    t: float | None
    """Estimate / standard error; None where that is 0."""
    p: float
    """Two-sided, valid only at the planned size, never below the floor."""
    p_floor: float
    low: float
    """Lower end of the two-sided interval."""
    high: float

    @property
    def z(self) -> float:
        """The normal quantile of p, with the sign of the estimate."""
        return copysign(dist.z_of(self.p), self.estimate)


class Comparison(Struct, frozen=True):
    """Treatment against control in one metric."""

    control: ArmMean
    treatment: ArmMean
    absolute: Effect
    """Treatment − control, in the metric's unit."""
    relative: Effect | None
    """(Treatment − control)/|control|; None where control's mean is 0."""
    alike_se: float
    """Standard error that the difference has if the arms are alike; 0 where neither varies."""

    @property
    def degenerate(self) -> bool:
        """Neither arm varies: the interval is a point, and speaks of medians rather than of means."""
        return self.absolute.se == 0

    @property
    def p(self) -> float:
        """Two-sided, valid only at the planned size."""
        return self.absolute.p

    @property
    def decisive_p(self) -> float:
        """The same, or that of Student's test of arms that are alike where it is greater: what names a winner.

        Of costs with a long tail a small arm that has met none of the dear requests looks cheap and, by its own small
        error, sure of it. If nothing differs its requests vary as all do, and a permutation of users, which no p-value
        may be far below, goes by that.
        """
        effect = self.absolute
        if not effect.se:
            return effect.p
        freedom = self.control.freedom + self.treatment.freedom
        return max(effect.p, dist.student_p(dist.held(effect.estimate / self.alike_se), freedom))


class Bound(Struct, frozen=True):
    """One side of an interval, and the p-value of the one-sided test."""

    p: float
    bound: float


def arm_mean(sums: Numbers, requests: Numbers) -> ArmMean | None:
    """R = Σs/Σn with its delete-one-user jackknife error (Efron and Stein 1981), None where nobody has a request.

    Args:
        sums: For each user the metric's sum over the requests, in any unit; nano-dollars as integers are exact.
        requests: For each user how many requests that were; who has none is left out. Same shape as the sums.

    Raises:
        ValueError: The columns differ in length, or hold what a column may not hold.
    """
    s, n = present(sums, requests)
    return mean_by_user(s, n) if n.size else None


def mean_by_user(s: NDArray[Any], n: NDArray[Any]) -> ArmMean:
    """As `arm_mean`, of columns already read: at least one user, none without a request."""
    every = int(n.sum())
    mean = total(s) / every
    return ArmMean(int(n.size), every, mean, spread(left_out(s, n), mean), _effective(n))


def left_out(s: NDArray[Any], n: NDArray[Any]) -> NDArray[Any]:
    """By how much the mean moves when one user is left out, for each user: (R·n_i − s_i)/(Σn − n_i)."""
    every = int(n.sum())
    rest = every - n
    rest[rest == 0] = 1
    moved: NDArray[Any] = (total(s) / every * n - s) / rest
    return moved


def present(sums: Numbers, requests: Numbers, *others: Numbers) -> list[NDArray[Any]]:
    """The columns without users who have no request.

    Raises:
        ValueError: They are of different lengths, or hold what a column may not hold.
    """
    s, n = column(sums), counts(requests)
    read = [s, n, *map(column, others)]
    if any(one.shape != n.shape for one in read):
        raise ValueError(f"columns of {' and '.join(str(one.size) for one in read)} users stand side by side")
    here = n > 0
    return read if here.all() else [one[here] for one in read]


def spread(moved: NDArray[Any], mean: float) -> float:
    """√((c−1)/c · Σ(L − L̄)²), in two passes over numbers scaled to 1, or 0 where that is rounding."""
    import numpy as np

    users = moved.size
    size = float(np.abs(moved).max())
    if users < FEWEST_USERS or not size:
        return 0.0
    scaled = moved / size
    away = scaled - scaled.mean()
    se = size * sqrt((users - 1) / users * squares(away))
    return se if se >= NEGLIGIBLE * abs(mean) else 0.0


def _effective(n: NDArray[Any]) -> float:
    """(Σn)²/Σn²."""
    share = n / n.max()
    return float(share.sum()) ** 2 / squares(share)


def mean_of(users: int, mean: float, variance: float) -> ArmMean:
    """An arm of users with one request each, by their mean and the variance between them (Welch 1947).

    Raises:
        ValueError: The variance is negative.
    """
    if variance < 0:
        raise ValueError(f"a variance of {variance} is none: sums and sums of squares contradict each other")
    se = sqrt(variance / users)
    return ArmMean(users, users, mean, se if se >= NEGLIGIBLE * abs(mean) else 0.0, users)


def p_floor(control: int, treatment: int) -> float:
    """2/C(users, users of control): no two-sided permutation test of these users can give less."""
    users = control + treatment
    ways = lgamma(users + 1) - lgamma(control + 1) - lgamma(treatment + 1)
    if ways > dist.LARGEST_LOG + log(2):
        return dist.SMALLEST_P
    return dist.clamped(2 / comb(users, control))


def compare(control: ArmMean, treatment: ArmMean, *, alpha: float = 0.05) -> Comparison | None:
    """Welch's test of two means with the permutation floor; None with fewer than two users in an arm.

    The relative effect is by the delta method: variance V_t/R_c² + V_c·R_t²/R_c⁴.

    Args:
        control: What the effect is measured from.
        treatment: What is compared with it.
        alpha: Two-sided level of the intervals.
    """
    if min(control.users, treatment.users) < FEWEST_USERS:
        return None
    return compared(control, treatment, alpha=alpha, floor=p_floor(control.users, treatment.users))


def compared(control: ArmMean, treatment: ArmMean, *, alpha: float, floor: float) -> Comparison:
    """As `compare`, of arms with two users at least, with a floor given."""
    difference, base = treatment.mean - control.mean, control.mean
    se = hypot(control.se, treatment.se)
    if se == 0 and abs(difference) <= NEGLIGIBLE * max(abs(base), abs(treatment.mean)):
        difference = 0.0
    absolute = effect(difference, se, welch(control, treatment), alpha=alpha, floor=floor)
    relative = None
    if base and isfinite(ratio := treatment.mean / base):
        relative = relative_effect(absolute, treatment.se, control.se * ratio, base, alpha=alpha)
    return Comparison(control, treatment, absolute, relative, alike(control, treatment))


def alike(control: ArmMean, treatment: ArmMean) -> float:
    """√(σ²/n_c + σ²/n_t), where σ² = (ν_c·n_c·V_c + ν_t·n_t·V_t)/(ν_c+ν_t) is a request's variance in both arms.

    With one request per user Student's pooled error (1908), and nearly Welch's where the arms are of one size.
    """
    freedom = control.freedom + treatment.freedom
    parts = [sqrt(arm.freedom / freedom * arm.requests) * arm.se for arm in (control, treatment)]
    return dist.held(hypot(*parts) * sqrt(1 / control.requests + 1 / treatment.requests))


def relative_effect(absolute: Effect, treatment: float, control: float, base: float, *, alpha: float) -> Effect | None:
    """An effect over |base|, with the standard errors that both arms give its numerator; None where it is no number."""
    ratio, se = absolute.estimate / abs(base), hypot(treatment, control) / abs(base)
    if not isfinite(ratio) or not isfinite(se):
        return None
    return effect(ratio, se, absolute.freedom, alpha=alpha, floor=absolute.p_floor)


def welch(control: ArmMean, treatment: ArmMean) -> float:
    """Satterthwaite's degrees of freedom: (V_c+V_t)²/(V_c²/ν_c + V_t²/ν_t); the arms' sum where nothing varies."""
    se = hypot(control.se, treatment.se)
    if not se:
        return control.freedom + treatment.freedom
    c, t = (control.se / se) ** 2, (treatment.se / se) ** 2
    return 1 / (c * c / control.freedom + t * t / treatment.freedom)


def effect(
    estimate: float, se: float, freedom: float | None = None, *, alpha: float = 0.05, floor: float = dist.SMALLEST_P
) -> Effect:
    """An estimate with its test against 0 and its interval at 1 − alpha."""
    if not se:
        p = dist.clamped(floor) if estimate else 1.0
        return Effect(estimate, 0.0, freedom, None, p, floor, estimate, estimate)
    t = dist.held(estimate / se)
    half = -dist.student_quantile(alpha / 2, freedom) * se
    p = max(dist.student_p(t, freedom), floor)
    return Effect(
        dist.held(estimate), dist.held(se), freedom, t, p, floor, dist.held(estimate - half), dist.held(estimate + half)
    )


def one_sided(found: Effect, side: Side, *, alpha: float = 0.05, against: float = 0.0) -> Bound:
    """Whether the effect is greater (or less) than `against`: p-value, and the bound on that side at 1 − alpha.

    For "greater" the bound is the lower one. Its p-value is never below half the two-sided floor.
    """
    sign = 1.0 if side == "greater" else -1.0
    ahead = sign * (found.estimate - against)
    if not found.se:
        p = found.p_floor / 2 if ahead > 0 else 1.0
        return Bound(dist.clamped(p), found.estimate)
    p = max(dist.student_cdf(dist.held(-ahead / found.se), found.freedom), found.p_floor / 2)
    reach = -dist.student_quantile(alpha, found.freedom) * found.se
    return Bound(dist.clamped(p), dist.held(found.estimate - sign * reach))
