"""Asks the models of a plan in order until one answers, before the caller has seen a byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import lru_cache, partial

from msgspec.structs import replace

from farthing.dialects import COUNT_TOKENS
from farthing.dialects.base import UpstreamDialect, WireRequest
from farthing.domain.catalogue import Model
from farthing.domain.chat import Completion
from farthing.domain.errors import (
    ConnectTimeout,
    InsufficientQuota,
    NoHealthyDeployment,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from farthing.gateway.breaker import Breakers, RetryBudget
from farthing.gateway.candidate import Candidate
from farthing.gateway.counting import counted
from farthing.gateway.order import Order
from farthing.gateway.snapshot import Snapshot
from farthing.gateway.source import StreamSource
from farthing.gateway.whole import Whole
from farthing.ports import Clock, Provider, UpstreamRequest, UpstreamResponse

MOST_ATTEMPTS = 3
LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_ERROR = 64 * 1024
OK = 200
RETRY_PAUSE_S = 0.2
UNCHARGED = (UpstreamUnreachable, UpstreamOverloaded)

MOST_KNOWN = 4_096
"""Candidates that are remembered: of so many models and tenants together."""
LEAST_S = 0.001
"""Seconds that a model is given even where none are left."""

Headers = tuple[tuple[bytes, bytes], ...]
OnComplete = Callable[[Order, UpstreamDialect, Completion, bytes], None]


class Dispatch:
    """Knows the health of every deployment."""

    def __init__(
        self, *, breakers: Breakers, retries: RetryBudget, clock: Clock, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._breakers = breakers
        self._retries = retries
        self._clock = clock
        self._sleep = sleep
        self._snapshot: Snapshot | None = None
        self._candidates: dict[tuple[str, str, str], Candidate] = {}
        """Under that snapshot, by model, tenant and the dialect that the request came in."""

    async def first_answer(self, order: Order, on_complete: OnComplete) -> Whole | StreamSource:
        """The first model's answer, or the start of its stream, which calls `on_complete` at its whole end.

        That is told the order, the dialect that the model's vendor speaks, what was said, and all events as they came.

        Raises the last candidate's `UpstreamError`, or `NoHealthyDeployment` where all are resting.
        """
        if order.call.dialect is COUNT_TOKENS and (count := counted(order)):
            return count
        self._retries.request()
        models = order.draft.plan.models if order.draft.plan else ()
        last: UpstreamError | None = None
        refusal: InsufficientQuota | None = None
        tried: Candidate | None = None
        for candidate in self._healthy(order, models):
            try:
                return await self._ask(order, candidate, on_complete)
            except UpstreamError as error:
                if not error.fallback:
                    raise
                last, tried = error, candidate
            except InsufficientQuota as error:
                # What the budget does not hold is no candidate: the caller learns what went wrong before.
                if last is not None:
                    raise last from None
                refusal = refusal or error
        if last is None or tried is None:
            raise refusal or self._nobody(order, models)
        if len(order.draft.attempts) < MOST_ATTEMPTS and await self._may_repeat(last) and tried.breaker.admits():
            return await self._ask(order, tried, on_complete)
        raise last

    async def ask(self, order: Order, model: Model, on_complete: OnComplete) -> Whole | StreamSource:
        """This one model's answer, asked once. Raises `FarthingError`, `NoHealthyDeployment` where it is resting."""
        candidate = self._candidate(order, model)
        if not candidate.breaker.admits():
            raise self._nobody(order, (model,))
        return await self._ask(order, candidate, on_complete)

    def _healthy(self, order: Order, models: tuple[Model, ...]) -> Iterable[Candidate]:
        """The first few that are not resting; a breaker is only asked when its turn has come."""
        if len(models) != 1:
            return self._healthy_of_several(order, models)
        candidate = self._candidate(order, models[0])
        return (candidate,) if candidate.breaker.admits() else ()

    def _healthy_of_several(self, order: Order, models: tuple[Model, ...]) -> Iterator[Candidate]:
        """As `_healthy`, but not all are given up.

        When those asked have failed, the one whose rest is nearest its end is asked as well, unless its vendor wished
        for that rest.
        """
        left = MOST_ATTEMPTS
        resting: list[Candidate] = []
        for model in models:
            candidate = self._candidate(order, model)
            if left and candidate.breaker.admits():
                left -= 1
                yield candidate
            else:
                resting.append(candidate)
        pressed = [candidate for candidate in resting if not candidate.breaker.is_wished]
        if left and pressed:
            yield min(pressed, key=lambda candidate: candidate.breaker.rests_for)

    def _candidate(self, order: Order, model: Model) -> Candidate:
        if order.snapshot is not self._snapshot or len(self._candidates) >= MOST_KNOWN:
            self._candidates.clear()
            self._snapshot = order.snapshot
        name = model.name, order.draft.caller.tenant, order.call.dialect.name
        candidate = self._candidates.get(name)
        if candidate is None:
            candidate = self._candidates[name] = self._found(order, model)
        return candidate

    def _found(self, order: Order, model: Model) -> Candidate:
        provider = order.provider(model)
        dialect, breaker = order.upstream(provider), self._breakers.of(provider.deployment, model.upstream)
        auth = dialect.auth_headers(provider.api_key.reveal()) if provider.api_key else ()
        return Candidate(model, provider, dialect, (*auth, *provider.headers), breaker)

    async def _may_repeat(self, error: UpstreamError) -> bool:
        """Whether the same deployment may be asked again, after a short pause: only where it cannot have charged."""
        if not isinstance(error, UNCHARGED) or not self._retries.take():
            return False
        await self._sleep(RETRY_PAUSE_S)
        return True

    async def _ask(self, order: Order, candidate: Candidate, on_complete: OnComplete) -> Whole | StreamSource:
        draft, model, breaker = order.draft, candidate.model, candidate.breaker
        try:
            wire = _wire(order, candidate)
            if (grant := draft.reserve(model)) is not None:
                await grant
            draft.asking(model)
        except BaseException:
            breaker.abandoned()
            raise
        started = self._clock.monotonic()
        error: str | None = None
        try:
            answer = await self._answer(order, candidate, wire, on_complete)
            breaker.succeeded()
        except UpstreamError as failure:
            breaker.failed(failure)
            error = failure.code
            raise
        except BaseException:
            breaker.abandoned()
            error = "cancelled"
            draft.is_charged = True
            raise
        else:
            return answer
        finally:
            took = round((self._clock.monotonic() - started) * 1e6)
            draft.tried(model, error, took)

    async def _answer(
        self, order: Order, candidate: Candidate, wire: WireRequest, on_complete: OnComplete
    ) -> Whole | StreamSource:
        provider = candidate.provider
        if provider.is_locked:
            raise UpstreamUnauthorized(
                f"The key that this tenant brought for {provider.name} cannot be used. Have it set anew."
            )
        try:
            response = await provider.transport.send(self._request(order, candidate, wire))
        except UpstreamTimeout as failure:
            # It was we who lost patience: whoever has the question goes on with it, and charges for it.
            order.draft.is_charged = not isinstance(failure, ConnectTimeout)
            raise
        try:
            return await _read(order, candidate, response, on_complete)
        except BaseException:
            response.close()
            raise

    def _request(self, order: Order, candidate: Candidate, wire: WireRequest) -> UpstreamRequest:
        call = order.call
        forward = call.forward if call.dialect.name == candidate.dialect.name else ()
        deadlines = candidate.provider.deadlines
        left = deadlines.total - (self._clock.monotonic() - call.started)
        return UpstreamRequest(
            url=candidate.provider.base_url + wire.path,
            headers=_joined(wire.headers, forward, candidate.headers),
            body=wire.body,
            deadlines=replace(deadlines, total=left if left > LEAST_S else LEAST_S),  # noqa: FURB136 (dear)
        )

    def _nobody(self, order: Order, models: tuple[Model, ...]) -> NoHealthyDeployment:
        rests = [self._candidate(order, model).breaker.rests_for for model in models]
        names = ", ".join(model.name for model in models[:3])
        return NoHealthyDeployment(
            f"Every model that could answer is resting after failures ({names}). Try again shortly.",
            retry_after=max(1.0, min(rests, default=1.0)),
        )


