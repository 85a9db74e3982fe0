"""The pure parts of a request as calls to be timed; imports what every version of the gateway since 0.2 has."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

from farthing.background.clock import SystemClock
from farthing.cache.memory import MemoryLevel
from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.domain.budget import Budget
from farthing.domain.cachekey import identity
from farthing.domain.catalogue import TIERS, Catalogue, Model
from farthing.domain.chat import ChatRequest, Usage
from farthing.domain.exchange import Attempt, Exchange, Intent
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.keys import Caller
from farthing.domain.pricing import PriceSheet, Rates
from farthing.domain.routing import STRATEGIES, concrete
from farthing.domain.routing.plan import Plan
from farthing.domain.secrets import digest, mint
from farthing.domain.tokens import last_user_text
from farthing.money.journal import Journal
from farthing.money.ledger import Ledger
from farthing.ports import CacheEntry
from farthing.telemetry.logs import LogSink
from farthing.telemetry.prometheus import PrometheusSink

Call = Callable[[], object]
VARIANTS = 64
"""Different requests of one kind take turns, so that nothing is measured that only repetition makes quick."""
TEXT = (
    "the service answers each request once and keeps what it has learned for later use by other parts of the same "
    "system while people read reports about it and decide which of the many small changes is worth their time today"
)
PROSE = TEXT.split()
CODE = 'def total(rows):\n    return sum(row["amount"] for row in rows if row["kind"] == \'paid\')\n'
SIZES = {"short": (1, 0), "medium": (10, 300), "long": (50, 1_200)}
"""By name: messages, and characters of each."""


def cases(folder: Path) -> Iterator[tuple[str, Call]]:
    """Every part by name."""
    yield from _identifiers()
    for name in ("short", "medium", "long", "tools"):
        yield from _request("openai", name, [body(name, number) for number in range(VARIANTS)])
    for name in ("short", "medium"):
        yield from _request("anthropic", name, [messages_body(name, number) for number in range(VARIANTS)])
    yield from _answers()
    yield from _money(folder)
    yield from _listeners()
    yield from _memory()


def _turns(call: Callable[[Any], object], values: Sequence[Any]) -> Call:
    take = cycle(values).__next__
    return lambda: call(take())


def _identifiers() -> Iterator[tuple[str, Call]]:
    chance = random.Random(1)
    numbers = [(1_764_547_200_000_000 + n * 977, chance.getrandbits(RANDOM_BITS)) for n in range(VARIANTS)]
    yield "id", _turns(lambda pair: uuid7(*pair), numbers)
    secret = mint(bytes(range(32)))
    yield "key digest", lambda: digest(secret)


def _request(dialect: str, name: str, bodies: Sequence[bytes]) -> Iterator[tuple[str, Call]]:
    read = INBOUND[dialect].read_request
    trees = [strict.decode(one) for one in bodies]
    chats = [read(tree) for tree in trees]
    kind = name if dialect == "openai" else f"{dialect} {name}"
    yield f"decode, {kind}", _turns(strict.decode, bodies)
    yield f"read, {kind}", _turns(read, trees)
    yield f"identity, {kind}", _turns(_identify, trees)
    models = catalogue(3)
    model = models.models["demo/0"]
    yield f"concrete plan, {kind}", _turns(lambda chat: concrete(chat, model, models), chats)
    yield f"auto plan, {kind}", _turns(lambda chat: STRATEGIES["complexity"].plan(chat, models), chats)
    yield f"last text, {kind}", _turns(lambda chat: last_user_text(chat.messages), chats)
    triples = list(zip(bodies, trees, chats, strict=True))
    say = UPSTREAM[dialect].pass_through
    yield f"same model, {kind}", _turns(lambda t: say(t[0], t[1], t[2], t[2].model), triples)
    yield f"other model, {kind}", _turns(lambda t: say(t[0], t[1], t[2], "demo-0-2026"), triples)
    if dialect == "openai":
        yield f"translated, {kind}", _turns(lambda chat: UPSTREAM["anthropic"].write_request(chat, "claude-x"), chats)


def _identify(tree: dict[str, Any]) -> str:
    return identity(tree, tenant="local", arm=None, route="/v1/chat/completions", model="gpt-5.5")


def _answers() -> Iterator[tuple[str, Call]]:
    for size in (200, 4_000):
        yield f"answer, {size} characters", _turns(UPSTREAM["openai"].read_completion, _many(openai_answer, size))
    yield (
        "answer, anthropic 200 characters",
        _turns(UPSTREAM["anthropic"].read_completion, _many(anthropic_answer, 200)),
    )
    price, usage = sheet(1), Usage(prompt=100, cached=20, completion=40)
    yield "cost", lambda: price.cost(usage)


def _many(write: Callable[[str, int], bytes], size: int) -> list[bytes]:
    return [write(prose(size, number), number) for number in range(VARIANTS)]


def _money(folder: Path) -> Iterator[tuple[str, Call]]:
    clock = SystemClock()
    caller = Caller(tenant="local", key_id="key-1")
    free, limited = Ledger(clock), Ledger(clock)
    scopes = (("tenant", "local"), ("key", "key-1"))
    budgets = [
        Budget(id=scope, tenant="local", scope=scope, subject=subject, window="month", limit=10**15)  # type: ignore[arg-type]
        for scope, subject in scopes
    ]
    limited.load(budgets, {}, today={}, at_us=clock.now_us())
    yield "hold, no budget", lambda: _held(free, caller)
    yield "hold, two budgets", lambda: _held(limited, caller)
    for name in ("concrete", "auto"):
        ends = [exchange(name, number) for number in range(VARIANTS)]
        journal = Journal(root=Path(tempfile.mkdtemp(dir=folder)), name="bench")
        yield f"journal, {name}", _turns(_noted(journal), [(Intent(exchange=end), end) for end in ends])


def _held(ledger: Ledger, caller: Caller) -> None:
    hold = ledger.hold(caller, 100_000)
    hold.raise_to(100_000)
    hold.settle(40_000)


def _noted(journal: Journal) -> Callable[[tuple[Intent, Exchange]], None]:
    calls = 0

    def note(pair: tuple[Intent, Exchange]) -> None:
        nonlocal calls
        journal.open(pair[0])
        journal.settle(pair[1])
        calls += 1
        if calls == 2_000:
            calls = 0
            while (batch := journal.drain(100_000)) is not None:
                journal.commit(batch)

    return note


def _listeners() -> Iterator[tuple[str, Call]]:
    metrics, log = PrometheusSink("1"), LogSink()
    ends = [exchange("concrete", number) for number in range(VARIANTS)]
    yield "metrics, forwarded", _turns(metrics.record, ends)
    hits = [msgspec.structs.replace(end, status="cached", cache="hit", cost=0) for end in ends]
    yield "metrics, hit", _turns(metrics.record, hits)
    yield "log, not sampled", _turns(_quietly(log), ends)


def _quietly(log: LogSink) -> Callable[[Exchange], None]:
    def record(end: Exchange) -> None:
        log._seen = 0  # noqa: SLF001 (the one in a hundred that is written costs the terminal, too)
        log.record(end)

    return record


def _memory() -> Iterator[tuple[str, Call]]:
    level = MemoryLevel(clock=SystemClock())
    keys = [f"{number:064x}" for number in range(VARIANTS)]
    entry = CacheEntry(
        dialect="openai",
        stream=False,
        body=openai_answer(prose(200, 1), 1),
        provider="demo",
        model="demo/0",
        cost=100,
        created_at_us=0,
        expires_at_us=2**60,
        tenant="local",
    )
    for key in keys:
        _driven(level.put(key, entry))
    yield "memory hit", _turns(lambda key: _driven(level.get(key)), keys)
    yield "memory keep", _turns(lambda key: _driven(level.put(key, entry)), keys)


def _driven(awaitable: Coroutine[Any, Any, object]) -> object:
    try:
        awaitable.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("waited")


def prose(size: int, seed: int) -> str:
    """English-like text of about that many characters."""
    chance = random.Random(seed)
    words: list[str] = []
    length = 0
    while length < size:
        words.append(chance.choice(PROSE))
        length += len(words[-1]) + 1
    return " ".join(words).capitalize() + "."


def turns(name: str, seed: int) -> list[dict[str, str]]:
    """A conversation of that size."""
    count, size = SIZES["medium" if name == "tools" else name]
    if count == 1:
        return [{"role": "user", "content": f"What does the word {prose(20, seed)} mean in a report?"}]
    said = []
    for position in range(count - 1):
        text = prose(size, seed * 100 + position) + ("\n```python\n" + CODE + "```" if position % 3 == 0 else "")
        said.append({"role": "assistant" if position % 2 else "user", "content": text})
    return said


def body(name: str, seed: int) -> bytes:
    """A chat completion request as OpenAI's SDK writes it."""
    system = {"role": "system", "content": "You are a helpful assistant. " + prose(80, 7)}
    messages: list[Any] = turns(name, seed) if name == "short" else [system, *turns(name, seed)]
    tree: dict[str, Any] = {"messages": messages, "model": "demo/0", "max_tokens": 200, "temperature": 0}
    if name == "tools":
        tree["tools"] = [{"type": "function", "function": function(number)} for number in range(5)]
        tree["tool_choice"] = "auto"
    return msgspec.json.encode(tree)


