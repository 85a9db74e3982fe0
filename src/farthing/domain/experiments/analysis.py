"""From results to figures and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from farthing.domain.experiments.data import Data
from farthing.domain.experiments.decision import decide
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import COST, LATENCY, LATENCY_P95, Panel
from farthing.domain.experiments.evidence import Contest, Evidence, fraction, harmfulness, ratio
from farthing.domain.experiments.metrics import MISSING_LEVEL, metrics, with_cost
from farthing.domain.experiments.results import ArmFacts, Facts, Metric, Results
from farthing.domain.experiments.sensitivity import capped
from farthing.domain.experiments.series import series
from farthing.domain.stats.fingerprint import fingerprint
from farthing.domain.stats.means import Comparison, Effect
from farthing.domain.stats.multiplicity import holm

HASHED = ("requests", "cost", "latency", "errors", "rated", "quality", "covariate")
"""Columns of a cohort whose content the hash is of."""


def analyse(experiment: Experiment, data: Data) -> Results:
    """Everything that is known from these data. Takes milliseconds of CPU: call it off the event loop.

    The same data in another order give the same verdict, the same hash, and the same figures to 12 digits.
    """
    panel = Panel(experiment, data)
    found, evidence = evidence_of(panel)
    return Results(
        experiment=_facts(panel),
        srm=evidence.ratio,
        arms={arm.name: _arm(panel, arm.strategy, arm.name) for arm in experiment.arms},
        metrics=tuple(found),
        verdict=experiment.verdict or decide(evidence),
        series=series(experiment, data),
    )


def evidence_of(panel: Panel) -> tuple[list[Metric], Evidence]:
    """All metrics, and what the verdict rests on."""
    experiment, data = panel.experiment, panel.data
    treatments = [arm.name for arm in experiment.arms[1:]]
    comparisons = {arm: panel.comparison(COST, arm) for arm in treatments}
    adjusted = _adjusted(list(comparisons.values()))
    told: list[Metric] = []
    contests = []
    for (arm, comparison), effect in zip(comparisons.items(), adjusted, strict=True):
        cost, *others = metrics(panel, arm)
        contest, cost = _contest(panel, cost, others, (comparison, effect))
        contests.append(contest)
        told += [cost, *others]
    users = {arm.name: panel.users(arm.name) for arm in experiment.arms}
    everybody = sum(users.values())
    evidence = Evidence(
        experiment=experiment,
        n=data.n,
        users=users,
        ratio=ratio(panel),
        crossed=data.crossovers / everybody if everybody else 0.0,
        dropped=dict(data.dropped),
        contests=contests,
    )
    return told, evidence


def _adjusted(comparisons: Sequence[Comparison | None]) -> list[Effect | None]:
    """The differences in cost with p-values for as many arms as there are, those without results included."""
    p = holm([1.0 if one is None else one.p for one in comparisons])
    return [None if one is None else replace(one.absolute, p=much) for one, much in zip(comparisons, p, strict=True)]


def _contest(
    panel: Panel, cost: Metric, others: Sequence[Metric], found: tuple[Comparison | None, Effect | None]
) -> tuple[Contest, Metric]:
    """One arm against control, and its primary metric with all that is told of it."""
    comparison, effect = found
    capping, flips = capped(panel, cost.arm), False
    if comparison is not None and effect is not None and capping is not None:
        cost = replace(with_cost(cost, panel, comparison, capping), p_adjusted=effect.p)
        flips = _flips(comparison.absolute, capping.comparison.absolute, panel.experiment.alpha)
    rates = next(one for one in others if one.name == "rating_rate")
    contest = Contest(
        cost=cost,
        guardrails=[one for one in others if one.role == "guardrail"],
        effect=effect,
        fraction=fraction(panel, cost.arm),
        users=min(panel.users(panel.experiment.control.name), panel.users(cost.arm)),
        harm=harmfulness(panel, cost.arm),
        flips=flips,
        is_rated_unevenly=rates.p_fixed is not None and rates.p_fixed < MISSING_LEVEL,
    )
    return contest, cost


def _flips(plain: Effect, capping: Effect, alpha: float) -> bool:
    """Whether the dearest users alone make the sign or the significance."""
    return plain.estimate * capping.estimate <= 0 or (plain.p <= alpha) != (capping.p <= alpha)


def _arm(panel: Panel, strategy: str, arm: str) -> ArmFacts:
    requests, rated = panel.requests(arm), int(panel.total(arm, "rated"))
    tail = panel.single(LATENCY_P95, arm)
    control = panel.experiment.control.name
    return ArmFacts(
        strategy=strategy,
        results=requests,
        users=panel.users(arm),
        avg_cost=panel.total(arm, "cost") / requests / COST.scale if requests else None,
        avg_latency=panel.total(arm, "latency") / requests / LATENCY.scale if requests else None,
        p95_latency=tail.mean / LATENCY_P95.scale if tail else None,
        avg_quality=panel.total(arm, "quality") / rated if rated else None,
        error_rate=panel.total(arm, "errors") / requests if requests else None,
        harm_e_value=None if arm == control else harmfulness(panel, arm),
    )


def _facts(panel: Panel) -> Facts:
    experiment, data = panel.experiment, panel.data
    return Facts(
        id=experiment.id,
        status=experiment.status,
        phase=experiment.phase,
        planned_n=experiment.sample_size,
        n=data.n,
        late=data.late,
        duplicates=data.duplicates,
        dropped=data.dropped,
        invalid_values=data.invalid_values,
        crossovers=data.crossovers,
        decided_at=experiment.completed_us,
        data_hash=_hash(panel),
    )


def _hash(panel: Panel) -> str:
    """Of all cohorts, in the order of phases and arms."""
    parts = [
        (f"{phase}:{arm.name}", [getattr(cohort, column) for column in HASHED])
        for phase in panel.phases
        for arm in panel.experiment.arms
        if (cohort := panel.cohort(phase, arm.name)) is not None
    ]
    return fingerprint(parts)
