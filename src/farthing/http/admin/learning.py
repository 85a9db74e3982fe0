"""What was learned from rated answers: looked at, learned anew, taken back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from farthing.domain.errors import Stopping
from farthing.domain.routing import STRATEGIES
from farthing.domain.routing.cold import COLD
from farthing.domain.routing.pace import Pace
from farthing.domain.routing.weighing import Weights
from farthing.http.moments import rfc3339
from farthing.http.services import services_of
from farthing.insight.learning.judged import Judged, Standing, judged
from farthing.insight.learning.promising import Opinion, Pledge, reason_of
from farthing.insight.learning.retraining import is_enough
from farthing.ports.learning import Run

LONGEST_WAIT_S = 60.0


class Wish(BaseModel):
    """Whether what is learned may be kept, and how long to wait for the end before it is told that it goes on."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = True
    wait_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)] = 20.0


async def status(request: Request) -> dict[str, Any]:
    """What is in force, from how much it was learned, what can be gone back to, and what is promised."""
    services = services_of(request)
    found, snapshot = await services.learning.status(), services.snapshots.current
    runs = [shown_run(run) for run in found.runs]
    return {
        "active": next((run for run in runs if run["is_active"]), None),
        "unused": snapshot.unused,
        "prior": {"is_in_force": snapshot.strategies is STRATEGIES, "weight": COLD.weight, "most": COLD.most},
        "labels": {"total": sum(found.labels.values()), "models": dict(found.labels)},
        "is_enough": is_enough(found.labels),
        "training": next((run for run in runs if run["outcome"] == "running"), None),
        "last": runs[0] if runs else None,
        "snapshots": [run for run in runs if run["is_kept"]],
        "judge": shown_judged(snapshot.judge, await asyncio.to_thread(judged, await services.grades.graded())),
        "pace": shown_pace(snapshot.pace),
        "checks": shown_weights(snapshot.check_weights),
        "promises": [shown_pledge(pledge) for pledge in await services.promising.pledges()],
    }


async def retrain(request: Request, query: Annotated[Wish, Query()]) -> dict[str, Any]:
    """Learns anew; unless `dry_run` is false it is only told what would come of it. Raises `Conflict`."""
    task = await services_of(request).learning.start(dry_run=query.dry_run)
    await asyncio.wait([task], timeout=query.wait_s)
    if task.cancelled():
        raise Stopping
    return shown_run(task.result() if task.done() else (await _found(request)))


async def rollback(request: Request) -> dict[str, Any]:
    """Goes back to what was learned before; every worker follows within a second. Raises `Conflict`."""
    services = services_of(request)
    run = await services.learning.rollback()
    await services.refresh()
    return shown_run(run)


async def _found(request: Request) -> Run:
    """The training that is under way, or the last one where it has just ended."""
    return (await services_of(request).learning.status()).runs[0]


def shown_pace(pace: Pace | None) -> dict[str, Any] | None:
    """How dear quality is, in US dollars; None where requests may cost anything."""
    if pace is None:
        return None
    return {
        "target": pace.target_usd,
        "spent": pace.spent_usd,
        "points_per_usd": pace.points_per_usd,
    }


def shown_weights(weights: Weights) -> list[dict[str, Any]]:
    """How much checks of each model's first answers count, by what those turned out to be worth; empty of none."""
    return [
        {"model": model, "check": check, "weight": round(weight, 4)}
        for (model, check), weight in sorted(weights.of_models.items())
    ]


def shown_pledge(pledge: Pledge) -> dict[str, Any]:
    """A promise as JSON shows it, with how it stands."""
    promise, test = pledge.promise, pledge.test
    return {
        "rule": pledge.rule.name,
        "points": promise.points,
        "confidence": promise.confidence,
        "method": "asymptotic",
        "state": _state(pledge),
        "reason": reason_of(pledge),
        "pairs": 0 if test is None else test.pairs,
        "fewest_pairs": promise.fewest_pairs,
        "margin": None if test is None else test.margin,
        "challengers": [] if test is None else sorted(test.challengers),
        "share": 0.0 if test is None else round(test.share, 4),
        "loss": None if test is None or test.loss is None else round(test.loss, 4),
        "bound": None if test is None or test.most is None else round(test.most, 4),
        "people": shown_opinion(pledge.opinion),
        "since": None if test is None else rfc3339(test.since_us),
        "tested_at": None if test is None else rfc3339(test.tested_at_us),
    }


def shown_opinion(opinion: Opinion | None) -> dict[str, Any] | None:
    """What people's ratings make of a promise; None where they are too few to tell how far the judge is off."""
    if opinion is None:
        return None
    loss, bound = round(opinion.verdict.loss, 4), round(opinion.verdict.most, 4)
    return {"rated": opinion.rated, "loss": loss, "bound": bound, "decides": opinion.decides}


def _state(pledge: Pledge) -> str:
    if pledge.baseline is None:
        return "none"
    return "kept" if pledge.test is not None and pledge.test.margin is not None else "baseline"


def shown_judged(judge: str | None, found: Judged) -> dict[str, Any]:
    """What a judge's grades are worth, as JSON shows it; intervals are of 95%."""
    alike = found.agreement
    return {
        "model": judge,
        "agreement": None
        if alike is None
        else {
            "answers": alike.count,
            "share": round(alike.share, 4),
            "interval": [round(alike.low, 4), round(alike.high, 4)],
            "kappa": None if alike.kappa is None else round(alike.kappa, 4),
        },
        "models": {name: _shown_standing(standing) for name, standing in found.models.items()},
    }


def _shown_standing(standing: Standing) -> dict[str, Any]:
    better = standing.corrected
    return {
        "judged": standing.judged,
        "rated": standing.rated,
        "mean": round(standing.mean, 4),
        "corrected": None if better is None else round(better.mean, 4),
        "interval": None if better is None else [round(better.low, 4), round(better.high, 4)],
    }


def shown_run(run: Run) -> dict[str, Any]:
    """A training as JSON shows it, with its figures beside."""
    return {
        "id": run.id,
        "created_at": rfc3339(run.created_us),
        "outcome": run.outcome,
        "is_active": run.is_active,
        "is_kept": run.is_kept,
        **run.summary,
    }
