"""What a record tells before there is an answer, and of an answer whose vendor tells nothing of its tokens."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from farthing.domain import tokens
from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller
from farthing.domain.routing.plan import Plan
from farthing.gateway.call import Call
from farthing.gateway.trials import Part, decision_of


class Known(Protocol):
    """What is known of a request; `farthing.gateway.recording.Draft` says what each means."""

    call: Call
    caller: Caller
    chat: ChatRequest | None
    session: str | None
    requested_model: str
    plan: Plan | None
    part: Part | None
    model: Model | None
    cache: str
    cache_level: str | None
    cache_key: str | None

    @property
    def user(self) -> str | None:
        """The end user on whose behalf the caller asks."""

    def estimate(self, completion: Completion | None) -> Usage:
        """Tokens counted here."""


def begun(known: Known) -> Exchange:
    """The record of a request whose end is not known: what does not change from the moment a model is asked."""
    plan, part, model = known.plan, known.part, known.model
    return replace(
        _asked(known),
        provider=model.provider if model else None,
        model=model.name if model else None,
        price_version=model.price.version if model and model.price else None,
        strategy=plan.strategy if plan else None,
        tier=plan.tier if plan else None,
        score=plan.score if plan else None,
        confidence=plan.confidence if plan else None,
        reason=plan.reason if plan else None,
        experiment_id=part.experiment.id if part else None,
        arm=part.arm.name if part else plan.side if plan else None,
        decision=decision_of(plan, part, known.estimate(None).tokens_in if part else 0),
        cache_level=known.cache_level,
        cache_key=known.cache_key,
    )


def _asked(known: Known) -> Exchange:
    """Who asked, and how. Python hands over up to 15 arguments by name as they are; more become a dictionary first."""
    call, caller = known.call, known.caller
    return Exchange(
        request_id=call.request_id,
        created_at_us=call.received_us,
        status="interrupted",
        route=call.route,
        dialect=call.dialect.name,
        tenant=caller.tenant,
        key_id=caller.key_id,
        team=caller.team,
        user=known.user,
        session=known.session,
        tags=dict(call.directives.tags),
        app=call.app,
        requested_model=known.requested_model,
        stream=known.chat.stream if known.chat else False,
        cache=known.cache,  # type: ignore[arg-type]  # the three words of `Exchange`
    )


def estimated(tokens_in: int, completion: Completion | None) -> Usage:
    """Tokens counted here for want of the vendor's figures; those it gave of the input so far are kept."""
    tokens_out = tokens.estimate_completion(completion) if completion else 0
    known = completion.usage if completion else None
    if known is not None and known.tokens_in:
        return replace(known, completion=max(known.completion, tokens_out - known.reasoning), estimated=True)
    return Usage(prompt=tokens_in, completion=tokens_out, estimated=True)
