"""What is to be bought: reading a request, its cache identity, its plan, and the most it may cost."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from farthing.dialects import strict
from farthing.domain.cachekey import identity
from farthing.domain.catalogue import VIRTUAL_MODELS, Catalogue
from farthing.domain.chat import ChatRequest
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.pricing import NANO
from farthing.domain.routing import concrete, strategy_for
from farthing.domain.routing.plan import Plan
from farthing.gateway.admission import check_model, model_not_found
from farthing.gateway.call import Call
from farthing.gateway.recording import Draft
from farthing.gateway.snapshot import Snapshot


class Order(Struct, frozen=True, kw_only=True):
    """A request, decoded and validated, under the snapshot it came in with."""

    call: Call
    tree: Any
    chat: ChatRequest
    snapshot: Snapshot
    draft: Draft


def read(call: Call, snapshot: Snapshot, draft: Draft) -> Order:
    """The order in a call's body. Raises `InvalidRequest`, or `NotFound` for an experiment or model not there."""
    tree = strict.decode(call.body)
    chat = call.dialect.read_request(tree)
    draft.chat = chat
    draft.requested_model = chat.model
    draft.native = call.dialect.extras(tree)
    check_model(draft.caller, chat.model)
    check_experiment(call, draft)
    return Order(call=call, tree=tree, chat=chat, snapshot=snapshot, draft=draft)


def check_experiment(call: Call, draft: Draft) -> None:
    """Raises for an experiment without a user, or one that does not exist."""
    experiment = call.directives.experiment_id or draft.native.get("experiment_id")
    if not experiment:
        return
    if not (draft.user or draft.native.get("user_id")):
        raise InvalidRequest(
            "An experiment needs to know the user: send `user_id` (or `user`, or the header x-farthing-user).",
            code="missing_required_parameter",
            param="user_id",
        )
    raise NotFound(
        f"There is no experiment `{str(experiment)[:64]}` here.", code="experiment_not_found", param="experiment_id"
    )


def identify(order: Order) -> str | None:
    """The identity of the answer in the cache, or None where this request is not cached."""
    wish = order.call.directives.cache
    if wish is None:
        wish = order.draft.caller.cache
    if wish is None:
        wish = order.call.dialect.name == "native" and order.snapshot.cache_native
    if not wish or order.chat.tools:
        return None
    order.draft.cache = "miss"
    return identity(
        order.tree,
        tenant=order.draft.caller.tenant,
        arm=None,
        route=order.call.route,
        model=order.chat.model,
    )


def decide(order: Order) -> Plan:
    """Which models to ask, in order. Raises `NotFound` or `InvalidRequest` where none can serve the request."""
    chat, snapshot = order.chat, order.snapshot
    if chat.model in VIRTUAL_MODELS:
        strategy = snapshot.strategies[strategy_for(chat.model, snapshot.strategy)]
        return strategy.plan(chat, _speakable(order), allowed=order.draft.caller.allowed_models)
    model = snapshot.catalogue.find(chat.model)
    if model is None:
        raise model_not_found(chat.model)
    if model.price is None and snapshot.refuse_unpriced:
        raise InvalidRequest(
            f"`{model.name}` has no known price and this gateway refuses unpriced models. "
            "Set its price in farthing.toml, or ask for another model.",
            code="unpriced_model",
            param="model",
        )
    return concrete(chat, model, snapshot.catalogue)


def _speakable(order: Order) -> Catalogue:
    """The models that can be told this request: those of the caller's dialect where no other has the words for it."""
    catalogue = order.snapshot.catalogue
    if order.chat.untranslatable is None:
        return catalogue
    models = {name: model for name, model in catalogue.models.items() if model.dialect == order.call.dialect.name}
    return replace(catalogue, models=models)


def ceiling(order: Order) -> int | None:
    """Nano-dollars the plan's first model is likely to cost; None where it is unpriced.

    Raises `InvalidRequest` where that is over what the caller allowed for this request.
    """
    plan = order.draft.plan
    if plan is None or plan.models[0].price is None:
        return None
    needs = plan.needs
    cost = plan.models[0].price.estimate(needs.tokens_in, needs.tokens_out)
    limit = order.call.directives.max_cost
    if limit is not None and cost > limit:
        raise InvalidRequest(
            f"This request would cost about ${cost / NANO:.6f} at `{plan.models[0].name}`, "
            f"over the ${limit / NANO:.6f} that x-farthing-max-cost-usd allows.",
            code="cost_limit_exceeded",
        )
    return cost
