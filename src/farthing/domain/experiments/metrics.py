"""One metric of one arm against control, with every figure that is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from msgspec.structs import replace

from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import (
    COST,
    ERRORS,
    LATENCY_P95,
    P95,
    RATING_RATE,
    SOURCES,
    Panel,
    Source,
)
from farthing.domain.experiments.guardrails import guard, proportions
from farthing.domain.experiments.results import Metric, Missing, Odds
from farthing.domain.experiments.sensitivity import Capped, cuped
from farthing.domain.stats.beliefs import belief
from farthing.domain.stats.distributions import LARGEST
from farthing.domain.stats.means import FEWEST_USERS, ArmMean, Comparison, Effect
from farthing.domain.stats.power import LARGEST_PLAN, power_at, results_needed, smallest_effect
from farthing.domain.stats.proportions import ShareDifference
from farthing.domain.stats.quantiles import ADVISED, fewest_requests
from farthing.domain.stats.sequential import anytime

MISSING_LEVEL = 0.001
"""A difference in how often users rate below this p-value is warned of."""
FEW_USERS = 25


def metrics(panel: Panel, arm: str) -> list[Metric]:
    """Cost, the guardrails, and how often users rate, of one arm against control."""
    return [_metric(panel, source, arm) for source in SOURCES]


def with_cost(metric: Metric, panel: Panel, found: Comparison, capping: Capped) -> Metric:
    """The primary metric with what only that has: power, and the same under other assumptions."""
    experiment = panel.experiment
    effect, base = found.absolute, abs(found.control.mean)
    planned, level = experiment.planned_effect * base, experiment.level
    n = pair_requests(panel, metric.arm)
    powered: dict[str, Any] = {}
    if effect.se and base:
        needed = results_needed(planned, effect.se, n, alpha=level)
        powered = {
            "power_at_planned_effect": power_at(planned, effect.se, alpha=level),
            "mde_80": smallest_effect(effect.se, alpha=level) / base,
        }
        if needed < LARGEST_PLAN:
            powered |= {"n_needed": needed, "n_missing": _missing(experiment, metric.arm, max(0, needed - n))}
    return replace(
        metric,
        winsorised=capping.shown,
        cuped=cuped(panel, metric.arm),
        odds=_odds(effect),
        **_held(powered),
    )


def _missing(experiment: Experiment, arm: str, results: int) -> Missing:
    """So many results of the arm and control, as they will come."""
    both = [one for one in experiment.arms if one.name in {arm, experiment.control.name}]
    every = results / sum(one.share for one in both)
    return Missing(arms={one.name: ceil(round(every * one.share, 6)) for one in both}, all=ceil(round(every, 6)))


def _odds(effect: Effect) -> Odds:
    """In USD; the effect is in nano-dollars, and less is better."""
    found = belief(effect)
    return Odds(
        chance_cheaper=1.0 - found.chance_greater,
        loss_if_chosen=found.loss_if_control / COST.scale,
        loss_if_kept=found.loss_if_treatment / COST.scale,
    )


def pair_requests(panel: Panel, arm: str) -> int:
    """Results of the arm and of control."""
    return panel.requests(panel.experiment.control.name) + panel.requests(arm)


def _metric(panel: Panel, source: Source, arm: str) -> Metric:
    control = panel.experiment.control.name
    found = panel.comparison(source, arm)
    singles = {name: panel.single(source, name) for name in (control, arm)}
    shown = singles if found is None else {control: found.control, arm: found.treatment}
    shares = proportions(panel, arm, found, alpha=panel.experiment.alpha) if source is ERRORS else None
    plain = Metric(
        name=source.name,
        arm=arm,
        against=control,
        role=source.role,
        direction=source.direction,
        n_requests={name: int(one.requests) if one else 0 for name, one in shown.items()},
        n_users={name: one.users if one else 0 for name, one in shown.items()},
        effective_users={name: one.effective_users if one else 0.0 for name, one in shown.items()},
        mean={name: one.mean / source.scale if one else None for name, one in shown.items()},
        sd={name: one.sd / source.scale if one and one.users >= FEWEST_USERS else None for name, one in shown.items()},
        coverage={name: _coverage(panel, source, name) for name in shown},
        warnings=tuple(_warnings(source, shown, found, is_counted=shares is not None)),
    )
    if found is not None:
        plain = _compared(plain, panel, source, found)
        plain = plain if shares is None else _counted(plain, shares, found)
    if source.role == "guardrail":
        judged = guard(panel, source, arm, found)
        plain = replace(plain, margin=judged.margin, bound=judged.bound, standing=judged.standing)
    return plain


def _compared(metric: Metric, panel: Panel, source: Source, found: Comparison) -> Metric:
    """The metric with its difference, interval and p-values."""
    experiment, scale = panel.experiment, source.scale
    effect, relative = found.absolute, found.relative
    always = anytime(
        effect,
        n=pair_requests(panel, metric.arm),
        planned=experiment.planned_for(metric.arm),
        alpha=experiment.alpha,
    )
    figures: dict[str, Any] = {
        "diff": effect.estimate / scale,
        "rel": None if relative is None else relative.estimate,
        "se": effect.se / scale,
        "df": effect.freedom,
        "t": effect.t,
        "p_fixed": effect.p,
        "p_floor": effect.p_floor,
        "ci": _interval(effect, scale),
        "rel_ci": None if relative is None else _interval(relative, 1.0),
        "p_anytime": always.p,
        "ci_anytime": (always.low / scale, always.high / scale),
        "degenerate": found.degenerate,
    }
    return replace(metric, **_held(figures))


def _counted(metric: Metric, shares: ShareDifference, found: Comparison) -> Metric:
    """Shares of requests in the place of users' means: an interval of counts is one where nobody differs, too."""
    always = None if found.degenerate else metric.ci_anytime
    interval = shares.low, shares.high
    return replace(metric, unit="request", p_fixed=shares.p, ci=interval, ci_anytime=always, degenerate=False)


