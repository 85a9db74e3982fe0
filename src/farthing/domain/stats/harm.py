"""The switch that ends an arm whose requests fail more often than control's, watched at every request."""

from __future__ import annotations

from math import lgamma, log, log1p

from msgspec import Struct

from farthing.domain.stats import distributions as dist

TRIPPING = 20.0
"""The e-value at which an arm is stopped: at most 1 in 20 harmless arms ever reaches it."""


class Harm(Struct, frozen=True):
    """Evidence at one look that the treatment fails more often than control."""

    e_value: float

    @property
    def tripped(self) -> bool:
        """Whether the arm is to be stopped."""
        return self.e_value >= TRIPPING


def harm(*, treatment: int, control: int, share: float) -> Harm:
    """One-sided conditional beta-binomial e-test.

    Given that something failed, it was treatment's with probability `share` if both arms fail alike. The e-value is
    the likelihood averaged over all greater probabilities, uniformly, against that one:
    ∫_π^1 θ^x_t (1−θ)^x_c dθ / (1−π) / (π^x_t (1−π)^x_c). With π = ½ it is the two-sided e-value with prior (1, 1)
    times 2·(1−I_½(1+x_t, 1+x_c)). Where so much speaks for the treatment that the integral is too small for a number,
    its bound from the likelihood's slope at π is told: 1/(x_c − x_t·(1−π)/π).

    Args:
        treatment: Failed requests of the treatment, x_t.
        control: Failed requests of control, x_c.
        share: π, the treatment's share of both arms' requests.
    """
    if not 0 < share < 1:
        return Harm(1.0)
    above = dist.beta_above(1 + treatment, 1 + control, share)
    if above < dist.SMALLEST_P:
        return Harm(min(1.0, 1 / (control - treatment * (1 - share) / share)))
    both = lgamma(1 + treatment) + lgamma(1 + control) - lgamma(2 + treatment + control)
    against = treatment * log(share) + control * log1p(-share)
    return Harm(dist.exponential(both - against + log(above) - log1p(-share)))
