"""Whether an arm is no worse than control in what is guarded: latency, errors, quality."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import ERRORS, LATENCY, LATENCY_P95, QUALITY, Panel, Source
from farthing.domain.experiments.results import Standing
from farthing.domain.stats.means import Comparison, Effect, one_sided
from farthing.domain.stats.noninferiority import non_inferiority
from farthing.domain.stats.proportions import Share, ShareDifference, compare_shares

ONE_SIDED = 0.05
"""The level of a guardrail's bound."""
RELATIVE = (LATENCY, LATENCY_P95)
"""Guardrails whose margin is a share of control's."""


class Guard(Struct, frozen=True):
    """How one guardrail stands."""

    standing: Standing
    margin: float
    bound: float | None = None
    """How much worse it may be at most, in the margin's unit; negative is better."""


def guard(panel: Panel, source: Source, arm: str, found: Comparison | None) -> Guard:
    """How the arm stands against control in this metric."""
    experiment = panel.experiment
    margin = margin_of(experiment, source)
    if source is ERRORS and (shares := proportions(panel, arm, found, alpha=2 * ONE_SIDED)) is not None:
        return Guard(_by_shares(shares, margin, experiment), margin, shares.high)
    effect = None if found is None else found.relative if source in RELATIVE else found.absolute
    if effect is None:
        return Guard("unmeasured", margin)
    standing = non_inferiority(
        effect, margin=margin, better=source.direction, alpha=ONE_SIDED, policy=experiment.policy
    )
    return Guard(standing, margin, _bound(effect, source))


def margin_of(experiment: Experiment, source: Source) -> float:
    """By how much the arm may be worse: absolute, for latencies a share of control's."""
    margins = experiment.margins
    return {ERRORS.name: margins.errors, QUALITY.name: margins.quality}.get(source.name, margins.latency)


def proportions(panel: Panel, arm: str, found: Comparison | None, *, alpha: float) -> ShareDifference | None:
    """The error rates as plain shares of requests, where no user has two or nothing varies between users.

    None where they are to be compared by user.
    """
    control = panel.experiment.control.name
    if len(panel.phases) != 1 or found is None:
        return None
    first, second = (Share(int(panel.total(one, "errors")), panel.requests(one)) for one in (control, arm))
    is_single = first.of == panel.users(control) and second.of == panel.users(arm)
    return compare_shares(first, second, alpha=alpha) if is_single or found.degenerate else None


def _by_shares(shares: ShareDifference, margin: float, experiment: Experiment) -> Standing:
    if shares.high < margin:
        return "pass"
    is_beyond = experiment.policy == "default" and shares.difference > margin
    return "fail" if shares.low > 0 or is_beyond else "unclear"


def _bound(effect: Effect, source: Source) -> float:
    if source.direction == "lower":
        return one_sided(effect, "less", alpha=ONE_SIDED).bound
    return -one_sided(effect, "greater", alpha=ONE_SIDED).bound