def _interval(effect: Effect, scale: float) -> tuple[float, float]:
    return effect.low / scale, effect.high / scale


def _held(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is beyond all numbers that can be told: None takes its place."""
    return {name: None if _is_beyond(value) else value for name, value in figures.items()}


def _is_beyond(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_is_beyond(one) for one in value)
    return isinstance(value, float) and abs(value) >= LARGEST


def _coverage(panel: Panel, source: Source, arm: str) -> float | None:
    requests = panel.requests(arm)
    if not requests:
        return None
    if source.counts == "requests":
        return 1.0
    return (
        sum(len(one.latency_user) if source is LATENCY_P95 else sum(one.rated) for one in panel.cohorts(arm)) / requests
    )


def _warnings(
    source: Source, shown: Mapping[str, ArmMean | None], found: Comparison | None, *, is_counted: bool
) -> list[str]:
    """What makes the figures less than they seem; `is_counted` where they are shares of requests."""
    if found is None:
        if source is LATENCY_P95:
            return [f"The 95th percentile needs more than {fewest_requests(P95):.0f} requests in each arm."]
        return ["There is nothing to compare before each arm has two users with this metric."]
    told = []
    ends = [one for one in shown.values() if one]
    if found.degenerate and is_counted:
        told.append("Within each arm all requests ended alike, so that there is no interval that may be watched.")
    elif found.degenerate:
        told.append(
            "Within each arm all users have the same value, so that the interval speaks of medians, not of means."
        )
    elif min(one.se for one in ends) == 0:
        told.append("One arm does not vary at all: the error is the other's alone.")
    if min(one.effective_users for one in ends) < FEW_USERS:
        told.append(f"One arm has fewer than {FEW_USERS} equally busy users.")
    if source is LATENCY_P95 and min(one.requests for one in ends) < ADVISED:
        told.append(f"A 95th percentile is worth reading from {ADVISED} requests in each arm on.")
    if found.relative is None:
        told.append("Control's mean is 0, so there is no relative difference.")
    if source is RATING_RATE and found.p < MISSING_LEVEL:
        told.append("The arms are rated at different rates: their qualities are those of different kinds of users.")
    return told
