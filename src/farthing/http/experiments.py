"""Experiments: begun, listed, changed, ended, and fed with results from outside."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from farthing.domain.budget import DAY_US
from farthing.domain.errors import Forbidden, InvalidRequest
from farthing.domain.experiments.definition import Experiment, Policy
from farthing.domain.experiments.plan import Aim
from farthing.domain.experiments.proposal import (
    ADDS_UP,
    FEWEST_ARMS,
    HIGHEST_ALPHA,
    LONGEST_TEXT,
    LOWEST_ALPHA,
    MOST_ARMS,
    SMALLEST_SHARE,
    Proposal,
    define,
    with_shares,
    with_traffic,
)
from farthing.domain.permissions import may
from farthing.domain.pricing import NANO
from farthing.domain.scope import Where
from farthing.gateway.intake import NEVER_KEPT
from farthing.http.admin.fields import Body, Model, Name, Page
from farthing.http.admin.paging import Listing
from farthing.http.desk import HOT
from farthing.http.moments import whole_units
from farthing.http.outcomes import shown_experiment, shown_plan, shown_results
from farthing.http.policy import caller_of, reach_behind, tenant_of
from farthing.http.services import Services, services_of
from farthing.ports.experiments import Kept, Result

SMALLEST_EFFECT = 0.001
LONGEST_LOOK_DAYS = 400
TAKING_PART = [route for route, dialect in HOT.items() if dialect not in NEVER_KEPT]
"""Routes whose requests may be in an experiment."""
HIGHEST_COST = 10_000.0
"""US dollars of one result."""
LONGEST_LATENCY_MS = 86_400_000.0
MOST_TOKENS = 1_000_000_000
HIGHEST_QUALITY = 5.0
US_PER_MS = 1000

Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=LONGEST_TEXT)]
Id = Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=256)]
Size = Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 2})]
"""Looked at by `define`, which says what to send instead."""
Cost = Annotated[Any, WithJsonSchema({"type": "number", "minimum": 0, "maximum": HIGHEST_COST})]
Latency = Annotated[Any, WithJsonSchema({"type": "number", "minimum": 0, "maximum": LONGEST_LATENCY_MS})]
Quality = Annotated[Any, WithJsonSchema({"type": ["number", "null"], "minimum": 1, "maximum": HIGHEST_QUALITY})]
"""Looked at by `_value`: a value that is none is counted."""


class WantedArm(Body):
    """A way to compare; without a share it gets as much as every other arm without one."""

    name: Name
    strategy: Model
    share: float | None = None


class WantedMargins(Body):
    """How much worse than control an arm may be and still count as no worse."""

    quality: float = 0.2
    errors: float = 0.01
    latency: float = 0.25


class WantedNamespace(Body):
    """Experiments whose ranges of one namespace do not overlap never share a user."""

    name: Name
    start: float = 0.0
    end: float = 1.0


class WantedScope(Body):
    """Requests that take part without naming the experiment: those of a key (its id), a route or a tag."""

    where: Where
    value: Name


class NewExperiment(Body):
    """An experiment to begin: two strategies, or `arms` with control first."""

    protected = frozenset({"id", "status", "created_at", "completed_at", "verdict"})

    name: Name
    sample_size: Size
    description: Text | None = None
    hypothesis: Text | None = None
    control_strategy: Model | None = None
    test_strategy: Model | None = None
    arms: Annotated[list[WantedArm], Field(max_length=MOST_ARMS)] | None = None
    early_stop: bool = False
    planned_effect: float = 0.1
    min_effect: float = 0.0
    policy: Policy = "default"
    alpha: float = 0.05
    margins: WantedMargins | None = None
    traffic: float = 1.0
    namespace: WantedNamespace | None = None
    salt: Name | None = None
    scope: WantedScope | None = None
    promote: bool = False
    tenant: Name | None = None


class ChangedExperiment(Body):
    """What may change of a running experiment. Other shares begin a new phase, which is analysed by itself."""

    protected = NewExperiment.protected | {"sample_size", "arms", "alpha", "early_stop", "scope", "promote", "tenant"}

    traffic: float | None = None
    shares: Annotated[list[float], Field(max_length=MOST_ARMS)] | None = None


class OutsideResult(Body):
    """What a request cost that was not made here, in US dollars, and how it went."""

    user_id: Id
    assigned_strategy: Id
    cost: Cost
    latency_ms: Latency
    provider: Id | None = None
    model: Id | None = None
    quality_score: Quality = None
    request_id: Id | None = None
    is_error: bool = False
    tokens_in: Annotated[int, Field(ge=0, le=MOST_TOKENS)] | None = None


class PlanQuery(BaseModel):
    """What an experiment should be able to see, and which requests of the ledger it would be made of."""

    model_config = ConfigDict(extra="forbid")

    effect: Annotated[float, Field(ge=SMALLEST_EFFECT, le=10.0, allow_inf_nan=False)] = 0.1
    power: Annotated[float, Field(ge=0.5, le=0.999)] = 0.8
    arms: Annotated[int, Field(ge=FEWEST_ARMS, le=MOST_ARMS)] = FEWEST_ARMS
    share: Annotated[float | None, Field(ge=SMALLEST_SHARE, le=1 - SMALLEST_SHARE)] = None
    """Of each arm beside control, which has the rest; None: all alike."""
    alpha: Annotated[float, Field(ge=LOWEST_ALPHA, le=HIGHEST_ALPHA)] = 0.05
    traffic: Annotated[float, Field(ge=SMALLEST_SHARE, le=1.0)] = 1.0
    early_stop: bool = False
    days: Annotated[int, Field(ge=1, le=LONGEST_LOOK_DAYS)] = 30
    model: Id | None = None
    strategy: Id | None = None
    route: Id | None = None


async def plan(request: Request, query: Annotated[PlanQuery, Query()]) -> dict[str, Any]:
    """How many results it takes to find a difference, at costs that vary between users as in our own ledger."""
    services = services_of(request)
    shares = _shares(query.arms, query.share)
    await services.flush()
    spread = await services.experiments.spread(
        tenant_of(request),
        since_us=services.clock.now_us() - query.days * DAY_US,
        model=query.model,
        strategy=query.strategy,
        route=query.route,
    )
    aim = Aim(
        effect=query.effect,
        shares=shares,
        power=query.power,
        alpha=query.alpha,
        traffic=query.traffic,
        early_stop=query.early_stop,
    )
    asked = {**query.model_dump(), "share": shares[-1]}
    return {**asked, **shown_plan(await services.analyses.planned(spread, aim), spread)}


def _shares(arms: int, share: float | None) -> list[float]:
    """Of the arms, control's first. Raises `InvalidRequest` where none is left for control."""
    if share is None:
        return [1 / arms] * arms
    others = [share] * (arms - 1)
    if (left := 1 - sum(others)) < SMALLEST_SHARE - ADDS_UP:
        raise InvalidRequest(
            f"`share` is that of each arm beside control: of {arms} arms it must be below {1 / (arms - 1):.3g}.",
            code="invalid_value",
            param="share",
        )
    return [left, *others]


