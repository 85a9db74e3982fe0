"""The switch that ends an arm whose requests fail more often than control's, watched at every request."""

from __future__ import annotations

from collections.abc import Iterable
from math import lgamma, log, log1p

from msgspec import Struct

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.columns import Numbers, counts, squares

TRIPPING = 20.0
"""The e-value at which an arm is stopped: at most 1 in 20 harmless arms ever reaches it."""


class Harm(Struct, frozen=True):
    """Evidence at one look that the treatment fails more often than control."""

    e_value: float

    @property
    def tripped(self) -> bool:
        """Whether the arm is to be stopped."""
        return self.e_value >= TRIPPING


def crowding(arms: Iterable[tuple[Numbers, Numbers]]) -> float:
    """How much more failures vary between users than if each request failed by itself, at least 1 (Rao and Scott 1992).

    Σ c/(c−1)·Σ(x_i − r·n_i)² / Σ r·(1−r)·n, outer sums over arms of c users with n requests and the failing share r. By
    the arms' own shares, so that one in which everything fails counts in full. Of a single user all failures are one.

    Args:
        arms: For each arm its users' failed requests x_i, and their requests n_i.
    """
    seen = alone = 0.0
    for failures, requests in arms:
        x, n = counts(failures), counts(requests)
        failed, every, users = int(x.sum()), int(n.sum()), int((n > 0).sum())
        if users > 1:
            rate = failed / every
            seen += users / (users - 1) * squares(x - rate * n)
            alone += rate * (1 - rate) * every
        else:
            seen += failed * failed
            alone += failed
    return max(1.0, seen / alone) if alone else 1.0


def harm_by_users(*, treatment: tuple[Numbers, Numbers], control: tuple[Numbers, Numbers]) -> Harm:
    """`harm` by request, and no surer than users allow: one whose client tries again and again is one.

    Args:
        treatment: Of each of its users the failed requests, and all.
        control: The same.
    """
    (harmed, own), (spared, others) = ([int(counts(each).sum()) for each in arm] for arm in (treatment, control))
    share = own / (own + others) if own else 0.0
    return harm(treatment=harmed, control=spared, share=share, crowding=crowding((control, treatment)))


def harm(*, treatment: int, control: int, share: float, crowding: float = 1.0) -> Harm:
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
        crowding: By which both counts are divided, since a user's requests fail alike.
    """
    if not 0 < share < 1:
        return Harm(1.0)
    harmed, spared = treatment / crowding, control / crowding
    above = dist.beta_above(1 + harmed, 1 + spared, share)
    if above < dist.SMALLEST_P:
        return Harm(min(1.0, 1 / (spared - harmed * (1 - share) / share)))
    both = lgamma(1 + harmed) + lgamma(1 + spared) - lgamma(2 + harmed + spared)
    against = harmed * log(share) + spared * log1p(-share)
    return Harm(dist.exponential(both - against + log(above) - log1p(-share)))
