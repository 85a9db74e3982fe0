"""Whether users were spread over the arms as planned: the sample ratio, at any number of looks."""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log

from msgspec import Struct

from farthing.domain.stats import distributions as dist

CONCENTRATION = 200.0
"""Of the Dirichlet prior around the planned shares: how many users it speaks for."""
BLOCKING = 100.0
"""The e-value from which on no result of the experiment counts."""


class Balance(Struct, frozen=True):
    """The sample ratio at one look."""

    e_value: float
    """Evidence against the planned shares; ≥ 100 ever in at most 1 of 100 sound experiments."""
    p_chi2: float
    """Of Pearson's χ², for people who know it; valid at one look only."""

    @property
    def blocked(self) -> bool:
        """Whether no winner may be named."""
        return self.e_value >= BLOCKING


def balance(users: Sequence[int], shares: Sequence[float]) -> Balance:
    """Checks how many users each arm has against its planned share (any positive scale; 0 leaves the arm out)."""
    return Balance(dist.exponential(log_e_value(users, shares)), chi_square(users, shares))


def combined(logs: Sequence[float], p_chi2: float) -> Balance:
    """One check of several phases: their e-values, of which the logarithms are given, multiplied."""
    return Balance(dist.exponential(sum(logs)), p_chi2)


def log_e_value(users: Sequence[int], shares: Sequence[float], prior: Sequence[float] | None = None) -> float:
    """Natural logarithm of the Dirichlet-multinomial e-value (Lindon and Malek 2022).

    lnΓ(A) − lnΓ(A+n) + Σ[lnΓ(α_i+n_i) − lnΓ(α_i) − n_i ln w_i], with α = 200·w unless a prior is given.
    """
    planned = sum(shares)
    weights = [share / planned for share in shares]
    alphas = prior or [CONCENTRATION * weight for weight in weights]
    arms = [(n, w, a) for n, w, a in zip(users, weights, alphas, strict=True) if w > 0]
    every, mass = sum(n for n, _, _ in arms), sum(a for _, _, a in arms)
    found = lgamma(mass) - lgamma(mass + every)
    return found + sum(lgamma(a + n) - lgamma(a) - n * log(w) for n, w, a in arms)


def chi_square(users: Sequence[int], shares: Sequence[float]) -> float:
    """p-value of Pearson's χ² test of the planned shares; 1 where there is nothing to compare."""
    arms = [(n, share) for n, share in zip(users, shares, strict=True) if share > 0]
    every, planned = sum(n for n, _ in arms), sum(share for _, share in arms)
    if every == 0 or len(arms) == 1:
        return 1.0
    expected = [every * share / planned for _, share in arms]
    statistic = sum((n - due) ** 2 / due for (n, _), due in zip(arms, expected, strict=True))
    return dist.chi_square_p(statistic, len(arms) - 1)
