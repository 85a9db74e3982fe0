"""What is to be bought: reading a request, its cache identity, and its plan."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.dialects.reading import Reading
from farthing.domain.budget import dollars
from farthing.domain.cachekey import identity
from farthing.domain.catalogue import VIRTUAL_MODELS, Catalogue, Model
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.holding import bid_for
from farthing.domain.pricing import NANO
from farthing.domain.routing import concrete, strategy_for
from farthing.domain.routing.exploration import explored
from farthing.domain.routing.holdback import HELD_BACK, divided, unit_of
from farthing.domain.routing.needs import capable
from farthing.domain.routing.pace import paced
from farthing.domain.routing.plan import Plan
from farthing.domain.routing.promised import BOLDEST, promised
from farthing.domain.routing.rules import Rule
from farthing.domain.routing.thrift import Thrift
from farthing.gateway.admission import check_model, model_not_found
from farthing.gateway.call import Call
from farthing.gateway.order import Order
from farthing.gateway.recording import Draft
from farthing.gateway.snapshot import Snapshot
from farthing.gateway.trials import LEFT_OPEN, Part

THRIFT = Thrift()
EXPERIMENT_HEADER = "x-farthing-experiment"
NEVER_KEPT = frozenset({"embeddings", "count_tokens"})
"""Dialects whose answers are never kept, and whose requests are in no experiment."""
TOLD_AGAIN = ("metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "user")
"""Fields of `POST /v1/responses` that its vendor repeats in the answer, or that change what can be done with it."""


def read(call: Call, snapshot: Snapshot, draft: Draft) -> Order:
    """The order in a call's body. Raises `InvalidRequest`, or `NotFound` for an experiment or model not there."""
    reading = Reading(call.dialect, call.body)
    chat = reading.chat
    draft.chat = chat
    draft.requested_model = chat.model
    draft.native = reading.extras
    draft.session = call.directives.session or reading.session
    draft.safety_identifier = reading.safety_identifier
    check_model(draft.caller, chat.model)
    rule = snapshot.rule(call, draft.caller.key_id) if snapshot.rules else None
    order = Order(call=call, reading=reading, chat=chat, snapshot=snapshot, draft=draft, rule=rule)
    named = call.directives.experiment_id or draft.native.get("experiment_id")
    if named or snapshot.trials.unasked:
        enrol(order, str(named) if named else None)
    return order


def enrol(order: Order, named: str | None) -> None:
    """Gives the request its place in the experiment that it has `named`, or in one that covers it.

    One that only covers it refuses nobody: a request that any of its arms could not answer takes no part, whichever arm
    it fell to, so that all arms lose the same requests. Raises as `Trials.named`, and `NotFound` for a named
    experiment's arm whose model this caller may not use.
    """
    call, draft, trials = order.call, order.draft, order.snapshot.trials
    caller, is_kept_out = draft.caller, call.dialect.name in NEVER_KEPT
    if named is not None:
        param = EXPERIMENT_HEADER if call.directives.experiment_id else "experiment_id"
        part = trials.named(named, tenant=caller.tenant, user=draft.user, param=param)
        if part is not None and not is_kept_out:
            draft.part = part
            if part.model is not None:
                check_model(caller, part.model)
    elif not is_kept_out:
        parts = trials.covering(call, order.chat.model, tenant=caller.tenant, key_id=caller.key_id, user=draft.user)
        draft.part = next((part for part in parts if _is_for_every_arm(part, order)), None)


def _is_for_every_arm(part: Part, order: Order) -> bool:
    order.draft.open_hold()
    return all(_can_answer(rival, order) for rival in part.rivals)


