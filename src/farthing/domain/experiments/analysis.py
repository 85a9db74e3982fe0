"""From results to figures and a verdict."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import product

from msgspec.structs import replace

from farthing.domain.experiments.data import Data
from farthing.domain.experiments.decision import decide
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import COST, LATENCY, LATENCY_P95, Panel
from farthing.domain.experiments.evidence import Contest, Evidence, assigned, fraction, harmfulness, ratio, rule_of
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
    cappings = {arm: capped(panel, arm) for arm in treatments}
    effects = _adjusted(list(comparisons.values()))
    capped_effects = _adjusted([one.comparison if one else None for one in cappings.values()])
    tables = [metrics(panel, arm) for arm in treatments]
    watched = holm([1.0 if cost.p_anytime is None else cost.p_anytime for cost, *_ in tables])
    told: list[Metric] = []
    contests = []
    for arm, table, always, effect, other in zip(treatments, tables, watched, effects, capped_effects, strict=True):
        cost, *others = table
        comparison, capping = comparisons[arm], cappings[arm]
        if comparison is not None and effect is not None and capping is not None:
            adjusted = {"p_adjusted": effect.p, "p_anytime_adjusted": always}
            cost = replace(with_cost(cost, panel, comparison, capping), **adjusted)
        contest = _contest(panel, cost, others, (effect, other))
        contests.append(contest)
        told += [cost, *others]
    users = {arm.name: panel.users(arm.name) for arm in experiment.arms}
    everybody = sum(users.values())
    evidence = Evidence(
        experiment=experiment,
        n=data.n,
        users=users,
        assigned=assigned(panel),
        ratio=ratio(panel),
        crossed=data.crossovers / everybody if everybody else 0.0,
        dropped=dict(data.dropped),
        contests=contests,
    )
    return told, evidence


def _adjusted(comparisons: Sequence[Comparison | None]) -> list[Effect | None]:
    """The differences in cost with the p-values that decide, for as many arms as there are, with results or without."""
    p = holm([1.0 if one is None else one.decisive_p for one in comparisons])
    return [None if one is None else replace(one.absolute, p=much) for one, much in zip(comparisons, p, strict=True)]


def _contest(
    panel: Panel, cost: Metric, others: Sequence[Metric], found: tuple[Effect | None, Effect | None]
) -> Contest:
    """One arm against control; `found` is the difference in cost as it is, and with the dearest users capped."""
    rates = next(one for one in others if one.name == "rating_rate")
    contest = Contest(
        cost=cost,
        guardrails=[one for one in others if one.role == "guardrail"],
        effect=found[0],
        fraction=fraction(panel, cost.arm),
        users=min(panel.users(panel.experiment.control.name), panel.users(cost.arm)),
        harm=harmfulness(panel, cost.arm),
        flips=False,
        is_rated_unevenly=rates.p_fixed is not None and rates.p_fixed < MISSING_LEVEL,
    )
    return replace(contest, flips=_flips(panel, contest, found[1]))


def _flips(panel: Panel, contest: Contest, capping: Effect | None) -> bool:
    """Whether the dearest users alone make the sign, or what the rule in force would decide."""
    plain, experiment = contest.effect, panel.experiment
    if plain is None or capping is None:
        return False
    if plain.estimate * capping.estimate <= 0:
        return True
    rule = rule_of(experiment)
    if panel.data.n < experiment.sample_size:
        of_all, of_most = (rule.stops(one, contest.fraction, users=contest.users) for one in (plain, capping))
        return of_all != of_most
    return (plain.p <= rule.level) != (capping.p <= rule.level)


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
    """Of all cohorts, in the order of phases and arms, and of how many results and movers between arms there are."""
    parts = [("", [array("q", [panel.data.n]), array("q", [panel.data.crossovers])])]
    for phase, arm in product(panel.phases, panel.experiment.arms):
        if (cohort := panel.cohort(phase, arm.name)) is not None:
            parts.append((f"{phase}:{arm.name}", [getattr(cohort, column) for column in HASHED]))
            parts.append((f"{phase}:{arm.name}:latencies", [cohort.latency_us]))
    return fingerprint(parts)
