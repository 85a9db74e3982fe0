"""A flat-prior reading of an effect, to show and never to decide by: as a stopping rule it errs in 59% of A/A tests."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.means import Effect


class Belief(Struct, frozen=True):
    """What somebody believes who knew nothing before."""

    chance_greater: float
    """That the treatment's mean is the greater one."""
    loss_if_control: float
    """Expected loss, in the effect's unit, of keeping control where more is better."""
    loss_if_treatment: float
    """Expected loss of choosing the treatment where more is better."""


def belief(found: Effect) -> Belief:
    """Φ(z) and SE·(zΦ(z)+φ(z)), with z = estimate / standard error."""
    if not found.se:
        above = float(found.estimate > 0) if found.estimate else 0.5
        return Belief(above, max(0.0, found.estimate), max(0.0, -found.estimate))
    z = dist.held(found.estimate / found.se)
    above, height = dist.normal_cdf(z), found.se * dist.normal_density(z)
    kept = max(0.0, found.estimate * above + height)
    return Belief(above, kept, max(0.0, kept - found.estimate))
