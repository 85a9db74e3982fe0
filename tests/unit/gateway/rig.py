"""A pipeline over fakes: scripted providers, a clock turned by hand, and everything recorded in lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.dialects import INBOUND
from farthing.domain.catalogue import Catalogue, Model, Tier
from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange, Intent
from farthing.domain.keys import Caller, Key
from farthing.domain.pricing import PriceSheet, Rates
from farthing.domain.routing import STRATEGIES
from farthing.domain.secrecy import Secret
from farthing.domain.secrets import digest
from farthing.gateway.answers import Answers
from farthing.gateway.breaker import Breakers, RetryBudget
from farthing.gateway.call import Call, Directives
from farthing.gateway.coalesce import Flights
from farthing.gateway.delivery import StreamReply
from farthing.gateway.dispatch import Dispatch
from farthing.gateway.idempotency import Once
from farthing.gateway.pipeline import Pipeline
from farthing.gateway.recording import Recorder
from farthing.gateway.reply import Reply
from farthing.gateway.snapshot import Snapshot, Snapshots
from farthing.money.ledger import Ledger
from farthing.money.limiter import Limiter
from farthing.ports import Deadlines, Meter, Provider, UpstreamRequest
from farthing.ports.answers import CacheEntry
from farthing.ports.idempotency import KnownAnswer
from farthing.providers.fake import Behaviour, ScriptedTransport

KEY = "sk-known"
DEADLINES = Deadlines(connect=5, first_token=20, idle=10, total=60)
MODELS: tuple[tuple[str, Tier, int], ...] = (
    ("small", "simple", 1),
    ("middle", "moderate", 3),
    ("large", "complex", 10),
)


def sheet(usd_per_mtok: int) -> PriceSheet:
    """The same price for every token."""
    names = [name for name in Rates.__struct_fields__ if name != "per_request"]
    return PriceSheet(version="test", steps=((0, Rates(**dict.fromkeys(names, usd_per_mtok * 1_000_000_000))),))


class ListJournal:
    """Notes in memory; refuses to open once when told to."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.settled: list[Exchange] = []
        self.meters: dict[str, list[int]] = {}
        self.refusal: Exception | None = None

    def open(self, intent: Intent) -> None:
        """Keeps the intent."""
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal
        self.intents.append(intent)

    def settle(self, exchange: Exchange) -> None:
        """Keeps the settlement."""
        self.settled.append(exchange)

    def meter(self, request_id: str) -> Meter:
        """One for each request."""
        return self.meters.setdefault(request_id, [0])


class DictCache:
    """All levels as one dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, CacheEntry] = {}
        self.kept: list[tuple[str, CacheEntry]] = []
        self.turns: set[str] = set()
        self.look_up: Callable[[], Awaitable[None]] | None = None
        self.knows_all = False

    def lacks(self, key: str) -> bool:
        """Whether there is surely no entry, where that is known at all."""
        return self.knows_all and key not in self.entries

    def near(self, key: str) -> tuple[CacheEntry, str] | None:
        """The entry, if it was kept by now."""
        entry = self.entries.get(key)
        return (entry, "memory") if entry else None

    async def find(self, key: str, *, waits: bool = False) -> tuple[CacheEntry, str] | None:
        """The entry at once, or after `look_up`; who would wait for one takes a turn."""
        entry = self.entries.get(key)
        if waits and entry is None:
            self.turns.add(key)
        if self.look_up is not None:
            await self.look_up()
        return (entry, "memory") if entry else None

    def hold(self, key: str, entry: CacheEntry) -> None:
        """Keeps it, and the turn is over."""
        self.entries[key] = entry
        self.turns.discard(key)

    def has_turn(self, key: str) -> bool:
        """Whether somebody was told to buy it."""
        return key in self.turns

    async def give_up(self, key: str) -> None:
        """The turn is over."""
        self.turns.discard(key)

    async def keep(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """Keeps them elsewhere, too."""
        self.kept.extend(answers)

    async def forget(self, key: str) -> None:
        """Forgets it."""
        self.entries.pop(key, None)


class ListSink:
    """Remembers what it is told."""

    def __init__(self, told: list[Exchange]) -> None:
        self._told = told

    def record(self, exchange: Exchange) -> None:
        """Remembers."""
        self._told.append(exchange)


class KnownAnswers:
    """Idempotent answers in a dictionary, which is away when told to be."""

    def __init__(self, clock: ManualClock) -> None:
        self.rows: dict[bytes, tuple[KnownAnswer, str, int]] = {}
        self.is_away = False
        self._clock = clock

    async def claim(self, name: bytes, fingerprint: bytes, *, owner: str, lease_us: int) -> KnownAnswer | None:
        """What is kept and has not expired."""
        self._answer()
        found = self.rows.get(name)
        if found is not None and found[2] > self._clock.now_us():
            return found[0]
        self.rows[name] = KnownAnswer(fingerprint, None), owner, self._clock.now_us() + lease_us
        return None

    async def keep(self, name: bytes, fingerprint: bytes, answer: bytes, *, owner: str, lives_us: int) -> None:
        """Keeps it, whoever's it is."""
        self._answer()
        self.rows[name] = KnownAnswer(fingerprint, answer), owner, self._clock.now_us() + lives_us

    async def release(self, name: bytes, *, owner: str) -> None:
        """Forgets it."""
        self._answer()
        del self.rows[name]

    async def renew(self, *, owner: str, lease_us: int) -> None:
        """Moves the end of all that have no answer."""
        self._answer()
        for name, (known, whose, _) in self.rows.items():
            if known.answer is None:
                self.rows[name] = known, whose, self._clock.now_us() + lease_us

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("away")


