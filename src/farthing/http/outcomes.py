"""Experiments and their results as JSON shows them."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import msgspec

from farthing.domain.experiments.data import MILLION, Followed
from farthing.domain.experiments.plan import Planned
from farthing.domain.experiments.results import ArmFacts, Results
from farthing.domain.pricing import NANO
from farthing.http.moments import rfc3339
from farthing.ports.experiments import Kept, Spread


def shown_experiment(kept: Kept) -> dict[str, Any]:
    """An experiment, how many results it has, and what it has come to."""
    experiment, tally = kept.experiment, kept.tally
    return {
        "id": experiment.id,
        "tenant": experiment.tenant,
        "name": experiment.name,
        "description": experiment.description,
        "hypothesis": experiment.hypothesis,
        "control_strategy": experiment.control.strategy,
        "test_strategy": experiment.arms[1].strategy,
        "arms": [msgspec.to_builtins(arm) for arm in experiment.arms],
        "sample_size": experiment.sample_size,
        "status": experiment.status,
        "created_at": rfc3339(experiment.created_us),
        "completed_at": None if experiment.completed_us is None else rfc3339(experiment.completed_us),
        "early_stop": experiment.early_stop,
        "planned_effect": experiment.planned_effect,
        "min_effect": experiment.min_effect,
        "policy": experiment.policy,
        "alpha": experiment.alpha,
        "margins": msgspec.to_builtins(experiment.margins),
        "traffic": experiment.traffic,
        "namespace": msgspec.to_builtins(experiment.namespace),
        "salt": experiment.salt,
        "scope": msgspec.to_builtins(experiment.scope),
        "promote": experiment.promote,
        "phase": experiment.phase,
        "results": tally.n,
        "late": tally.late,
        "verdict": None if experiment.verdict is None else msgspec.to_builtins(experiment.verdict),
        "doubt": None if experiment.doubt is None else msgspec.to_builtins(experiment.doubt.verdict),
        "promoted": None if experiment.promoted is None else experiment.promoted.name,
        "rolled_back_at": None if experiment.rolled_back_us is None else rfc3339(experiment.rolled_back_us),
        "rolled_back_for": experiment.rolled_back_for or None,
        "aftermath": _aftermath(kept),
    }


def _aftermath(kept: Kept) -> dict[str, Any] | None:
    if kept.aftermath is None:
        return None
    return {arm: _followed(one) for arm, one in kept.aftermath.items()}


def _followed(arm: Followed) -> dict[str, Any]:
    requests, priced, rated = (sum(column) for column in (arm.requests, arm.priced, arm.rated))
    return {
        "requests": requests,
        "errors": sum(arm.errors),
        "avg_cost": sum(arm.cost) / priced / NANO if priced else None,
        "avg_latency": sum(arm.latency) / requests / 1e3 if requests else None,
        "avg_quality": sum(arm.quality) / rated / MILLION if rated else None,
    }


def shown_plan(planned: Planned | None, spread: Spread) -> dict[str, Any]:
    """A sample size, how long it takes at the traffic of now, and the figures that it rests on."""
    deviation = sqrt(spread.variance * spread.users / spread.requests) if spread.requests else 0.0
    return {
        "sample_size": None if planned is None else planned.results,
        "days_needed": None if planned is None else planned.days,
        "based_on": {
            "users": spread.users,
            "requests": spread.requests,
            "requests_a_day": spread.requests_a_day,
            "avg_cost": spread.mean / NANO if spread.requests else None,
            "sd_cost": deviation / NANO,
        },
    }


def shown_results(kept: Kept, results: Results) -> dict[str, Any]:
    """What the results say, in short for two arms, with everything else in `metrics`.

    Of more arms the one beside control is the winner, else the one that differs the most clearly.
    """
    experiment, verdict, headline = kept.experiment, results.verdict, results.headline
    control = experiment.control
    test = experiment.arm(headline.arm) or experiment.arms[1]
    return {
        "experiment_id": experiment.id,
        "control_strategy": control.strategy,
        "test_strategy": test.strategy,
        **_arm("control", results.arms[control.name]),
        **_arm("test", results.arms[test.name]),
        "p_value": results.p_value,
        "is_significant": verdict.significant,
        "winner": verdict.winner,
        "confidence_level": 1 - experiment.alpha,
        "confidence_interval": None if results.interval is None else list(results.interval),
        "status": experiment.status,
        "reason": verdict.reason,
        "metrics": _metrics(results, kept.tally.hits),
        "series": msgspec.to_builtins(results.series),
        "verdict": msgspec.to_builtins(verdict),
    }


def _arm(prefix: str, facts: ArmFacts) -> dict[str, Any]:
    return {
        f"{prefix}_count": facts.results,
        f"{prefix}_avg_cost": facts.avg_cost,
        f"{prefix}_avg_latency": facts.avg_latency,
        f"{prefix}_avg_quality": facts.avg_quality,
    }


def _metrics(results: Results, hits: Mapping[str, int]) -> dict[str, Any]:
    facts = msgspec.to_builtins(results.experiment)
    decided_us = results.experiment.decided_at
    return {
        "experiment": {**facts, "decided_at": None if decided_us is None else rfc3339(decided_us)},
        "srm": msgspec.to_builtins(results.srm),
        "arms": {name: _with_hits(arm, hits.get(name, 0)) for name, arm in results.arms.items()},
        "comparisons": msgspec.to_builtins(results.metrics),
    }


def _with_hits(facts: ArmFacts, hits: int) -> dict[str, Any]:
    """An arm's figures beside how many of its requests the cache answered, which are none of its results."""
    asked = facts.results + hits
    return {**msgspec.to_builtins(facts), "hits": hits, "hit_rate": hits / asked if asked else None}
