"""What both ways to the hot routes share: bytes become a `Call`, and an answer gets its headers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache

from farthing.dialects import INBOUND
from farthing.domain.pricing import NANO
from farthing.gateway.call import Arrival, Call
from farthing.gateway.delivery import StreamReply
from farthing.gateway.echo import Echo, Encore
from farthing.gateway.pipeline import Pipeline
from farthing.gateway.reply import Reply
from farthing.gateway.snapshot import Snapshots
from farthing.http.errors import lines
from farthing.http.facts import Head
from farthing.http.head import Heads
from farthing.http.overload import Overload
from farthing.http.ratelimits import limit_headers
from farthing.ports import Clock, Spawn

HOT = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
    "/complete": "native",
}
"""The hot routes and the dialect each speaks."""

MISWRITTEN = {
    "/chat/completions": "/v1/chat/completions",
    "/v1/v1/chat/completions": "/v1/chat/completions",
    "/embeddings": "/v1/embeddings",
    "/v1/v1/embeddings": "/v1/embeddings",
    "/messages": "/v1/messages",
    "/v1/v1/messages": "/v1/messages",
    "/messages/count_tokens": "/v1/messages/count_tokens",
    "/v1/v1/messages/count_tokens": "/v1/messages/count_tokens",
    "/responses": "/v1/responses",
    "/v1/v1/responses": "/v1/responses",
}
"""The commonest mistakes in a base URL: answered, with a warning that says how to mend it."""

DIALECTS = {path: INBOUND[name] for path, name in HOT.items()}

LARGE_BYTES = 1024 * 1024
"""Of a body: to read so much takes the loop some milliseconds, and a picture of 10 MB ten times as long."""
LONGEST_FACT = 256
_ASKED = b"x-request-id: %b\r\nrequest-id: %b\r\nserver-timing: gateway;dur=%.2f, upstream;dur=%.2f\r\n%b"
_AT_ONCE = b"x-request-id: %b\r\nrequest-id: %b\r\nserver-timing: gateway;dur=%.2f, upstream;dur=0.00\r\n%b"
_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class Desk:
    """Takes requests in and addresses their answers."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        snapshots: Snapshots,
        clock: Clock,
        new_id: Callable[[], str],
        spawn: Spawn,
        max_body_bytes: int,
        overload: Overload | None = None,
    ) -> None:
        """Without an `overload` everybody is let in."""
        self.pipeline = pipeline
        self.spawn = spawn
        self.heads = Heads(frozenset(HOT))
        self.max_body_bytes = max_body_bytes
        self._snapshots = snapshots
        self.overload = overload or Overload(
            late_s=0.0, snapshots=snapshots, clock=clock, under_way=int, by_tenant=dict
        )
        self._clock = clock
        self.new_id = new_id
        self._turns = asyncio.Lock()
        self.refusals: dict[tuple[str, int], tuple[object, list[bytes]]] = {}
        """By route and seconds, the headers that a refusal was written with, and its bytes around the request's id."""

    @property
    def is_stopping(self) -> bool:
        """Whether answers that are cancelled were cut short by us."""
        return self.pipeline.recorder.is_stopping

    def stop(self) -> None:
        """From now on a cancelled answer is one that the gateway has no time to finish; its caller is told so."""
        self.pipeline.recorder.is_stopping = True

    def arrival(self) -> Arrival:
        """A request comes now."""
        return Arrival(self.new_id(), self._clock.monotonic(), self._clock.now_us())

    @property
    def takes_any_host(self) -> bool:
        """Whether a request may come in by another name than this machine's own: not to an open gateway."""
        return not self._snapshots.current.is_open

    def turns_away(self, head: Head) -> float:
        """Seconds after which a request for which there is no room now may be sent again, 0 where there is room."""
        return self.overload.refuses(head.credential, self._clock.monotonic())

    async def turn(self) -> None:
        """Returns when a request of `LARGE_BYTES` may begin, one in a turn of the loop: others come in between."""
        async with self._turns:
            await asyncio.sleep(0)

    def call(self, head: Head, body: bytes, arrival: Arrival, *, is_in: bool = False) -> Call:
        """The request as the pipeline wants it. Raises `Overloaded` for one that is not let in, and not `is_in`."""
        if arrival.started > self.overload.asks_from and not is_in:
            self.overload.check(head.credential, arrival.started)
        return Call(
            request_id=arrival.request_id,
            route=head.path,
            dialect=DIALECTS[head.path],
            body=body,
            credential=head.credential,
            directives=head.directives,
            app=head.app,
            forward=head.forward,
            received_us=arrival.received_us,
            started=arrival.started,
        )

    def headers(self, reply: Reply | StreamReply) -> bytes:
        """All headers of an answer as they are sent, each with the end of its line."""
        if isinstance(reply, Encore):
            call, upstream_us, told = reply.call, 0, _retold(reply.echo)
        else:
            call, upstream_us, told = reply.draft.call, reply.draft.upstream_us, _told(reply)
        name = call.request_id.encode()
        elapsed_ms = (self._clock.monotonic() - call.started) * 1000
        if not upstream_us:
            return _AT_ONCE % (name, name, elapsed_ms, told)
        upstream_ms = upstream_us / 1000
        return _ASKED % (name, name, max(0.0, elapsed_ms - upstream_ms), upstream_ms, told)


