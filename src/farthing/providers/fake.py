"""Transports without a network: the demo's simulated provider, and one that does what a test's script says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Literal
from zlib import crc32

import msgspec
from msgspec import Struct, field

from farthing.domain.errors import (
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from farthing.domain.secrecy import Secret
from farthing.ports import Deadlines, Provider, Transport, UpstreamRequest
from farthing.providers.simulation import DEMO_MODELS, PIECE, Asked, DemoModel, Said, answers, tokens, tokens_in
from farthing.providers.upstream import Endpoint

__all__ = ["DEMO_MODELS", "DEMO_URL", "FakeTransport", "ScriptedTransport", "demo_provider"]

DEMO_URL = "http://demo.invalid/v1"
"""An address that nobody can have: nothing is ever sent there."""

JSON: Mapping[str, str] = {"content-type": "application/json"}
SSE: Mapping[str, str] = {"content-type": "text/event-stream"}

Sleep = Callable[[float], Awaitable[None]]


class Behaviour(Struct, frozen=True, kw_only=True):
    """How a scripted provider treats one request. Each chunk comes after its pause in seconds."""

    chunks: tuple[tuple[float, bytes], ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    ending: Literal["whole", "broken", "hanging"] = "whole"
    answers: bool = True
    """Whether headers come at all."""
    connects: bool = True


def answer(*chunks: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """A whole answer in these chunks."""
    return Behaviour(chunks=_at_once(chunks), status=status, headers=headers or JSON)


def overload(body: bytes = b'{"error": {"message": "overloaded"}}') -> Behaviour:
    """A 503."""
    return answer(body, status=503)


def refuse() -> Behaviour:
    """Nobody listens."""
    return Behaviour(connects=False)


def hang(*chunks: bytes) -> Behaviour:
    """Falls silent after these chunks; without any it never answers at all."""
    return Behaviour(chunks=_at_once(chunks), ending="hanging", answers=bool(chunks))


def break_off(*chunks: bytes) -> Behaviour:
    """Breaks the connection after these chunks; without any, before the headers."""
    return Behaviour(chunks=_at_once(chunks), ending="broken", answers=bool(chunks))


def _at_once(chunks: Iterable[bytes]) -> tuple[tuple[float, bytes], ...]:
    return tuple((0.0, chunk) for chunk in chunks)


class FakeResponse:
    """An `UpstreamResponse` that follows a `Behaviour`."""

    def __init__(self, *, behaviour: Behaviour, deadlines: Deadlines, sleep: Sleep, on_end: Callable[[], None]) -> None:
        """`on_end` is called once, when nothing more can come."""
        self.status = behaviour.status
        self.headers: Mapping[str, str] = behaviour.headers
        self._ending = behaviour.ending
        self._chunks = list(reversed(behaviour.chunks))
        self._deadlines = deadlines
        self._sleep = sleep
        self._on_end = on_end
        self._outcome: UpstreamError | Literal["whole"] | None = None

    @property
    def is_over(self) -> bool:
        """See `farthing.ports.UpstreamResponse`."""
        return self._outcome is not None

    async def chunk(self) -> bytes:
        """See `farthing.ports.UpstreamResponse`."""
        if self._outcome is None:
            if self._chunks:
                if pause := self._chunks[-1][0]:
                    await self._sleep(pause)
                # Closed while it slept, it has nothing more to say.
                if self._outcome is None:
                    return self._chunks.pop()[1]
            elif self._ending == "hanging":
                await self._sleep(self._deadlines.idle)
            self._end(_failure(self._ending))
        if isinstance(self._outcome, UpstreamError):
            raise self._outcome
        return b""

    async def pass_to(self, take: Callable[[bytes], bool]) -> None:
        """See `farthing.ports.UpstreamResponse`."""
        while take(data := await self.chunk()) and data:
            pass

    async def read(self, limit: int) -> bytes:
        """See `farthing.ports.UpstreamResponse`."""
        body = b""
        try:
            while len(body) <= limit and (data := await self.chunk()):
                body += data
        except asyncio.CancelledError:
            self.close()
            raise
        if len(body) > limit:
            self.close()
            raise UpstreamInvalid(f"The provider's answer is larger than {limit} bytes.")
        return body

    def close(self) -> None:
        """See `farthing.ports.UpstreamResponse`."""
        self._end(UpstreamInterrupted("The answer was closed before it was read to its end."))

    def _end(self, outcome: UpstreamError | Literal["whole"]) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._on_end()


def _failure(ending: Literal["whole", "broken", "hanging"]) -> UpstreamError | Literal["whole"]:
    if ending == "broken":
        return UpstreamInterrupted("The provider's answer broke off.")
    return UpstreamTimeout("The provider fell silent.") if ending == "hanging" else "whole"


class ScriptedTransport:
    """Treats each request as the script says: one behaviour after the other, or whatever a function decides.

    A request counts as `opened` when it is sent and as `closed` when its answer has ended, failed or been closed: a
    caller who leaves nothing open makes the two equal. Deadlines are kept by `sleep`.
    """

    def __init__(
        self, script: Iterable[Behaviour] | Callable[[UpstreamRequest], Behaviour], *, sleep: Sleep = asyncio.sleep
    ) -> None:
        """A script that has come to its end refuses connections."""
        self._decide = script if callable(script) else _in_turn(script)
        self._sleep = sleep
        self.requests: list[UpstreamRequest] = []
        self.opened = 0
        self.closed = 0

    async def send(self, request: UpstreamRequest) -> FakeResponse:
        """See `farthing.ports.Transport`."""
        behaviour = self._decide(request)
        self.requests.append(request)
        self.opened += 1
        response = FakeResponse(
            behaviour=behaviour, deadlines=request.deadlines, sleep=self._sleep, on_end=self._count_closed
        )
        try:
            # No network answers before others had their turn.
            await asyncio.sleep(0)
            await self._wait_for_headers(behaviour, request.deadlines)
        except (UpstreamError, asyncio.CancelledError):
            response.close()
            raise
        return response

    async def aclose(self) -> None:
        """See `farthing.ports.Transport`."""

    async def _wait_for_headers(self, behaviour: Behaviour, deadlines: Deadlines) -> None:
        if not behaviour.connects:
            raise UpstreamUnreachable("The provider refuses connections.")
        if not behaviour.answers and behaviour.ending == "hanging":
            await self._sleep(deadlines.first_token)
            raise UpstreamTimeout("The provider sent no answer.")
        if not behaviour.answers:
            raise UpstreamInterrupted("The provider's connection closed before any answer.")

    def _count_closed(self) -> None:
        self.closed += 1


def _in_turn(script: Iterable[Behaviour]) -> Callable[[UpstreamRequest], Behaviour]:
    behaviours = iter(script)
    return lambda _: next(behaviours, refuse())


class FakeTransport:
    """The demo's provider: speaks the OpenAI dialect in process and answers by simulation."""

    def __init__(self, *, sleep: Sleep = asyncio.sleep) -> None:
        """`sleep` gives the models their pace."""
        self._sleep = sleep
        self._models = {model.name: model for model in DEMO_MODELS}

    async def send(self, request: UpstreamRequest) -> FakeResponse:
        """See `farthing.ports.Transport`."""
        behaviour, pause = self._behaviour(request)
        await self._sleep(pause)
        return FakeResponse(behaviour=behaviour, deadlines=request.deadlines, sleep=self._sleep, on_end=lambda: None)

    async def aclose(self) -> None:
        """See `farthing.ports.Transport`."""

    def _behaviour(self, request: UpstreamRequest) -> tuple[Behaviour, float]:
        if not request.url.endswith("/chat/completions"):
            return _error(404, "The demo's models only know chat completions."), 0.0
        try:
            asked = msgspec.json.decode(request.body, type=Asked)
        except msgspec.DecodeError:
            return _error(400, "The demo's models do not understand this request."), 0.0
        model = self._models.get(asked.model)
        if model is None:
            return _error(404, "The demo has no such model."), 0.0
        behaviour = _stream(request, asked, model) if asked.stream else _completion(request, asked, model)
        return behaviour, model.first_token_s