def _can_answer(part: Part, order: Order) -> bool:
    """Whether the arm has a model for this caller that has words, room and money for the request."""
    draft = order.draft
    if part.model is not None:
        model = order.snapshot.catalogue.find(part.model)
        if model is None or not draft.caller.may_use(part.model):
            return False
        if order.chat.untranslatable is not None and not _speaks(order, model):
            return False
    try:
        plan, _ = _planned(order, part)
        if part.model is not None:
            capable(plan.models, plan.needs)
        if order.chat.n > 1 or order.chat.logprobs:
            _check_words(order, plan)
    except (NotFound, InvalidRequest):
        return False
    body = order.call.body
    return any(
        not order.provider(model).is_locked and draft.hold.has_room(model, plan.needs, body) for model in plan.models
    )


def _check_words(order: Order, plan: Plan) -> None:
    """Raises `InvalidRequest` where a model's vendor could not be told what some vendors alone can do."""
    for model in plan.models:
        if not _speaks(order, model):
            order.upstream(order.provider(model)).write_request(order.chat, model.upstream)


def identify(order: Order) -> str | None:
    """The identity of the answer in the cache, or None where this request is not cached."""
    draft, dialect, wish = order.draft, order.call.dialect.name, order.call.directives.cache
    if wish is None:
        wish = draft.caller.cache
    if wish is None:
        wish = dialect == "native" and order.snapshot.cache_native
    if not wish or order.chat.tools or dialect in NEVER_KEPT:
        return None
    if dialect == "responses" and order.chat.untranslatable is not None:
        # It builds on what its vendor keeps or looks up: the same words may have another answer.
        return None
    draft.cache = "miss"
    arm = None if draft.part is None else draft.part.name
    return identity(order.reading.tree, tenant=draft.caller.tenant, arm=arm, route=_route(order), model=_pool(order))


def _route(order: Order) -> str:
    """The route and the headers that a vendor of the caller's dialect will see: they change what it answers."""
    route, tree = order.call.route, order.reading.tree
    if order.call.dialect.name == "responses":
        route = f"{route} { ({name: tree[name] for name in TOLD_AGAIN if name in tree})!r}"
    if not order.call.forward:
        return route
    return "\n".join([route, *(f"{name!r}: {value!r}" for name, value in sorted(order.call.forward))])


def _pool(order: Order) -> str:
    """The model; where it is a strategy that chooses, with what key, request and rule let it choose from, and how."""
    model, part = order.chat.model, order.draft.part
    if part is None and model not in VIRTUAL_MODELS:
        return model
    rule, allowed, floor = order.rule, order.draft.caller.allowed_models, order.call.directives.quality_floor
    if allowed is None and floor is None and rule is None:
        return model
    promise = _promising(order, part)
    bounds = (
        "" if floor is None else f" within {floor!r}",
        "" if promise is None else f" as promised within {promise.margin!r}",
        " checked" if rule is not None and rule.cascade else "",
        "" if allowed is None else f" of {sorted(allowed)}",
    )
    return model + "".join(bounds)


def decide(order: Order) -> Plan:
    """Which models to ask, in order. Raises `NotFound` or `InvalidRequest` where none can serve the request."""
    plan, order.draft.is_thrifty = _planned(order, order.draft.part)
    return plan


def _planned(order: Order, part: Part | None) -> tuple[Plan, bool]:
    """The plan for this place in an experiment, or for none, and whether money made it a cheaper one.

    Raises as `decide`.
    """
    chat, snapshot = order.chat, order.snapshot
    wanted = chat.model if part is None else part.model or f"farthing/{part.arm.strategy}"
    is_routed = wanted in VIRTUAL_MODELS
    is_short = is_routed and order.draft.hold.is_thrifty
    key = None if part is None else part.name, is_short
    made = order.plans.get(key)
    if made is None:
        if is_routed:
            made = _routed(order, wanted, part, is_short=is_short)
        else:
            model = snapshot.catalogue.find(wanted)
            if model is None:
                raise model_not_found(wanted)
            plan = concrete(chat, model, snapshot.catalogue)
            made = _affordable(order, plan if part is None else part.led(plan, chat.model)), False
        order.plans[key] = made
    return made