class Rig:
    """One pipeline and everything around it."""

    def __init__(self, script: Callable[[UpstreamRequest], Behaviour] | list[Behaviour], **snapshot: Any) -> None:
        self.clock = ManualClock()
        self.transport = ScriptedTransport(script, sleep=self.sleep)
        self.journal = ListJournal()
        self.ledger = Ledger(self.clock)
        self.cache = DictCache()
        self.supervisor = Supervisor(grace_s=1)
        self.breakers = Breakers(self.clock)
        provider = Provider(
            name="fake",
            dialect=snapshot.pop("dialect", "openai"),
            base_url="http://fake.invalid/v1",
            transport=self.transport,
            api_key=Secret("sk-upstream"),
            deadlines=DEADLINES,
        )
        models = {
            name: Model(
                name=name, provider="fake", upstream=name, dialect=provider.dialect, tier=tier, price=sheet(price)
            )
            for name, tier, price in MODELS
        }
        facts: dict[str, Any] = {
            "catalogue": Catalogue(models=models, baseline="large"),
            "providers": {"fake": provider},
            "strategies": STRATEGIES,
            "strategy": "complexity",
            "keys": {digest(KEY): Key(caller=Caller(tenant="acme", key_id="k1"), name="known", hint="…")},
        }
        self.snapshots = Snapshots(Snapshot(**(facts | snapshot)))
        self.recorder = Recorder(journal=self.journal, ledger=self.ledger, sinks=(), clock=self.clock)
        self.flights = Flights()
        self.limiter = Limiter(clock=self.clock, spawn=self.supervisor.spawn, worker="w1")
        self.idempotent = KnownAnswers(self.clock)
        self.once = Once(kept=self.idempotent, spawn=self.supervisor.spawn, owner="w1")
        self.pipeline = Pipeline(
            snapshots=self.snapshots,
            recorder=self.recorder,
            answers=Answers(cache=self.cache, clock=self.clock, spawn=self.supervisor.spawn),
            flights=self.flights,
            limiter=self.limiter,
            once=self.once,
            dispatch=Dispatch(breakers=self.breakers, retries=RetryBudget(), clock=self.clock, sleep=self.sleep),
        )
        self.calls = 0

    def open_to_all(self) -> None:
        """No key was made: whoever reaches the gateway may ask."""
        self.snapshots.swap(replace(self.snapshots.current, is_open=True, keys={}))

    async def sleep(self, seconds: float) -> None:
        """Virtual time passes at once, after others had their turn."""
        await asyncio.sleep(0)
        self.clock.advance(seconds)

    def call(
        self, body: Mapping[str, Any] | bytes, *, dialect: str = "openai", key: str | None = KEY, **wishes: Any
    ) -> Call:
        """A request as the HTTP layer would hand it over."""
        self.calls += 1
        return Call(
            request_id=f"request-{self.calls}",
            route={"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "native": "/complete"}[dialect],
            dialect=INBOUND[dialect],
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            credential=key,
            directives=Directives(**wishes),
            received_us=self.clock.now_us(),
            started=self.clock.monotonic(),
        )

    async def ask(self, body: Mapping[str, Any], **more: Any) -> bytes:
        """The whole answer, streamed or not."""
        reply = await self.pipeline.run(self.call(body, **more))
        return reply.body if isinstance(reply, Reply) else await drained(reply)


async def drained(reply: StreamReply, chunks: int | None = None) -> bytes:
    """What a client reads of a stream before it leaves, after `chunks` or at the end."""
    parts: list[bytes] = []
    try:
        while (chunks is None or len(parts) < chunks) and (chunk := await reply.chunk()):
            parts.append(chunk)
    finally:
        await reply.aclose()
    return b"".join(parts)


def chat(text: str = "What is Python?", **more: Any) -> dict[str, Any]:
    """A chat request for the small model."""
    return {"model": "small", "messages": [{"role": "user", "content": text}], **more}


def completion(text: str = "An answer.", model: str = "small", finish: str = "stop") -> bytes:
    """A whole completion as an OpenAI upstream sends it: 10 tokens in, 5 out."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    body = {"id": "up-1", "object": "chat.completion", "created": 1, "model": model, "usage": usage}
    return json.dumps({**body, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}).encode()


def events(words: int = 5) -> list[bytes]:
    """The same as a stream, one event a chunk: `words` deltas, finish, usage, end mark."""
    base = {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}

    def event(choices: list[Any], **more: Any) -> bytes:
        return b"data: " + json.dumps({**base, "choices": choices, **more}).encode() + b"\n\n"

    deltas = [event([{"index": 0, "delta": {"content": f"w{n} "}, "finish_reason": None}]) for n in range(words)]
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    finish = event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return [*deltas, finish, event([], usage=usage), b"data: [DONE]\n\n"]