async def create_experiment(request: Request, body: NewExperiment) -> dict[str, Any]:
    """Begins an experiment; on this worker the next request can take part. Raises `InvalidRequest`, `Forbidden`.

    And `NotFound` for a tenant that is not there.
    """
    services, caller = services_of(request), caller_of(request)
    wanted = body.model_dump(exclude={"tenant", "sample_size"}, exclude_unset=True)
    proposal = msgspec.convert({name: value for name, value in wanted.items() if value is not None}, Proposal)
    experiment = define(
        replace(proposal, sample_size=body.sample_size),
        experiment_id=services.new_id(),
        tenant=body.tenant or caller.tenant,
        now_us=services.clock.now_us(),
        models=_models(request, services),
    )
    _check_scope(experiment)
    _check_rank(request, experiment)
    if experiment.tenant != caller.tenant:
        await services.tenancy.check_team(experiment.tenant, None)
    await _check_key(experiment, services)
    await services.experiments.create(experiment)
    await services.refresh()
    return shown_experiment(Kept(experiment=experiment))


async def list_experiments(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """The tenant's experiments, the newest first."""
    listing = Listing("experiments", reach_behind(request))
    place = listing.place(query.cursor)
    after = None if place is None else place[0]
    found = await services_of(request).experiments.list(tenant_of(request), limit=query.limit + 1, after=after)
    return listing.page(found, query.limit, key=lambda kept: [kept.experiment.id], shown=shown_experiment)


async def one_experiment(request: Request, experiment_id: str) -> dict[str, Any]:
    """One of them. Raises `NotFound`."""
    return shown_experiment(await services_of(request).experiments.get(tenant_of(request), experiment_id))


async def change_experiment(request: Request, experiment_id: str, body: ChangedExperiment) -> dict[str, Any]:
    """Lets more or fewer users take part, or begins a phase. Raises `NotFound`, `Conflict`, `Forbidden`."""
    services = services_of(request)
    before = (await services.experiments.get(tenant_of(request), experiment_id)).experiment
    _check_rank(request, before)
    changed = before if body.traffic is None else with_traffic(before, body.traffic)
    if body.shares is not None:
        changed = with_shares(changed, body.shares, services.clock.now_us())
    if changed is before:
        raise InvalidRequest("Send `traffic`, `shares` or both.", code="missing_required_parameter", param="traffic")
    await services.experiments.change(changed, before=before)
    await services.refresh()
    return await one_experiment(request, experiment_id)


async def stop_experiment(request: Request, experiment_id: str) -> dict[str, Any]:
    """Ends it without a verdict, or takes a promoted winner back. Raises `NotFound`, `Forbidden`.

    Any other that has ended stays as it is.
    """
    services, tenant = services_of(request), tenant_of(request)
    _check_rank(request, (await services.experiments.get(tenant, experiment_id)).experiment)
    kept = await services.experiments.stop(tenant, experiment_id, at_us=services.clock.now_us())
    await services.refresh()
    return shown_experiment(kept)


async def results(request: Request, experiment_id: str) -> dict[str, Any]:
    """What the results say by now; looking at them changes nothing. Raises `NotFound`."""
    services = services_of(request)
    await services.flush()
    return shown_results(*await services.analyses.told(tenant_of(request), experiment_id))


async def record_result(
    request: Request, experiment_id: str, body: OutsideResult, response: Response
) -> dict[str, Any]:
    """Keeps a result from outside; one of a known `request_id` is not counted again. Raises `NotFound`."""
    services, tenant = services_of(request), tenant_of(request)
    experiment = (await services.experiments.get(tenant, experiment_id)).experiment
    arm = experiment.arm(body.assigned_strategy)
    if arm is None:
        names = ", ".join(arm.name for arm in experiment.arms)
        raise InvalidRequest(
            f"`assigned_strategy` must be the name of an arm: {names}.",
            code="invalid_parameter",
            param="assigned_strategy",
        )
    try:
        cost = _value("cost", body.cost, 0.0, HIGHEST_COST)
        latency_ms = _value("latency_ms", body.latency_ms, 0.0, LONGEST_LATENCY_MS)
        rating = body.quality_score
        quality = None if rating is None else _value("quality_score", rating, 1.0, HIGHEST_QUALITY)
    except InvalidRequest:
        await services.experiments.refuse(tenant, experiment_id)
        raise
    result = Result(
        request_id=body.request_id or services.new_id(),
        user=body.user_id,
        arm=arm.name,
        cost=whole_units(cost, NANO),
        latency_us=whole_units(latency_ms, US_PER_MS),
        quality=quality,
        is_error=body.is_error,
        covariate=body.tokens_in,
        phase=experiment.phase,
        provider=body.provider,
        model=body.model,
        created_at_us=services.clock.now_us(),
    )
    recorded = await services.experiments.record(tenant, experiment_id, result)
    if recorded == "duplicate":
        response.status_code = 200
    return {"experiment_id": experiment_id, "request_id": result.request_id, "recorded": recorded}


def _value(name: str, value: object, low: float, high: float) -> float:
    """The number. Raises `InvalidRequest` for what is none, or not from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidRequest(
            f"`{name}` must be a number from {low:,.0f} to {high:,.0f}. This result is not counted.",
            code="invalid_value",
            param=name,
        )
    return value


def _models(request: Request, services: Services) -> frozenset[str]:
    """The names of models that may be an arm: those that this key may ask for."""
    catalogue, caller = services.snapshots.current.catalogue, caller_of(request)
    return frozenset(filter(caller.may_use, (*catalogue.models, *catalogue.aliases)))


def _check_scope(experiment: Experiment) -> None:
    """Raises `InvalidRequest` for a scope that no request can be in."""
    scope = experiment.scope
    remedy = None
    if scope is not None and scope.where == "route" and scope.value not in TAKING_PART:
        remedy = f"one of {', '.join(TAKING_PART)}"
    elif scope is not None and scope.where == "tag" and not all(scope.value.partition("=")):
        remedy = "`name=value`"
    if remedy is not None:
        raise InvalidRequest(
            f"`scope.value` must be {remedy} for this `scope.where`.",
            code="invalid_experiment",
            param="scope.value",
        )


async def _check_key(experiment: Experiment, services: Services) -> None:
    """Raises `InvalidRequest` for a scope of a key that the tenant does not have, and tells nobody what was sent.

    It may be the key itself.
    """
    scope = experiment.scope
    if scope is None or scope.where != "key":
        return
    await services.refresh()
    callers = (key.caller for key in services.snapshots.current.keys.values())
    if not any((caller.tenant, caller.key_id) == (experiment.tenant, scope.value) for caller in callers):
        raise InvalidRequest(
            "`scope.value` must be the id of one of this tenant's keys, as `farthing keys list` shows it.",
            code="invalid_experiment",
            param="scope.value",
        )


def _check_rank(request: Request, experiment: Experiment) -> None:
    """Raises `Forbidden` for an experiment of another tenant, or one that moves requests which do not ask for it."""
    caller = caller_of(request)
    if experiment.tenant != caller.tenant and not may(caller.role, "manage_all"):
        raise Forbidden("An experiment of another tenant needs an admin key.", param="tenant")
    moves_others = experiment.scope is not None or experiment.promote
    if moves_others and not may(caller.role, "manage_tenant"):
        raise Forbidden(
            "An experiment with a scope, or one that promotes its winner, changes what others' requests are answered "
            "by: it needs the key of an org admin or an admin.",
            param="promote" if experiment.scope is None else "scope",
        )
