"""What `farthing top` shows, made of what the gateway answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

Answer = Mapping[str, Any]

MINUTE_S = 60.0
HEALTH = {"closed": "healthy", "half-open": "trying", "open": "away"}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """How a model did in the last hour. Money in US dollars; None is unknown."""

    name: str
    requests: int
    cost: float | None
    saved: float | None
    share: float
    """Of what was spent, 0 to 1."""
    latency_ms: float | None
    error_rate: float
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    health: str
    """healthy, trying (after a failure), away, or unknown."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment stands."""

    id: str
    name: str
    arms: list[str]
    results: int
    sample_size: int
    status: str
    verdict: str | None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request. Money in US dollars; None is unknown."""

    request_id: str
    created_at: str
    status: str
    requested_model: str
    model: str | None
    cost: float | None
    saved: float | None
    latency_ms: float | None
    strategy: str | None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The budget that is nearest to its end, in US dollars."""

    name: str
    window: str
    spent: float
    limit: float


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the month will have cost at its end, in US dollars, with its 95 % interval where that is known."""

    expected: float
    interval: tuple[float, float] | None


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """What a team has spent and saved in the month so far, in US dollars; None is unknown."""

    name: str
    requests: int
    cost: float | None
    saved: float | None
    share: float
    """Of what was spent, 0 to 1."""


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid and saved in the month so far, in US dollars."""

    paid: float | None
    saved: float | None
    percent: float | None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Today, which begins at midnight in UTC. Money in US dollars."""

    requests: int
    spent: float
    saved: float
    hit_rate: float
    error_rate: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown at a time."""

    generated_at: str
    age_s: float
    """How old the gateway's own figures are."""
    is_demo: bool
    requests_per_s: float
    """In the last minute."""
    added_ms: float | None
    """What Farthing itself took, p95 of the last requests."""
    month: Month
    today: Day
    hours: list[float]
    """What each hour of the last day cost, in US dollars."""
    budget: Budget | None
    forecast: Forecast | None
    models: list[Model]
    teams: list[Team]
    experiments: list[Trial]
    requests: list[Asked]


def figures_of(answers: Mapping[str, Answer]) -> Figures:
    """What the gateway's answers say; they stand under the names that `farthing.cli.top.feed` gives them."""
    metrics, savings = answers["metrics"], answers["savings"]
    now = datetime.fromisoformat(metrics["generated_at"])
    rows = answers["requests"]["data"]
    return Figures(
        generated_at=metrics["generated_at"],
        age_s=metrics["age_seconds"],
        is_demo=metrics["demo"],
        requests_per_s=_rate(now, rows),
        added_ms=_added(rows),
        month=Month(paid=savings["actual_cost"], saved=savings["saved"], percent=savings["percent"]),
        today=_today(now, answers["hours"]["rows"]),
        hours=_hours(now, answers["hours"]["rows"]),
        budget=_budget(answers["budgets"]["data"]),
        forecast=_forecast(answers["forecast"]),
        teams=_teams(answers["teams"]),
        models=_models(answers["models"]["rows"], answers["providers"]["models"]),
        experiments=[_trial(experiment) for experiment in answers["experiments"]["data"]],
        requests=[_asked(row) for row in rows],
    )


def _rate(now: datetime, rows: Sequence[Answer]) -> float:
    """Of the rows that are known, which may not reach back a minute."""
    ages = [(now - datetime.fromisoformat(row["created_at"])).total_seconds() for row in rows]
    lately = [age for age in ages if age < MINUTE_S]
    if len(lately) < len(ages) or not ages:
        return len(lately) / MINUTE_S
    return len(ages) / max(*ages, 1.0)


def _added(rows: Sequence[Answer]) -> float | None:
    times = sorted(
        row["latency_ms"] - row["upstream_ms"]
        for row in rows
        if row["status"] in {"ok", "cached"} and row["latency_ms"] is not None and row["upstream_ms"] is not None
    )
    return times[int(0.95 * (len(times) - 1))] if times else None