def demo_provider(endpoint: Endpoint, _transport: Transport, _api_key: Secret[str] | None = None) -> Provider:
    """The simulated provider under the endpoint's name; nothing it is asked leaves the process."""
    return Provider(name=endpoint.name, dialect="openai", base_url=DEMO_URL, transport=FakeTransport(), simulated=True)


def _error(status: int, message: str) -> Behaviour:
    return answer(msgspec.json.encode({"error": {"message": message, "code": None}}), status=status)


def _frame(request: UpstreamRequest, model: DemoModel, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-demo-{crc32(request.body):08x}", "object": kind, "created": 0, "model": model.name}


def _usage(asked: Asked, choices: list[Said]) -> dict[str, Any]:
    read, written = tokens_in(asked), sum(choice.tokens_out for choice in choices)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "completion_tokens_details": {"reasoning_tokens": sum(tokens(choice.reasoning) for choice in choices)},
    }


def _tool_calls(said: Said, **extra: int) -> list[dict[str, Any]]:
    name, arguments = said.tool or ("", "")
    call = {"id": f"call_{crc32(arguments.encode()):08x}", "type": "function", **extra}
    return [{**call, "function": {"name": name, "arguments": arguments}}]


def _completion(request: UpstreamRequest, asked: Asked, model: DemoModel) -> Behaviour:
    choices = answers(asked, model)
    listed = []
    for index, said in enumerate(choices):
        message: dict[str, Any] = {"role": "assistant", "content": None if said.tool else said.text}
        if said.reasoning:
            message["reasoning_content"] = said.reasoning
        if said.tool:
            message["tool_calls"] = _tool_calls(said)
        listed.append({"index": index, "message": message, "finish_reason": said.finish})
    usage = _usage(asked, choices)
    body = _frame(request, model, "chat.completion") | {"choices": listed, "usage": usage}
    pause = model.token_s * usage["completion_tokens"]
    return Behaviour(chunks=((pause, msgspec.json.encode(body)),))


