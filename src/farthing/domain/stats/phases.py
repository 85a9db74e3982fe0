"""Phases of an experiment between which the arms' shares changed: combined by weight, never pooled (Simpson)."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.means import FEWEST_USERS, ArmMean, Comparison, alike, compared, p_floor


class PhaseMeans(Struct, frozen=True):
    """Both arms in one phase."""

    control: ArmMean
    treatment: ArmMean


def compare_phases(phases: Sequence[PhaseMeans], *, alpha: float = 0.05) -> Comparison | None:
    """Per-phase means weighted with each phase's share of the requests, variances with its square.

    A phase with fewer than two users in an arm is left out; None where no other one is left. The floor is that of
    permutations within phases.
    """
    used = [phase for phase in phases if min(phase.control.users, phase.treatment.users) >= FEWEST_USERS]
    if not used:
        return None
    sizes = [phase.control.requests + phase.treatment.requests for phase in used]
    weights = [size / sum(sizes) for size in sizes]
    floor = 2.0
    for phase in used:
        floor *= p_floor(phase.control.users, phase.treatment.users) / 2
    control = _weighted([phase.control for phase in used], weights)
    treatment = _weighted([phase.treatment for phase in used], weights)
    found = compared(control, treatment, alpha=alpha, floor=dist.clamped(floor))
    errors = [weight * alike(phase.control, phase.treatment) for phase, weight in zip(used, weights, strict=True)]
    return replace(found, alike_se=hypot(*errors))


def _weighted(arms: Sequence[ArmMean], weights: Sequence[float]) -> ArmMean:
    """One arm over phases, its degrees of freedom by Satterthwaite."""
    errors = [weight * arm.se for arm, weight in zip(arms, weights, strict=True)]
    se = hypot(*errors)
    spread = sum((error / se) ** 4 / arm.freedom for arm, error in zip(arms, errors, strict=True)) if se else 0.0
    freedom = 1 / spread if spread else sum(arm.freedom for arm in arms)
    mean = sum(weight * arm.mean for arm, weight in zip(arms, weights, strict=True))
    users, requests = sum(arm.users for arm in arms), sum(arm.requests for arm in arms)
    return ArmMean(users, requests, mean, se, freedom + 1)
