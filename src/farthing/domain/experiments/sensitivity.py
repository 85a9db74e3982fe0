"""The cost once more under other assumptions: with the dearest users capped, and with the prompts' length taken out."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.experiments.estimates import COST, Panel, compared
from farthing.domain.experiments.results import Cuped, Winsorised
from farthing.domain.stats.cuped import Covaried, adjusted
from farthing.domain.stats.means import Comparison, arm_mean
from farthing.domain.stats.outliers import winsorised


class Capped(Struct, frozen=True):
    """The comparison with the dearest hundredth of the users capped."""

    comparison: Comparison
    shown: Winsorised


def capped(panel: Panel, arm: str) -> Capped | None:
    """No user of either arm costs more a request than 99% of both arms' users of his phase do."""
    control = panel.experiment.control.name
    phases = []
    for phase in panel.phases:
        both = [one for name in (control, arm) if (one := panel.cohort(phase, name)) is not None]
        sums = winsorised([(one.cost, one.requests) for one in both])
        means = [arm_mean(capped_sums, one.requests) for capped_sums, one in zip(sums, both, strict=True)]
        if len(means) > 1:
            phases.append((means[0], means[1]))
    found = compared(phases, alpha=panel.experiment.alpha)
    if found is None:
        return None
    effect, scale = found.absolute, COST.scale
    return Capped(found, Winsorised(effect.estimate / scale, (effect.low / scale, effect.high / scale)))


def cuped(panel: Panel, arm: str) -> Cuped | None:
    """None where the prompts foretell nothing, where an arm's are not known, or where there are several phases."""
    control = panel.cohort(panel.phases[0], panel.experiment.control.name)
    treatment = panel.cohort(panel.phases[0], arm)
    if len(panel.phases) != 1 or control is None or treatment is None:
        return None
    # Beside known ones zeros would pass for short prompts, and move the difference itself.
    if not any(control.covariate) or not any(treatment.covariate):
        return None
    first, second = (Covaried(one.cost, one.requests, one.covariate) for one in (control, treatment))
    found = adjusted(first, second, alpha=panel.experiment.alpha)
    if found is None:
        return None
    effect, scale = found.comparison.absolute, COST.scale
    return Cuped(
        theta=found.theta / scale,
        variance_removed=found.variance_removed,
        diff=effect.estimate / scale,
        ci=(effect.low / scale, effect.high / scale),
    )