def _today(now: datetime, hours: Sequence[Answer]) -> Day:
    rows = [row for row in hours if datetime.fromisoformat(row["group"]).date() == now.date()]
    requests = sum(row["requests"] for row in rows)
    return Day(
        requests=requests,
        spent=sum(row["cost"] or 0.0 for row in rows),
        saved=sum(row["savings"] or 0.0 for row in rows),
        hit_rate=sum(row["cache_hits"] for row in rows) / max(requests, 1),
        error_rate=sum(row["errors"] for row in rows) / max(requests, 1),
    )


def _hours(now: datetime, hours: Sequence[Answer]) -> list[float]:
    costs = [0.0] * 24
    for row in hours:
        ago = int((now - datetime.fromisoformat(row["group"])).total_seconds() // 3600)
        if 0 <= ago < len(costs):
            costs[-1 - ago] = row["cost"] or 0.0
    return costs


def _budget(budgets: Sequence[Answer]) -> Budget | None:
    bounded = [budget for budget in budgets if budget["limit"] > 0]
    if not bounded:
        return None
    first = max(bounded, key=lambda budget: float(budget["spent"] / budget["limit"]))
    name = first["name"] or first["subject"] or first["tenant"] or first["scope"]
    return Budget(name=name, window=first["window"], spent=first["spent"], limit=first["limit"])


def _forecast(told: Answer) -> Forecast | None:
    expected, interval = told["forecast"], told["interval"]
    if expected is None:
        return None
    return Forecast(expected=expected, interval=interval and (interval[0], interval[1]))


def _teams(told: Answer) -> list[Team]:
    """The dearest first, as they are told; what belongs to none is not shown."""
    spent = told["total"]["cost"] or 0.0
    return [
        Team(
            name=row["group"],
            requests=row["requests"],
            cost=row["cost"],
            saved=row["savings"],
            share=(row["cost"] or 0.0) / spent if spent else 0.0,
        )
        for row in told["rows"]
        if row["group"] is not None
    ]


def _models(rows: Sequence[Answer], known: Answer) -> list[Model]:
    """Those that were asked, the dearest first, then those that can be asked."""
    spent = sum(row["cost"] or 0.0 for row in rows)
    asked = {row["group"]: row for row in sorted(rows, key=lambda row: -(row["cost"] or 0.0)) if row["group"]}
    names = dict.fromkeys([*asked, *known])
    return [_model(name, asked.get(name), known.get(name), spent) for name in names]


def _model(name: str, row: Answer | None, details: Answer | None, spent: float) -> Model:
    row, details = row or _NEVER_ASKED, details or {}
    return Model(
        name=name,
        requests=row["requests"],
        cost=row["cost"],
        saved=row["savings"],
        share=(row["cost"] or 0.0) / spent if spent else 0.0,
        latency_ms=row["avg_latency_ms"],
        error_rate=row["errors"] / max(row["requests"], 1),
        input_usd_per_mtok=details.get("input_usd_per_mtok"),
        output_usd_per_mtok=details.get("output_usd_per_mtok"),
        health=HEALTH.get(details.get("health", ""), "unknown"),
    )


_NEVER_ASKED: Answer = {"requests": 0, "errors": 0, "cost": 0.0, "savings": 0.0, "avg_latency_ms": None}


def _trial(found: Answer) -> Trial:
    verdict = found["verdict"] or found["doubt"]
    return Trial(
        id=found["id"],
        name=found["name"],
        arms=[arm["strategy"] for arm in found["arms"]],
        results=found["results"] - found["late"],
        sample_size=found["sample_size"],
        status=found["status"],
        verdict=None if verdict is None else verdict["winner"] or verdict["code"].replace("_", " "),
    )


def _asked(row: Answer) -> Asked:
    return Asked(
        request_id=row["request_id"],
        created_at=row["created_at"],
        status=row["status"],
        requested_model=row["requested_model"],
        model=row["model"],
        cost=row["cost"],
        saved=row["savings"],
        latency_ms=row["latency_ms"],
        strategy=row["strategy"],
    )
