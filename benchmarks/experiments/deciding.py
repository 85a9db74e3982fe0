"""What the shipped rules decide in simulated experiments, with a look after every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from benchmarks.experiments.paths import Reals, Running, Runs, Scenario, chunks, running, welch
from farthing.domain.stats.means import ArmMean, Effect, compare
from farthing.domain.stats.multiplicity import holm
from farthing.domain.stats.sequential import EARLIEST, EARLY_USERS, early_rule, information, planned_rule

PEEKED = 1.96
AT_THE_PLAN, EARLY = planned_rule(), early_rule()
BLOCK = 10_000_000
"""Results, once for each arm but control, that are played with one seed."""
CLOSE = 0.98
"""A look is decided by the shipped functions where its screened boundary comes this close; where users come once the
screened figures are the shipped ones, but for rounding and for |z|, which is below |t|."""


@dataclass(frozen=True)
class Outcome:
    """What became of so many experiments; shares of them."""

    runs: int
    planned: float
    """With a winner by one look at the planned size."""
    early: float
    """With a winner by the early boundary, looked at after every result, or at the planned size."""
    size: float
    """Results at which those with an early boundary ended, on average, as a share of the plan."""
    peeked: float
    """With p < 0.05 by the ordinary test at some look."""


def outcome(scenario: Scenario, runs: int, seed: int) -> Outcome:
    """Plays so many experiments by both rules, in blocks with a seed each."""
    size = BLOCK // (scenario.planned * (len(scenario.shares) - 1))
    starts = range(0, runs, size)
    return together([block(scenario, min(size, runs - start), seed + place) for place, start in enumerate(starts)])


def together(blocks: Sequence[Outcome]) -> Outcome:
    """All blocks as one."""
    runs = sum(one.runs for one in blocks)

    def share(name: str) -> float:
        return float(sum(getattr(one, name) * one.runs for one in blocks)) / runs

    return Outcome(runs, share("planned"), share("early"), share("size"), share("peeked"))


def block(scenario: Scenario, runs: int, seed: int) -> Outcome:
    """As `outcome`, in one piece."""
    planned = early = peeked = 0
    results = 0.0
    for part in chunks(scenario, runs, seed):
        screened, naive = _screened(part, running(part))
        peeked += int(naive.sum())
        for run in range(len(part.cost)):
            last = min((one.effect.p for one in contests(part, run, scenario.planned)), default=1.0)
            planned += last <= AT_THE_PLAN.level
            ended = ends(part, run, screened[run])
            early += ended is not None or last <= EARLY.level
            results += ended or scenario.planned
    return Outcome(runs, planned / runs, early / runs, results / runs / scenario.planned, peeked / runs)


def ends(part: Runs, run: int, looks: Reals) -> int | None:
    """After how many results a run ends before the plan is full: the shipped rule is asked where it is close."""
    for look in np.flatnonzero(looks):
        results = int(look) + 1
        if any(EARLY.stops(one.effect, one.fraction, users=one.users) for one in contests(part, run, results)):
            return results
    return None


@dataclass(frozen=True)
class Contest:
    """One arm against control after so many results, by the shipped functions."""

    effect: Effect
    """With its p-value adjusted for the number of arms."""
    fraction: float
    users: int


def contests(part: Runs, run: int, results: int) -> list[Contest]:
    """Every arm that has enough users, against control."""
    scenario = part.scenario
    control, *others = part.arm_means(run, results)
    found = []
    for place, (effect, other) in enumerate(zip(adjusted(control, others), others, strict=True), start=1):
        if effect is None or control is None or other is None:
            continue
        shares = scenario.shares[0], scenario.shares[place]
        fraction = information(int(control.requests), int(other.requests), planned=scenario.planned, shares=shares)
        found.append(Contest(effect, fraction, min(control.users, other.users)))
    return found


def adjusted(control: ArmMean | None, others: list[ArmMean | None]) -> list[Effect | None]:
    """Every arm against control, p-values for as many arms as there are."""
    found = [compare(control, other) if control and other else None for other in others]
    p = holm([1.0 if one is None else one.decisive_p for one in found])
    return [None if one is None else replace(one.absolute, p=much) for one, much in zip(found, p, strict=True)]


def _screened(part: Runs, arms: list[Running]) -> tuple[Reals, Reals]:
    """Looks before the plan is full that come close to the early boundary, and runs in which peeking finds one."""
    scenario = part.scenario
    near = np.zeros(part.cost.shape, dtype=bool)
    naive = np.zeros(len(part.cost), dtype=bool)
    for place, other in enumerate(arms[1:], start=1):
        first, second = scenario.shares[0], scenario.shares[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            at_hand = arms[0].requests * other.requests / (arms[0].requests + other.requests)
            fraction = np.minimum(1.0, at_hand / (scenario.planned * first * second / (first + second)))
            t = np.abs(welch(arms[0], other)[3])
        enough = (arms[0].users >= EARLY_USERS) & (other.users >= EARLY_USERS)
        boundary = (CLOSE if scenario.requests > 1 else 1 - 1e-9) * (EARLY.early or 0.0)
        near |= enough & (fraction >= EARLIEST) & (t * np.sqrt(fraction) >= boundary)
        naive |= (enough & (t > PEEKED)).any(axis=1)
    near[:, -1] = False
    return near, naive
