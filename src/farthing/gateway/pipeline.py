"""One request's way through the gateway. Read it top to bottom: this is the story."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from msgspec import Struct, field

from farthing.dialects.base import UpstreamDialect
from farthing.domain.chat import Completion
from farthing.gateway.admission import admit
from farthing.gateway.answers import Answers
from farthing.gateway.call import Call
from farthing.gateway.cascade import checked_answer
from farthing.gateway.coalesce import Flights
from farthing.gateway.delivery import StreamReply, deliver, replay
from farthing.gateway.dispatch import Dispatch
from farthing.gateway.echo import Echoes, repeat
from farthing.gateway.embedding import embed
from farthing.gateway.idempotency import Once
from farthing.gateway.intake import decide, identify, read
from farthing.gateway.lessons import Lessons
from farthing.gateway.order import Order
from farthing.gateway.recording import Recorder
from farthing.gateway.remarks import Remarks
from farthing.gateway.reply import Reply
from farthing.gateway.shadows import Shadows
from farthing.gateway.snapshot import Snapshots
from farthing.gateway.source import StreamSource
from farthing.gateway.weighing import unweighed, weighed
from farthing.gateway.whole import Whole
from farthing.ports.limits import Limiter


class Pipeline(Struct, frozen=True, kw_only=True):
    """Answers chat requests of every dialect."""

    snapshots: Snapshots
    recorder: Recorder
    answers: Answers
    flights: Flights
    dispatch: Dispatch
    limiter: Limiter
    once: Once
    echoes: Echoes = field(default_factory=Echoes)
    lessons: Lessons = field(default_factory=Lessons)
    remarks: Remarks = field(default_factory=Remarks)
    shadows: Shadows = field(default_factory=Shadows)

    async def run(self, call: Call) -> Reply | StreamReply:
        """The answer, or its stream. Raises `FarthingError`; however it ends, exactly one `Exchange` is recorded."""
        begun = self.begin(call)
        return await self.finish(begun) if isinstance(begun, Order) else begun

    def begin(self, call: Call) -> Order | Reply | StreamReply:
        """All that needs no waiting: an answer at hand, or else what is to be bought. Raises `FarthingError`."""
        snapshot = self.snapshots.current
        if (echo := self.echoes.find(call, snapshot)) and self.answers.has(echo.key, echo.entry):
            return repeat(echo, call, self.recorder)
        with self.recorder.begin(call, snapshot.catalogue) as draft:
            draft.caller = caller = admit(snapshot, call.credential, call.received_us)
            if call.directives.feedback:
                self.remarks.note(caller, call.directives.feedback)
            order = read(call, snapshot, draft)
            draft.cache_key = key = identify(order)
            if key and not call.directives.idempotency_key and (kept := self.answers.near(key)):
                reply = replay(order, *kept)
                self.echoes.keep(reply, kept[0], snapshot)
                return reply
            return order

    def finish(self, order: Order) -> Awaitable[Reply | StreamReply]:
        """The answer to an order that was begun. Raises `FarthingError` when awaited."""
        return self.once.answer(order, self._answer) if order.call.directives.idempotency_key else self._answer(order)

    async def _answer(self, order: Order) -> Reply | StreamReply:
        """The answer, kept elsewhere, shared or bought; other workers need not wait for what was not."""
        draft, key = order.draft, order.draft.cache_key
        try:
            if key and not self.flights.find(order) and (kept := await self.answers.find(key, order)):
                return replay(order, *kept)
            draft.open_hold()
            if text := unweighed(order):
                order = await weighed(order, text)
            if (embedder := order.snapshot.embedder) and not (key and self.flights.find(order)):
                await embed(order, embedder)
            while key and (flight := self.flights.find(order)):
                if shared := await flight.join(draft):
                    return deliver(order, shared)
            draft.plan = decide(order)
            buying = self._buy(order)
            return deliver(order, await (self.flights.start(order).lead(buying) if key else buying))
        except BaseException as error:
            draft.close(error)
            raise
        finally:
            if key and not order.chat.stream and not self.flights.find(order):
                self.answers.leave(key)

    async def _buy(self, order: Order) -> Whole | StreamSource:
        """An upstream's answer, whole and settled, or as a stream that settles itself at its end."""
        draft = order.draft
        if draft.caller.quotas and draft.plan:
            draft.allowance = await self.limiter.take(draft.caller, draft.plan.needs)
        buying = self.dispatch.first_answer if order.rule is None else partial(checked_answer, self.dispatch)
        answer = await buying(order, self._bought)
        if isinstance(answer, Whole):
            self._bought(order, answer.dialect, answer.completion, answer.body, is_stream=False)
        return answer

    def _bought(
        self, order: Order, dialect: UpstreamDialect, completion: Completion, body: bytes, *, is_stream: bool = True
    ) -> None:
        """The upstream has said everything: settle before the caller sees the end, and keep what is worth keeping."""
        exchange = order.draft.answered(completion)
        self.lessons.note(order, exchange)
        if order.snapshot.shadow_share:
            self.shadows.draw(order, completion, exchange)
        if key := order.draft.cache_key:
            if completion.is_complete and not (order.draft.plan and order.draft.plan.is_explored):
                self.answers.keep(key, order, exchange, dialect, body, is_stream=is_stream)
            self.flights.landed(order)
