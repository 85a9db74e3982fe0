"""The other promises: intervals, few users, guardrails, sample ratio and kill switch."""

from __future__ import annotations

from math import log

import numpy as np
from scipy.special import gammaln, ndtri, stdtr, stdtrit

from benchmarks.experiments.paths import Reals, Scenario, Wholes, chunks, running, welch
from farthing.domain.stats.balance import BLOCKING, CONCENTRATION
from farthing.domain.stats.distributions import SMALLEST_P
from farthing.domain.stats.harm import harm, harm_by_users
from farthing.domain.stats.means import arm_mean, compare
from farthing.domain.stats.noninferiority import non_inferiority

ALPHA = 0.05
FIRST_LOOK = 10
"""Users in the smaller arm from which on the path of the interval is judged."""
FARTHEST = 600.0
"""ln, beyond which a number of permutations cannot be told from infinitely many."""


def half_widths(n: Wholes, planned: int, users: tuple[Reals, Reals], welched: tuple[Reals, ...]) -> Reals:
    """Half of the shipped anytime-valid interval after n results, each array one of runs and looks."""
    diff, se, freedom, t = welched
    ways = gammaln(users[0] + users[1] + 1) - gammaln(users[0] + 1) - gammaln(users[1] + 1)
    floor = np.maximum(SMALLEST_P, 2 * np.exp(-np.minimum(ways, FARTHEST)))
    z = -ndtri(np.minimum(1.0, np.maximum(2 * stdtr(freedom, -np.abs(t)), floor)) / 2)
    wide = se * stdtrit(freedom, 0.975) / ndtri(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = np.where(z > 0, np.maximum(wide, np.abs(diff) / z), wide)
    spread = (-2 * log(ALPHA) + log(1 - 2 * log(ALPHA))) / planned * n
    q = spread + 1
    found: Reals = wide * np.sqrt(2 * q / spread * np.log(np.sqrt(q) / ALPHA))
    return found


def coverage(scenario: Scenario, runs: int, seed: int) -> float:
    """The share of runs in which the anytime-valid interval holds the truth after every single result."""
    held = 0
    for part in chunks(scenario, runs, seed):
        control, other = running(part)
        with np.errstate(divide="ignore", invalid="ignore"):
            welched = welch(control, other)
            n = np.broadcast_to(np.arange(1, part.cost.shape[1] + 1), part.cost.shape)
            half = half_widths(n, scenario.planned, (control.users, other.users), welched)
        is_judged = np.minimum(control.users, other.users) >= FIRST_LOOK
        missed = is_judged & (np.abs(welched[0] - scenario.effect) > half)
        held += int((~missed.any(axis=1)).sum())
    return held / runs


def uneven(users: int, runs: int, seed: int) -> float:
    """The share of A/A tests with p ≤ 0.05 at one look, where users differ in cost and in how often they come."""
    chance, found = np.random.default_rng(seed), 0
    for _ in range(runs):
        requests = np.ceil(chance.lognormal(1.0, 1.0, size=users)).astype(np.int64)
        each = np.exp(0.5 * chance.standard_normal(users))
        noise = chance.standard_normal(users) * np.sqrt(requests)
        half = users // 2
        sums = each * requests + 0.5 * noise
        control, other = arm_mean(sums[:half], requests[:half]), arm_mean(sums[half:], requests[half:])
        compared = compare(control, other) if control and other else None
        found += compared is not None and compared.p <= ALPHA
    return found / runs


def inferior(users: int, runs: int, seed: int, *, policy: str = "default") -> float:
    """The share of arms that pass a margin of 0.2 although they are worse by just that, ratings being 1 to 5."""
    chance, passed = np.random.default_rng(seed), 0
    for _ in range(runs):
        control = np.clip(np.rint(chance.normal(3.0, 0.8, users)), 1, 5)
        treatment = np.clip(np.rint(chance.normal(3.0, 0.8, users)), 1, 5) - 0.2
        means = [arm_mean(ratings, np.ones(users, dtype=np.int64)) for ratings in (control, treatment)]
        compared = compare(means[0], means[1]) if means[0] and means[1] else None
        if compared is not None:
            passed += non_inferiority(compared.absolute, margin=0.2, better="higher", policy=policy) == "pass"
    return passed / runs


def ratio_alarms(share: float, runs: int, seed: int, *, users: int = 5_000, looks: int = 100) -> float:
    """The share of experiments planned half and half whose sample ratio is ever called wrong."""
    chance = np.random.default_rng(seed)
    each = chance.binomial(users // looks, share, size=(runs, looks)).cumsum(axis=1)
    every = np.arange(1, looks + 1) * (users // looks)
    return float((log_ratio_evidence(each, every) >= log(BLOCKING)).any(axis=1).mean())


def log_ratio_evidence(treatment: Wholes, every: Wholes) -> Reals:
    """The natural logarithm of the shipped e-value for two equal arms, as arrays."""
    mass, half = CONCENTRATION, CONCENTRATION / 2
    planned = gammaln(mass) - gammaln(mass + every) - 2 * gammaln(half) - every * log(0.5)
    found: Reals = planned + gammaln(half + treatment) + gammaln(half + every - treatment)
    return found


def tripped(rates: tuple[float, float], runs: int, seed: int, *, requests: int = 4_000) -> tuple[float, float]:
    """The share of experiments that the kill switch ends, and after how many requests of both arms on average.

    Between failures nothing can trip it, so that the shipped function is asked at each failure.
    """
    chance, ended, took = np.random.default_rng(seed), 0, 0
    for _ in range(runs):
        arm = chance.integers(0, 2, requests)
        failed = chance.random(requests) < np.where(arm == 1, rates[1], rates[0])
        treated, harmed = np.cumsum(arm), np.cumsum(failed & (arm == 1))
        spared = np.cumsum(failed & (arm == 0))
        for at in np.flatnonzero(failed & (arm == 1)):
            share = int(treated[at]) / (int(at) + 1)
            if harm(treatment=int(harmed[at]), control=int(spared[at]), share=share).tripped:
                ended, took = ended + 1, took + int(at) + 1
                break
        else:
            took += requests
    return ended / runs, took / runs


def tripped_by_users(runs: int, seed: int, *, users: int = 100, requests: int = 2_000, failing: float = 0.05) -> float:
    """The share of A/A tests that the kill switch ends where users differ: some fail always, most hardly ever."""
    chance, ended = np.random.default_rng(seed), 0
    for _ in range(runs):
        arm = chance.integers(0, 2, users)
        rates = chance.beta(failing, 1 - failing, users)
        who = chance.integers(0, users, requests)
        failed = chance.random(requests) < rates[who]
        for at in np.flatnonzero(failed & (arm[who] == 1)):
            asked = who[: at + 1]
            counted = [np.bincount(part, minlength=users) for part in (asked[failed[: at + 1]], asked)]
            if _trips(arm, *counted):
                ended += 1
                break
    return ended / runs


def _trips(arm: Wholes, failures: Wholes, requests: Wholes) -> bool:
    """The shipped kill switch on each user's failures and requests, users being of arm 0 or 1."""
    sides = [(failures[arm == side], requests[arm == side]) for side in (0, 1)]
    return harm_by_users(treatment=sides[1], control=sides[0]).tripped