def _routed(order: Order, wanted: str, part: Part | None, *, is_short: bool) -> tuple[Plan, bool]:
    """As `_planned`, where a strategy chooses; `is_short` says whether a budget nears its end.

    Neither paced nor explored is who says how much quality may be given up, is in an experiment, is promised something
    or is short of money.
    """
    snapshot = order.snapshot
    strategy = snapshot.strategies[strategy_for(wanted, snapshot.strategy)]
    models, allowed = _speakable(order), order.draft.caller.allowed_models
    floor, rule = order.call.directives.quality_floor, _promising(order, part)
    if rule is not None:
        floor = BOLDEST if floor is None else min(floor, BOLDEST)
    chosen = plan = strategy.plan(order.chat, models, allowed=allowed, floor=floor)
    if is_short and rule is None:
        plan = THRIFT.lower(chosen, models, allowed)
    is_thrifty = plan is not chosen
    plan, is_free = _affordable(order, plan), part is None and floor is None and not is_thrifty
    if is_free and snapshot.hold_back and wanted in LEFT_OPEN:
        plan = _divided(order, plan)
        is_free = plan.side != HELD_BACK
    if is_free and snapshot.pace is not None:
        plan = paced(plan, snapshot.pace)
    share = snapshot.exploration if is_free else 0.0
    plan = explored(plan, models, share=share, request_id=order.call.request_id)
    return plan if rule is None else promised(plan, rule, models.compared), is_thrifty


def _divided(order: Order, plan: Plan) -> Plan:
    call, draft, snapshot = order.call, order.draft, order.snapshot
    if call.dialect.name in NEVER_KEPT:
        return plan
    unit = unit_of(draft.caller.tenant, draft.user, call.request_id, call.received_us)
    return divided(plan, snapshot.catalogue.compared, share=snapshot.hold_back, unit=unit)


def _promising(order: Order, part: Part | None) -> Rule | None:
    """The route rule that promises something of this request. Of experiments nothing is promised: they compare."""
    rule = order.rule
    return rule if part is None and rule is not None and rule.promise is not None else None


def _affordable(order: Order, plan: Plan) -> Plan:
    """The plan without models that cost more than may be, or whose price is unknown where it must not be.

    Raises `InvalidRequest` where none is left.
    """
    ceiling, refuses = order.ceiling, order.snapshot.refuse_unpriced
    if ceiling is None and not refuses:
        return plan
    bids = {model: bid_for(model, plan.needs, order.call.body) for model in plan.models}
    models = tuple(model for model, bid in bids.items() if bid and (ceiling is None or bid.highest <= ceiling.limit))
    if models:
        return replace(plan, models=models)
    first = plan.models[0]
    bid = bids[first]
    if bid is None or ceiling is None:
        raise InvalidRequest(
            f"`{first.name}` has no known price, and this request or this gateway refuses unpriced models. "
            "Set its price in farthing.toml, or ask for another model.",
            code="unpriced_model",
            param="model",
        )
    raise InvalidRequest(
        f"This request could cost ${bid.highest / NANO:.6f} at `{first.name}`, "
        f"over the {dollars(ceiling.limit)} that {ceiling.whose} allows.",
        code="cost_limit_exceeded",
    )


def _speakable(order: Order) -> Catalogue:
    """The models that can be told this request: those of the caller's dialect where no other has the words for it."""
    catalogue = order.snapshot.catalogue
    if order.chat.untranslatable is None:
        return catalogue
    models = {name: model for name, model in catalogue.models.items() if _speaks(order, model)}
    return catalogue if len(models) == len(catalogue.models) else replace(catalogue, models=models)


def _speaks(order: Order, model: Model) -> bool:
    """Whether the model is asked in the caller's own dialect."""
    return order.upstream(order.provider(model)).name == order.call.dialect.name