def _retold(echo: Echo) -> bytes:
    if not echo.told:
        echo.told = _told(echo.first)
    return echo.told


def _told(reply: Reply | StreamReply) -> bytes:
    """What the body is, who answered, and what it took."""
    draft, exchange = reply.draft, reply.draft.exchange
    model, provider, strategy, upstream_id = draft.answered_by
    arm = exchange.experiment_id and exchange.arm if exchange else draft.part and draft.part.arm.name
    told = (
        b"content-type: application/json\r\ncontent-length: %d\r\n" % len(reply.body)
        if isinstance(reply, Reply)
        else _STREAM
    )
    told += _facts(draft.cache, model, provider, strategy, arm or None)
    if upstream_id:
        told += b"x-farthing-upstream-request-id: %b\r\n" % header_value(upstream_id)
    if draft.allowance is not None:
        told += lines(limit_headers(draft.allowance.standings, draft.call.dialect.name))
    if draft.is_replayed:
        told += b"idempotent-replayed: true\r\n"
    if draft.is_thrifty:
        told += b"x-farthing-budget: cheaper\r\n"
    if exchange is not None and exchange.usage.estimated:
        told += b"x-farthing-estimated: true\r\n"
    if exchange is not None and exchange.cost is not None:
        told += b"x-farthing-cost-usd: %.9f\r\n" % (exchange.cost / NANO)
    return told


@lru_cache(maxsize=1024)
def _facts(cache: str, model: str | None, provider: str | None, strategy: str | None, arm: str | None) -> bytes:
    """Who answered; few, and the same again and again."""
    known = {
        b"x-farthing-cache": cache,
        b"x-farthing-model": model,
        b"x-farthing-provider": provider,
        b"x-farthing-strategy": strategy,
        b"x-farthing-experiment-arm": arm,
    }
    return lines([(name, header_value(value)) for name, value in known.items() if value])


def miswritten(path: str, right: str) -> tuple[bytes, bytes]:
    """The header that tells whoever configured a client what is wrong with its base URL."""
    hint = f'299 farthing "The base URL is miswritten: {path} should be {right}"'
    return b"warning", header_value(hint)


def header_value(text: str) -> bytes:
    """Text that a provider may have chosen, as a header can hold it."""
    if len(text) <= LONGEST_FACT and text.isascii() and text.isprintable():
        return text.encode()
    return _NOT_PRINTABLE.sub("?", text[:LONGEST_FACT]).encode()