def _stream(request: UpstreamRequest, asked: Asked, model: DemoModel) -> Behaviour:
    frame = _frame(request, model, "chat.completion.chunk")
    choices = answers(asked, model)
    events: list[tuple[float, bytes]] = []

    def say(pause: float, **fields: Any) -> None:  # noqa: ANN401 # members of a JSON object
        events.append((pause, b"data: %b\n\n" % msgspec.json.encode(frame | fields)))

    for index, said in enumerate(choices):
        for pause, delta in _deltas(said, model):
            say(pause, choices=[{"index": index, "delta": delta, "finish_reason": None}])
        say(0.0, choices=[{"index": index, "delta": {}, "finish_reason": said.finish}])
    if (asked.stream_options or {}).get("include_usage"):
        say(0.0, choices=[], usage=_usage(asked, choices))
    events.append((0.0, b"data: [DONE]\n\n"))
    return Behaviour(chunks=tuple(events), headers=SSE)


def _deltas(said: Said, model: DemoModel) -> Iterator[tuple[float, dict[str, Any]]]:
    yield 0.0, {"role": "assistant", "content": ""}
    if said.reasoning:
        yield model.token_s * tokens(said.reasoning), {"reasoning_content": said.reasoning}
    for at in range(0, len(said.text), PIECE):
        piece = said.text[at : at + PIECE]
        yield model.token_s * tokens(piece), {"content": piece}
    if said.tool:
        yield model.token_s * tokens(said.tool[1]), {"tool_calls": _tool_calls(said, index=0)}
