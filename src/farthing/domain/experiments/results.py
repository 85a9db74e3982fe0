"""What is told of an experiment: every figure with its name, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from farthing.domain.experiments.definition import Status
from farthing.domain.experiments.verdict import Verdict, ends_as_planned

Role = Literal["primary", "guardrail", "info"]
Direction = Literal["lower", "higher"]
Standing = Literal["pass", "fail", "unclear", "unmeasured"]
Name = Literal["cost", "latency", "latency_p95", "errors", "quality", "rating_rate"]
Interval = tuple[float, float]


class Facts(Struct, frozen=True, kw_only=True):
    """The experiment's own state, and what became of its results."""

    id: str
    status: Status
    phase: int
    planned_n: int
    n: int
    late: int
    duplicates: int
    dropped: Mapping[str, int]
    """By arm."""
    invalid_values: int
    crossovers: int
    """Users seen in more than one arm."""
    decided_at: int | None
    """Microseconds since 1970 in UTC."""
    data_hash: str
    """Of everything the verdict rests on: the same data always have the same."""


class Ratio(Struct, frozen=True, kw_only=True):
    """Whether users reached the arms in the shares that were planned."""

    e_value: float | None
    """Evidence that they did not; may be watched, and blocks from 100 on."""
    p_chi2: float | None
    """Of a single look, for orientation."""
    blocked: bool


class ArmFacts(Struct, frozen=True, kw_only=True):
    """Plain figures of one arm."""

    strategy: str
    results: int
    users: int
    avg_cost: float | None
    """USD a request, failed ones included."""
    avg_latency: float | None
    """Milliseconds."""
    p95_latency: float | None
    """Milliseconds."""
    avg_quality: float | None
    """Of the rated requests."""
    error_rate: float | None
    harm_e_value: float | None
    """Evidence that it fails more often than control; from 20 on the experiment stops. None for control."""


class Winsorised(Struct, frozen=True):
    """The difference again with the dearest hundredth capped."""

    diff: float
    ci: Interval


class Cuped(Struct, frozen=True):
    """The difference again with what the prompts explain taken out (Deng et al. 2013)."""

    theta: float
    """USD a token."""
    variance_removed: float
    """Of the difference's variance, at most 1; below 0 where the prompts add more noise than they explain."""
    diff: float
    ci: Interval


class Missing(Struct, frozen=True, kw_only=True):
    """Results that are still to come, at the planned shares, until there are as many as are needed."""

    arms: Mapping[str, int]
    """Of control and of the arm."""
    all: int
    """Of all arms of the experiment, until these two have theirs."""


class Odds(Struct, frozen=True, kw_only=True):
    """What somebody would believe who knew nothing before; to show, never to decide by."""

    chance_cheaper: float
    """That a request costs less with the arm than with control."""
    loss_if_chosen: float
    """What is lost a request, as an expectation, should the arm be chosen and be the dearer one."""
    loss_if_kept: float
    """The same, should control be kept and be the dearer one."""


class Metric(Struct, frozen=True, kw_only=True):
    """One metric of one arm against control. Costs in USD, latencies in milliseconds, rates from 0 to 1.

    Every figure may be None where the data do not give it; `warnings` says why.
    """

    name: Name
    arm: str
    against: str
    role: Role
    direction: Direction
    """Which way is better."""
    unit: Literal["user", "request"] = "user"
    n_requests: Mapping[str, int]
    n_users: Mapping[str, int]
    effective_users: Mapping[str, float]
    """As many users with equally many requests would tell as much."""
    mean: Mapping[str, float | None]
    sd: Mapping[str, float | None]
    """Between users, of what one request costs; None for a single user."""
    coverage: Mapping[str, float | None]
    """The share of requests that have the metric."""
    diff: float | None = None
    rel: float | None = None
    se: float | None = None
    df: float | None = None
    t: float | None = None
    p_fixed: float | None = None
    """Valid only at the planned size."""
    p_floor: float | None = None
    """No test on so few users can give less."""
    ci: Interval | None = None
    """Valid only at the planned size."""
    rel_ci: Interval | None = None
    p_anytime: float | None = None
    """Valid however often one looks."""
    ci_anytime: Interval | None = None
    """Valid however often one looks."""
    p_adjusted: float | None = None
    """For the number of arms (Holm); of the primary metric only."""
    p_anytime_adjusted: float | None = None
    """The same of the one that is valid however often one looks."""
    power_at_planned_effect: float | None = None
    mde_80: float | None = None
    """The smallest relative difference found in four of five such experiments."""
    n_needed: int | None = None
    """Results of the arm and control together for 80% power at the planned effect."""
    n_missing: Missing | None = None
    """Of those the ones that are still to come."""
    winsorised: Winsorised | None = None
    cuped: Cuped | None = None
    odds: Odds | None = None
    degenerate: bool = False
    """Whether all users of both arms have the same value, so that the interval is none of means."""
    margin: float | None = None
    """By how much the arm may be worse: of latencies a share of control's, else in the metric's unit. Guardrails."""
    bound: float | None = None
    """How much worse it may be at most, with one-sided 95% confidence; negative is better. Of guardrails only."""
    standing: Standing | None = None
    """Of guardrails only."""
    warnings: tuple[str, ...] = ()


class Point(Struct, frozen=True):
    """The primary metric after so many results, with its anytime-valid interval, in USD a request."""

    n: int
    arm: str
    diff: float
    low: float
    high: float


class Results(Struct, frozen=True, kw_only=True):
    """All that is known of an experiment at one moment."""

    experiment: Facts
    srm: Ratio
    arms: Mapping[str, ArmFacts]
    metrics: tuple[Metric, ...]
    """For each arm but control: cost first, then the guardrails."""
    verdict: Verdict
    series: tuple[Point, ...] = ()

    def primary(self, arm: str) -> Metric | None:
        """The cost of this arm against control's."""
        return next((metric for metric in self.metrics if metric.role == "primary" and metric.arm == arm), None)

    @property
    def headline(self) -> Metric:
        """The cost of the arm that the verdict's sentence is about, else of the one that differs the most clearly."""
        costs = [metric for metric in self.metrics if metric.role == "primary"]
        named = next((metric for metric in costs if metric.arm in (self.verdict.about, self.verdict.winner)), None)
        return named or min(costs, key=lambda metric: 1.0 if metric.p_fixed is None else metric.p_fixed)

    @property
    def is_planned(self) -> bool:
        """As `ends_as_planned`."""
        verdict, facts = self.verdict, self.experiment
        return verdict.is_final and ends_as_planned(verdict.rule, facts.n, facts.planned_n)

    @property
    def p_value(self) -> float | None:
        """Of the headline, for whoever wants one number: adjusted for the arms, and valid at the moment it is read.

        That is the ordinary one once the plan, or its early boundary, has decided. Before, and after an end by hand or
        by harm, it is the anytime-valid one.
        """
        return self.headline.p_adjusted if self.is_planned else self.headline.p_anytime_adjusted

    @property
    def interval(self) -> Interval | None:
        """Of the headline's difference in USD a request, chosen as `p_value` is."""
        return self.headline.ci if self.is_planned else self.headline.ci_anytime
