"""One request's way through the gateway. Read it top to bottom: this is the story."""

from __future__ import annotations

from functools import partial

from farthing.dialects.readings import Readings
from farthing.domain.chat import Completion
from farthing.gateway.admission import admit
from farthing.gateway.answers import Answers
from farthing.gateway.call import Call
from farthing.gateway.coalesce import Flights
from farthing.gateway.delivery import Reply, StreamReply, deliver, replay
from farthing.gateway.dispatch import Dispatch
from farthing.gateway.order import Order, ceiling, decide, identify, read
from farthing.gateway.recording import Recorder
from farthing.gateway.snapshot import Snapshots
from farthing.gateway.source import StreamSource, Whole
from farthing.ports import Ledger


class Pipeline:
    """Answers chat requests of every dialect."""

    def __init__(
        self,
        *,
        snapshots: Snapshots,
        recorder: Recorder,
        answers: Answers,
        flights: Flights,
        ledger: Ledger,
        dispatch: Dispatch,
    ) -> None:
        self._snapshots = snapshots
        self._recorder = recorder
        self._answers = answers
        self._flights = flights
        self._ledger = ledger
        self._dispatch = dispatch
        self._readings = Readings()

    async def run(self, call: Call) -> Reply | StreamReply:
        """The answer, or its stream. Raises `FarthingError`; however it ends, exactly one `Exchange` is recorded."""
        begun = self.begin(call)
        return await self.finish(begun) if isinstance(begun, Order) else begun

    def begin(self, call: Call) -> Order | Reply | StreamReply:
        """All that needs no waiting: an answer at hand, or else what is to be bought. Raises `FarthingError`."""
        snapshot = self._snapshots.current
        with self._recorder.begin(call, snapshot.catalogue) as draft:
            draft.caller = admit(snapshot, call.credential, call.received_us)
            reading = self._readings.of(call.dialect, call.body)
            order = read(call, reading, snapshot, draft)
            draft.cache_key = key = identify(order)
            if key and (kept := self._answers.near(key)):
                self._readings.keep(call.dialect, reading)
                return replay(order, *kept)
            return order

    async def finish(self, order: Order) -> Reply | StreamReply:
        """The answer to an order that was begun, kept elsewhere, shared or bought. Raises `FarthingError`."""
        with order.draft as draft:
            key = draft.cache_key
            if key and not self._flights.find(order) and (kept := await self._answers.find(key)):
                return replay(order, *kept)
            while key and (flight := self._flights.find(order)):
                if shared := await flight.join(draft):
                    return deliver(order, shared)
            draft.plan = decide(order)
            draft.hold = self._ledger.hold(draft.caller, ceiling(order))
            buying = self._buy(order)
            return deliver(order, await (self._flights.start(order).lead(buying) if key else buying))

    async def _buy(self, order: Order) -> Whole | StreamSource:
        """An upstream's answer, whole and settled, or as a stream that settles itself at its end."""
        answer = await self._dispatch.first_answer(order, partial(self._bought, order))
        if isinstance(answer, Whole):
            self._bought(order, answer.completion, answer.body)
        return answer

    def _bought(self, order: Order, completion: Completion, body: bytes) -> None:
        """The upstream has said everything: settle before the caller sees the end, and keep what is worth keeping."""
        exchange = order.draft.answered(completion)
        if key := order.draft.cache_key:
            if completion.is_complete:
                self._answers.keep(key, order, exchange, body)
            self._flights.landed(order)