def _wire(order: Order, candidate: Candidate) -> WireRequest:
    """What is said to the model. Raises `InvalidRequest` where its vendor has no words for it."""
    dialect, reading, upstream = candidate.dialect, order.reading, candidate.model.upstream
    if order.call.dialect.name == dialect.name:
        return dialect.pass_through(reading.body, reading.tree, order.chat, upstream)
    return dialect.write_request(order.chat, upstream)


@lru_cache(maxsize=256)
def _joined(*groups: Headers) -> Headers:
    """One set of headers: where a name comes twice, the last stands."""
    return tuple(dict(pair for group in groups for pair in group).items())


async def _read(
    order: Order, candidate: Candidate, response: UpstreamResponse, on_complete: OnComplete
) -> Whole | StreamSource:
    """The whole answer, or its stream once it has begun. Raises `UpstreamError`."""
    draft, dialect, headers = order.draft, candidate.dialect, response.headers
    draft.upstream_id = headers.get("x-request-id") or headers.get("request-id")
    if response.status != OK:
        said = _without_key(await response.read(LARGEST_ERROR), candidate.provider)
        raise dialect.read_error(response.status, headers, said)
    draft.is_charged = True
    if order.chat.stream:
        completed = partial(on_complete, order, dialect)
        source = StreamSource(response=response, dialect=dialect, draft=draft, on_complete=completed)
        await source.open()
        draft.first_token_us = draft.elapsed_us
        return source
    body = await response.read(LARGEST_ANSWER)
    try:
        completion, relayed = dialect.read_whole(body)
    except UpstreamError:
        draft.reported = dialect.read_report(body)
        raise
    response.close()
    return Whole(dialect=dialect, body=body, relayed=relayed, completion=completion)


def _without_key(said: bytes, provider: Provider) -> bytes:
    """A refusal as callers may hear of it: some vendors repeat the key in theirs."""
    return said.replace(provider.api_key.reveal().encode(), b"[removed]") if provider.api_key else said
