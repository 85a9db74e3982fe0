"""Buys answers on the gateway's own behalf: held, journaled and priced like any other, in a row of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from farthing.dialects import INBOUND, UPSTREAM
from farthing.dialects.reading import Reading
from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest, Completion
from farthing.domain.errors import InsufficientQuota, Unavailable
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller, Errand
from farthing.domain.routing.needs import read_needs
from farthing.domain.routing.passthrough import concrete
from farthing.gateway.call import Call, Directives
from farthing.gateway.dispatch import Dispatch
from farthing.gateway.order import Order
from farthing.gateway.recording import Recorder
from farthing.gateway.snapshot import Snapshot
from farthing.gateway.whole import Whole

TAG = "farthing"
"""The tag under which errands show in the figures of the tenant that they are bought for."""
DIALECT = "openai"
"""Errands are written in it, and translated where the model's vendor speaks another."""
REASONS: Mapping[Errand, str] = {
    "shadow": "asked to compare its answer with the one that was given",
    "judge": "asked to compare two answers",
}


class Bought(Struct, frozen=True):
    """An answer to an errand, settled."""

    order: Order
    completion: Completion
    exchange: Exchange


class Errands:
    """Asks one model, for one tenant, under the snapshot of the request that gave the occasion."""

    def __init__(self, *, recorder: Recorder, dispatch: Dispatch, new_id: Callable[[], str]) -> None:
        self._recorder = recorder
        self._dispatch = dispatch
        self._new_id = new_id

    async def has_room(self, errand: Errand, chat: ChatRequest, model: Model, *, tenant: str) -> bool:
        """Whether no budget refuses it at this moment; asking leaves no row."""
        ledger, clock = self._recorder.ledger, self._recorder.clock
        hold = ledger.open(Caller(tenant=tenant, errand=errand), None, {TAG: errand}, at_us=clock.now_us())
        try:
            if (grant := hold.raise_to(model, read_needs(chat, model.tier))) is not None:
                await grant
        except (InsufficientQuota, Unavailable):
            return False
        finally:
            hold.settle(0)
        return True

    async def buy(self, errand: Errand, chat: ChatRequest, model: Model, *, tenant: str, under: Snapshot) -> Bought:
        """The answer. Raises `FarthingError`; however it ends, exactly one `Exchange` is recorded."""
        clock = self._recorder.clock
        call = Call(
            request_id=self._new_id(),
            route=errand,
            dialect=INBOUND[DIALECT],
            # Whoever asked first is not who asks now.
            body=UPSTREAM[DIALECT].write_request(replace(chat, stream=False, user=None), model.name).body,
            directives=Directives(tags={TAG: errand}),
            received_us=clock.now_us(),
            started=clock.monotonic(),
        )
        with self._recorder.begin(call, under.catalogue) as draft:
            draft.caller = Caller(tenant=tenant, errand=errand)
            reading = Reading(call.dialect, call.body)
            draft.chat, draft.requested_model = reading.chat, model.name
            order = Order(call=call, reading=reading, chat=reading.chat, snapshot=under, draft=draft)
            draft.open_hold()
            plan = concrete(reading.chat, model, under.catalogue)
            draft.plan = replace(plan, strategy=errand, reason=REASONS[errand])
            # No stream was asked for, and so none comes.
            answer = cast("Whole", await self._dispatch.first_answer(order, lambda *_: None))
            return Bought(order, answer.completion, draft.answered(answer.completion))
