"""Every metric of an experiment estimated: means by arm, and each arm compared with control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.experiments.data import Cohort, Data
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.results import Direction, Name, Role
from farthing.domain.stats.columns import column as checked
from farthing.domain.stats.columns import total
from farthing.domain.stats.means import ArmMean, Comparison, arm_mean, compare
from farthing.domain.stats.phases import PhaseMeans, compare_phases
from farthing.domain.stats.quantiles import arm_quantile


class Source(Struct, frozen=True, kw_only=True):
    """Where a metric comes from, and how it is read."""

    name: Name
    sums: Literal["cost", "latency", "errors", "quality", "rated", "latency_us"]
    """The cohort's column that is added up, or for a quantile holds the values."""
    counts: Literal["requests", "rated", "latency_user"] = "requests"
    """The column it is divided by, or for a quantile names the users."""
    scale: float = 1.0
    """By which the column's unit is divided for people."""
    role: Role = "guardrail"
    direction: Direction = "lower"


COST = Source(name="cost", sums="cost", scale=1e9, role="primary")
LATENCY = Source(name="latency", sums="latency", scale=1e3)
LATENCY_P95 = Source(name="latency_p95", sums="latency_us", counts="latency_user", scale=1e3)
ERRORS = Source(name="errors", sums="errors")
QUALITY = Source(name="quality", sums="quality", counts="rated", direction="higher")
RATING_RATE = Source(name="rating_rate", sums="rated", role="info", direction="higher")
SOURCES = (COST, LATENCY, LATENCY_P95, ERRORS, QUALITY, RATING_RATE)
P95 = 0.95


def estimated(source: Source, cohort: Cohort) -> ArmMean | None:
    """One metric of one cohort in the column's own unit; None where nobody has it, or too few for a quantile."""
    sums, counts = getattr(cohort, source.sums), getattr(cohort, source.counts)
    if source is LATENCY_P95:
        found = arm_quantile(sums, counts, share=P95)
        # A phase weighs as much as it has requests, however many of them have their latency told.
        return None if found is None else replace(found, requests=sum(cohort.requests))
    return arm_mean(sums, counts)


class Panel:
    """All cohorts of an experiment, each metric estimated once."""

    def __init__(self, experiment: Experiment, data: Data) -> None:
        """Cohorts without users count as missing."""
        self.experiment = experiment
        self.data = data
        self._cohorts = {(one.phase, one.arm): one for one in data.cohorts if len(one.requests)}
        self._means: dict[tuple[Name, int, str], ArmMean | None] = {}
        self.phases: Sequence[int] = sorted({phase for phase, _ in self._cohorts})
        """Those that have results."""

    def cohort(self, phase: int, arm: str) -> Cohort | None:
        """The users of an arm in a phase."""
        return self._cohorts.get((phase, arm))

    def cohorts(self, arm: str) -> list[Cohort]:
        """The users of an arm, phase by phase."""
        return [one for phase in self.phases if (one := self.cohort(phase, arm)) is not None]

    def total(self, arm: str, column: Literal["requests", "cost", "latency", "errors", "rated", "quality"]) -> float:
        """The sum of a column over all users of an arm and all phases; whole where the column is."""
        return sum(total(checked(getattr(one, column))) for one in self.cohorts(arm))

    def requests(self, arm: str) -> int:
        """Results of an arm that are analysed."""
        return int(self.total(arm, "requests"))

    def users(self, arm: str) -> int:
        """Users of an arm; those of two phases count in each."""
        return sum(len(one.requests) for one in self.cohorts(arm))

    def mean(self, source: Source, phase: int, arm: str) -> ArmMean | None:
        """One metric of one arm in one phase."""
        key = source.name, phase, arm
        if key not in self._means:
            cohort = self.cohort(phase, arm)
            self._means[key] = None if cohort is None else estimated(source, cohort)
        return self._means[key]

    def comparison(self, source: Source, arm: str) -> Comparison | None:
        """The arm against control, phases combined by their weights; None with fewer than two users in an arm."""
        control = self.experiment.control.name
        return compared(
            [(self.mean(source, phase, control), self.mean(source, phase, arm)) for phase in self.phases],
            alpha=self.experiment.alpha,
        )

    def single(self, source: Source, arm: str) -> ArmMean | None:
        """The arm's own figures, of the last phase that has any."""
        return next((one for phase in reversed(self.phases) if (one := self.mean(source, phase, arm))), None)


def compared(phases: Sequence[tuple[ArmMean | None, ArmMean | None]], *, alpha: float) -> Comparison | None:
    """Control and treatment of each phase compared; phases in which one of them is missing are left out."""
    both = [PhaseMeans(control, treatment) for control, treatment in phases if control and treatment]
    if len(both) == 1:
        return compare(both[0].control, both[0].treatment, alpha=alpha)
    return compare_phases(both, alpha=alpha)
