"""What a verdict rests on: checks of the whole experiment, and each arm against control."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import Panel
from farthing.domain.experiments.results import Metric, Ratio
from farthing.domain.stats.balance import Balance, balance, chi_square, combined, log_e_value
from farthing.domain.stats.distributions import exponential
from farthing.domain.stats.harm import TRIPPING, harm_by_users
from farthing.domain.stats.means import Effect
from farthing.domain.stats.sequential import Rule, early_rule, information, planned_rule


class Contest(Struct, frozen=True, kw_only=True):
    """One arm against control."""

    cost: Metric
    guardrails: Sequence[Metric]
    effect: Effect | None
    """The difference in cost, its p-value adjusted for the number of arms; None where there is nothing to compare."""
    fraction: float
    """The share of the planned information at hand."""
    users: int
    """Of the smaller arm."""
    harm: float
    """Evidence that the arm fails more often than control."""
    flips: bool
    """Whether the sign, or what the rule in force would decide, is another with the dearest users capped."""
    is_rated_unevenly: bool

    @property
    def p(self) -> float:
        """Adjusted for the number of arms; 1 where there is nothing to compare."""
        return 1.0 if self.effect is None else self.effect.p

    @property
    def is_harmful(self) -> bool:
        """Whether the kill switch has tripped."""
        return self.harm >= TRIPPING


class Evidence(Struct, frozen=True, kw_only=True):
    """Everything that the decision asks for."""

    experiment: Experiment
    n: int
    users: dict[str, int]
    """With results, by arm."""
    assigned: dict[str, int]
    """By arm all users, those whose answers the cache had too."""
    ratio: Ratio
    crossed: float
    """The share of users who were seen in more than one arm."""
    dropped: dict[str, int]
    contests: Sequence[Contest]
    """For each arm but control."""


def rule_of(experiment: Experiment) -> Rule:
    """What a difference must reach: at the planned size, and where it may stop early also before."""
    return (early_rule if experiment.early_stop else planned_rule)(experiment.alpha)


def ratio(panel: Panel) -> Ratio:
    """Whether users reached the arms in the planned shares; e-values of several phases are multiplied."""
    arms = [arm.name for arm in panel.experiment.arms]
    phases = panel.experiment.phases
    spread = [
        ([_users(panel, phase, arm) for arm in arms], phases[min(phase, len(phases) - 1)].shares)
        for phase in panel.phases
    ]
    if not spread:
        return Ratio(e_value=None, p_chi2=None, blocked=False)
    if len(spread) == 1:
        return _told(balance(*spread[0]))
    users = [sum(column) for column in zip(*(found for found, _ in spread), strict=True)]
    expected = [sum(sum(found) * shares[place] for found, shares in spread) for place in range(len(arms))]
    logs = [log_e_value(found, shares) for found, shares in spread]
    return _told(combined(logs, chi_square(users, expected)))


def _told(found: Balance) -> Ratio:
    return Ratio(e_value=found.e_value, p_chi2=found.p_chi2, blocked=found.blocked)


def assigned(panel: Panel) -> dict[str, int]:
    """By arm all users; those of two phases count in each."""
    return {arm.name: sum(_users(panel, phase, arm.name) for phase in panel.phases) for arm in panel.experiment.arms}


def _users(panel: Panel, phase: int, arm: str) -> int:
    """All that were assigned, those without a result too: an arm with more users finds more answers in the cache."""
    cohort = panel.cohort(phase, arm)
    served = sum(one.users for one in panel.data.served if (one.phase, one.arm) == (phase, arm))
    return served + (0 if cohort is None else len(cohort.requests))


def harmfulness(panel: Panel, arm: str) -> float:
    """The e-value that the arm fails more often than control, phases multiplied."""
    logs = 0.0
    for phase in panel.phases:
        control, treatment = panel.cohort(phase, panel.experiment.control.name), panel.cohort(phase, arm)
        if control is None or treatment is None:
            continue
        found = harm_by_users(
            treatment=(treatment.errors, treatment.requests), control=(control.errors, control.requests)
        )
        logs += log(found.e_value)
    return exponential(logs)


def fraction(panel: Panel, arm: str) -> float:
    """The share of the planned information; 0 in several phases, between which the plan's boundary does not hold."""
    experiment = panel.experiment
    if len(panel.phases) != 1:
        return 0.0
    treatment = experiment.arm(arm)
    shares = experiment.control.share, treatment.share if treatment else 0.0
    requests = panel.requests(experiment.control.name), panel.requests(arm)
    return information(*requests, planned=experiment.sample_size, shares=shares)
