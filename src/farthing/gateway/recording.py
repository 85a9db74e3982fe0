"""Turns whatever happens to a request into exactly one `Exchange`, settled in the journal and told to every sink."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Self

from msgspec.structs import replace

from farthing.domain import tokens
from farthing.domain.assembly import Assembly
from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.errors import FarthingError, Stopping, Unavailable, UpstreamError
from farthing.domain.exchange import Attempt, Exchange, Intent, Lines, Status
from farthing.domain.keys import Caller
from farthing.domain.routing.plan import Needs, Plan
from farthing.gateway.call import Call
from farthing.gateway.facts import begun, estimated
from farthing.gateway.losses import NOTHING_LOST, Aside, Losses
from farthing.gateway.trials import Part
from farthing.gateway.unheld import NothingHeld
from farthing.ports import Clock, Hold, Journal, Ledger, Meter, Sink
from farthing.ports.answers import CacheEntry
from farthing.ports.limits import Allowance

logger = logging.getLogger(__name__)
UNHELD = NothingHeld()
ANONYMOUS = Caller(tenant="")
CLIENT_LEFT = 499


class Recorder:
    """Opens drafts and hands finished exchanges on."""

    def __init__(self, *, journal: Journal, ledger: Ledger, sinks: Sequence[Sink], clock: Clock) -> None:
        self.journal = journal
        self.ledger = ledger
        self.sinks = sinks
        self.clock = clock
        self.drafts: set[Draft] = set()
        self.is_stopping = False
        """Whether requests that are cancelled are so because the gateway ends, not because their clients left."""

    def begin(self, call: Call, catalogue: Catalogue) -> Draft:
        """A draft of the record for this call; leaving its `with` block settles it unless a stream took it over."""
        self.drafts.add(draft := Draft(self, call, catalogue))
        return draft

    def settle(self, draft: Draft, exchange: Exchange) -> None:
        """Journals the exchange, then tells the sinks; a sink that fails is logged and changes nothing.

        What somebody asks whom nobody knows is counted, but not written down: a stranger must not fill the ledger.
        """
        self.drafts.discard(draft)
        if draft.caller is not ANONYMOUS:
            self.journal.settle(exchange)
        self._tell(exchange)

    def repeat(self, call: Call, known: Exchange) -> None:
        """Settles a call that is a hit like one before in all but its moment, and so needs no draft."""
        took_us = round((self.clock.monotonic() - call.started) * 1e6)
        exchange = replace(known, request_id=call.request_id, created_at_us=call.received_us, duration_us=took_us)
        self.journal.settle(exchange)
        self._tell(exchange)

    def _tell(self, exchange: Exchange) -> None:
        for sink in self.sinks:
            try:
                sink.record(exchange)
            except Exception:
                logger.exception("sink %s failed", type(sink).__name__)


def to_nobody() -> bool:
    """Nobody else waits for what is being bought."""
    return False


class Draft:
    """What is known of a request so far. Settled once; everything after that is ignored."""

    caller = ANONYMOUS
    chat: ChatRequest | None = None
    requested_model = ""
    plan: Plan | None = None
    hold: Hold = UNHELD
    model: Model | None = None
    is_asked = False
    is_thrifty = False
    """Whether it was planned one tier lower because a budget nears its end."""
    is_replayed = False
    """Whether the answer was given before, under the same idempotency key."""
    is_charged = False
    """Whether the model asked last charges, as far as can be told: it answers, or was left alone with the question."""
    cache = "off"
    cache_level: str | None = None
    cache_key: str | None = None
    upstream_id: str | None = None
    is_handed_over = False
    client_left = False
    native: Mapping[str, Any] = MappingProxyType({})
    safety_identifier: str | None = None
    said: Assembly | None = None
    """What the stream of the model asked last has said so far."""
    reported: Usage | None = None
    """What the model asked last told of its tokens in an answer that is none."""
    unserved: tuple[Model, Completion] | None = None
    """Who has answered first, and what, where that gives way to another's answer."""
    _noted: Exchange | None = None
    """The record as it was journaled before the model was asked."""

    def __init__(self, recorder: Recorder, call: Call, catalogue: Catalogue) -> None:
        self._recorder = recorder
        self._catalogue = catalogue
        self.call = call
        self.session = call.directives.session
        # What every request asks for is set here, and not by the class: Python finds it sooner.
        self.question: Needs | None = None
        """What is asked of a model for the gateway's own sake, while it is; None for what the caller wants to know."""
        self.part: Part | None = None
        """The place in an experiment."""
        self.allowance: Allowance | None = None
        self.exchange: Exchange | None = None
        self.upstream_us = 0
        self.first_token_us: int | None = None
        self._losses: Losses = NOTHING_LOST
        self.attempts: list[Attempt] = []
        self.leave_to_others: Callable[[], bool] = to_nobody
        """To be called when the client has left, which is noted: whether others wait for what is being bought."""

    def __enter__(self) -> Self:
        """The draft itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `close`, where there is an error."""
        if error is not None:
            self.close(error)

    def close(self, error: BaseException) -> None:
        """Records an error or a cancellation, unless somebody else has taken the draft over."""
        if not self.is_handed_over:
            self.broke(error)

    @property
    def elapsed_us(self) -> int:
        """Microseconds since the request arrived."""
        return round((self._recorder.clock.monotonic() - self.call.started) * 1e6)

    @property
    def spent_today(self) -> int:
        """Nano-dollars that the caller's tenant has spent today."""
        return self._recorder.ledger.spent_today(self.caller.tenant)

    @property
    def user(self) -> str | None:
        """The end user on whose behalf the caller asks."""
        asked = self.call.directives.user or (self.chat.user if self.chat else None)
        return asked or self.native.get("user_id") or self.safety_identifier or self.caller.user

    @property
    def answered_by(self) -> tuple[str | None, str | None, str | None, str | None]:
        """Model, provider, strategy and the provider's own id of the answer, as far as they are known."""
        known = self.exchange
        if known is not None:
            return known.model, known.provider, known.strategy, known.upstream_id
        model, plan = self.model, self.plan
        return (
            model.name if model else None,
            model.provider if model else None,
            plan.strategy if plan else None,
            self.upstream_id,
        )

    def open_hold(self) -> None:
        """Opens the hold, unless it is open; settling closes it."""
        if self.hold is UNHELD:
            call, ledger = self.call, self._recorder.ledger
            self.hold = ledger.open(self.caller, self.user, call.directives.tags, at_us=call.received_us)

    def reserve(self, model: Model) -> Awaitable[None] | None:
        """Holds the money for `model`. What must be awaited before it is asked, or None. Raises as `Hold.raise_to`."""
        if self.question is not None:
            return self.hold.raise_to(model, self.question)
        return self.hold.raise_to(model, self.plan.needs, self.call.body) if self.plan else None

    def asking(self, model: Model) -> None:
        """Journals that `model` is about to be asked, for which money is held. Raises `Unavailable` if it cannot."""
        if self.attempts:
            self._losses.write_off(self.attempts)
            self.is_charged, self._noted, self.said, self.reported = False, None, None, None
        self.model = model
        self._noted = self._note(model, self.estimate(None))
        self.is_asked = True

    def told(self, usage: Usage) -> None:
        """Journals what a stream has told of its input before it says anything: that is what it is charged for."""
        if self.model is not None and usage.tokens_in:
            input_alone = replace(usage, completion=0, reasoning=0, audio_out=0, image_out=0, estimated=True)
            self._note_again(self.model, input_alone)

    def _note(self, model: Model, usage: Usage) -> Exchange:
        """Journals the record as it would read if we died now, and of a stream how it goes on."""
        noted = self._build("interrupted", usage, http_status=0)
        lines = self._lines(model, usage) if noted.stream else None
        self._recorder.journal.open(Intent(exchange=noted, lines=lines))
        return noted

    def _note_again(self, model: Model, usage: Usage) -> None:
        # Where there is no room left on the disk, the estimate that was journaled before stands.
        with suppress(Unavailable):
            self._note(model, usage)

    def tried(self, model: Model, error: str | None, took_us: int) -> None:
        """Notes how the model that was asked has done; what it charges for a broken answer is held from now on."""
        self.upstream_us += took_us
        self.attempts.append(Attempt(model=model.name, provider=model.provider, error=error, duration_us=took_us))
        if error is not None and self.is_charged:
            self._lose(model, self._used())

    def _lose(self, model: Model, usage: Usage) -> None:
        if self._losses is NOTHING_LOST:
            self._losses = Losses()
        self.hold.sink(self._losses.note(model, usage, 0 if usage.is_empty else _cost(model, usage)))

    def set_aside(self, model: Model, completion: Completion, outcome: Literal["unserved", "check"]) -> Aside:
        """The model asked last has answered, and more is asked before the caller is: journals what it charges."""
        usage = completion.usage or self.estimate(completion)
        self._lose(model, usage)
        self.attempts[-1] = replace(self.attempts[-1], outcome=outcome)
        self._note_again(model, usage)
        return Aside(model=model, place=len(self.attempts) - 1, upstream_id=self.upstream_id)

    def take_back(self, aside: Aside) -> None:
        """The caller gets this answer: what else was asked is paid for beside it."""
        self._losses.take_back(self.attempts, aside.place)
        self.hold.return_to(aside.model)
        self.model, self.upstream_id, self._noted = aside.model, aside.upstream_id, None

    def meter(self) -> Meter:
        """Where what the model is saying is counted, in case that nobody lives to settle it."""
        return self._recorder.journal.meter(self.call.request_id)

    def follow(self, leader: Draft) -> None:
        """This request shares the upstream call of another."""
        self.cache, self.cache_level = "hit", "flight"
        self.plan, self.model = leader.plan, leader.model

    def answered(self, completion: Completion) -> Exchange:
        """Settles a request that an upstream answered in full."""
        self.upstream_id = self.upstream_id or completion.id
        status: Status = "cancelled" if self.client_left else "ok"
        finish = completion.choices[0].finish if completion.choices else None
        return self._settle(self._build(status, completion.usage or self.estimate(completion), finish=finish))

    def hit(self, entry: CacheEntry, level: str, completion: Completion) -> Exchange:
        """Settles a request that a kept answer served: it costs nothing."""
        self.upstream_id = completion.id
        usage = completion.usage or self.estimate(completion)
        origin = {
            "provider": entry.provider,
            "model": entry.model,
            "strategy": entry.strategy,
            "tier": entry.tier,
            "score": entry.score,
            "confidence": entry.confidence,
        }
        return self._free(level, usage, entry.cost, origin)

    def shared(self, leader: Draft) -> Exchange:
        """Settles a request that shared the leader's upstream call, which is settled: the leader pays."""
        self.follow(leader)
        self.upstream_id = leader.upstream_id
        paid = leader.exchange
        return self._free("flight", paid.usage if paid else Usage(), paid.cost if paid else None, {})

    def replayed(self, answered_by: tuple[str | None, str | None, str | None, str | None]) -> Exchange:
        """Settles a request whose answer was given before: nothing is bought, and nothing saved."""
        model, provider, strategy, self.upstream_id = answered_by
        self.is_replayed, self.cache_key = True, None
        self.cache, self.cache_level = "hit", "idempotency"
        known = self._build("cached", Usage())
        return self._settle(replace(known, model=model, provider=provider, strategy=strategy))

    def _free(self, level: str, usage: Usage, bought: int | None, facts: Mapping[str, Any]) -> Exchange:
        self.cache, self.cache_level = "hit", level
        known = self._build("cached", usage)
        baseline = 0 if usage.is_empty else self._baseline(usage, bought)
        return self._settle(replace(known, cost=0, baseline_cost=baseline, **facts))

    def broke(self, error: BaseException) -> Exchange:
        """Settles a request that ended in an error, whose client left, or for which we had no time left."""
        is_cut = isinstance(error, asyncio.CancelledError | GeneratorExit)
        usage = self._used() if self.is_charged else Usage()
        if is_cut and self._recorder.is_stopping:
            return self._cut_short(usage)
        if is_cut:
            return self._settle(self._build("cancelled", usage, http_status=CLIENT_LEFT, error_code="client_left"))
        known = error if isinstance(error, FarthingError) else None
        is_ours = known is not None and not isinstance(known, UpstreamError) and not self.is_asked
        status: Status = "rejected" if is_ours else "error"
        code = (known.code if known else None) or "internal_error"
        http_status = known.status if known else 500
        return self._settle(self._build(status, usage, http_status=http_status, error_code=code))

    def _used(self) -> Usage:
        """What the model asked last has charged for, although its answer is none."""
        charge, said = self._losses.last, self.said
        return charge.usage if charge else self.reported or self.estimate(said.completion() if said else None)

    def _cut_short(self, usage: Usage) -> Exchange:
        status: Status = "interrupted" if self.is_asked else "rejected"
        return self._settle(self._build(status, usage, http_status=Stopping.status, error_code=Stopping.default_code))

    def _settle(self, exchange: Exchange) -> Exchange:
        if self.exchange is not None:
            return self.exchange
        self.exchange = exchange
        self.hold.settle(exchange.cost or 0)
        if self.allowance is not None:
            self.allowance.settle(exchange.tokens)
        self._recorder.settle(self, exchange)
        return exchange

    def estimate(self, completion: Completion | None) -> Usage:
        """Tokens counted here for want of the vendor's figures; those it gave of the input so far are kept."""
        needs = self.question or (self.plan and self.plan.needs)
        counted = needs.tokens_in if needs else tokens.estimate_request(self.chat) if self.chat else 0
        return estimated(counted, completion)

    def _baseline(self, usage: Usage, bought: int | None) -> int | None:
        """What the same tokens cost had we not been there: the model asked for, or for `auto` the baseline."""
        if self.caller.errand:
            return 0
        baseline = self._yardstick()
        if baseline is None:
            return bought
        return baseline.price.cost(usage) if baseline.price else None

    def _yardstick(self) -> Model | None:
        """The model that the cost is compared with, None where with itself."""
        if self.plan is not None and self.plan.strategy == "passthrough":
            return None
        return self._catalogue.find(self.requested_model) or self._catalogue.compared

    def _lines(self, model: Model, usage: Usage) -> Lines:
        """What an answer of whatever length costs, and what it is compared with."""
        price, compared = model.price, (self._yardstick() or model).price
        line = self._losses.with_line(price.line(usage) if price else None)
        return Lines(line, compared.line(usage) if compared else None)

    def _build(
        self,
        status: Status,
        usage: Usage,
        *,
        http_status: int = 200,
        error_code: str | None = None,
        finish: str | None = None,
    ) -> Exchange:
        """The record as things stand; what was known when a model was asked is not gathered twice."""
        model, losses = self.model, self._losses
        own: int | None = 0
        baseline: int | None = 0
        if model is not None and not usage.is_empty:
            own = _cost(model, usage)
            baseline = self._baseline(usage, own)
        uses_tools = usage.web_searches or usage.file_searches
        if losses.is_estimated or (uses_tools and model and model.price and not model.price.knows_tools(usage)):
            usage = replace(usage, estimated=True)
        return replace(
            self._noted or begun(self),
            status=status,
            usage=usage,
            cost=own if losses is NOTHING_LOST else losses.with_cost(own),
            baseline_cost=baseline,
            upstream_id=self.upstream_id,
            attempts=tuple(self.attempts),
            duration_us=self.elapsed_us,
            first_token_us=self.first_token_us,
            upstream_us=self.upstream_us,
            http_status=http_status,
            error_code=error_code,
            finish=finish,
        )


def _cost(model: Model, usage: Usage) -> int | None:
    """What the model charges for these tokens, in nano-dollars; None where its price is unknown."""
    return model.price.cost(usage) if model.price else None