def function(number: int) -> dict[str, Any]:
    """A function as agents offer it."""
    properties = {
        f"field_{position}": {"type": "string", "description": prose(60, position)} for position in range(1, 5)
    }
    return {
        "name": f"look_up_{number}",
        "description": prose(150, number),
        "parameters": {"type": "object", "properties": properties, "required": ["field_1"]},
    }


def messages_body(name: str, seed: int) -> bytes:
    """A Messages request as Anthropic's SDK writes it."""
    return msgspec.json.encode(
        {
            "max_tokens": 200,
            "messages": [
                {**turn, "content": [{"type": "text", "text": turn["content"]}]} if name != "short" else turn
                for turn in turns(name, seed)
            ],
            "model": "demo/0",
            "system": "You are a helpful assistant.",
        }
    )


def openai_answer(text: str, number: int) -> bytes:
    """A chat completion as OpenAI writes it."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "id": f"chatcmpl-{number:029d}",
                "object": "chat.completion",
                "created": 1_764_547_200,
                "model": "gpt-5.5-2026-03-05",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": 120,
                    "completion_tokens": 40,
                    "total_tokens": 160,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {
                        "reasoning_tokens": 0,
                        "audio_tokens": 0,
                        "accepted_prediction_tokens": 0,
                        "rejected_prediction_tokens": 0,
                    },
                },
                "service_tier": "default",
                "system_fingerprint": None,
            }
        ),
        indent=2,
    )


def anthropic_answer(text: str, number: int) -> bytes:
    """A message as Anthropic writes it."""
    return msgspec.json.encode(
        {
            "model": "claude-sonnet-5",
            "id": f"msg_{number:024d}",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 120,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": 40,
                "service_tier": "standard",
            },
        }
    )


def sheet(factor: int) -> PriceSheet:
    """A plain price."""
    rates = dict.fromkeys(Rates.__struct_fields__, 50_000_000 * factor) | {"per_request": 0}
    return PriceSheet(version="benchmark", steps=((0, Rates(**rates)),))


def catalogue(size: int) -> Catalogue:
    """`size` models, spread over the tiers, each dearer than the one before."""
    models = {
        f"demo/{place}": Model(
            name=f"demo/{place}",
            provider="demo",
            upstream=str(place),
            dialect="openai",
            tier=TIERS[place * len(TIERS) // size],
            price=sheet(place + 1),
            context_tokens=131_072,
            capabilities=frozenset({"tools", "json"}),
        )
        for place in range(size)
    }
    return Catalogue(models=models)


def exchange(kind: str, number: int) -> Exchange:
    """A forwarded request that has ended."""
    chat: ChatRequest = INBOUND["openai"].read_request(strict.decode(body("short", number)))
    models = catalogue(3)
    plan: Plan
    if kind == "auto":
        plan = STRATEGIES["complexity"].plan(chat, models)
    else:
        plan = concrete(chat, models.models["demo/0"], models)
    return Exchange(
        request_id=uuid7(1_764_547_200_000_000 + number, number),
        created_at_us=1_764_547_200_000_000 + number,
        status="ok",
        route="/v1/chat/completions",
        dialect="openai",
        tenant="local",
        key_id="key-1",
        app="openai-python",
        requested_model=chat.model,
        provider="demo",
        model="demo/0",
        upstream_id=f"chatcmpl-{number:029d}",
        strategy=plan.strategy,
        tier=plan.tier,
        score=plan.score,
        confidence=plan.confidence,
        reason=plan.reason,
        decision={"candidates": plan.candidates, "metadata": plan.metadata},
        attempts=(Attempt(model="demo/0", provider="demo", duration_us=1_234),),
        usage=Usage(prompt=120, completion=40),
        cost=40_000 + number,
        baseline_cost=40_000 + number,
        price_version="benchmark",
        cache="miss",
        cache_key=f"{number:064x}",
        finish="stop",
        duration_us=1_500,
        upstream_us=1_234,
    )
