"""The pure parts of a request as calls to be timed, in this version of the gateway or an earlier one."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.pure_samples import anthropic_answer, body, catalogue, messages_body, openai_answer, prose, sheet
from farthing.background.clock import SystemClock
from farthing.cache.memory import MemoryLevel
from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.domain.budget import Budget
from farthing.domain.cachekey import identity
from farthing.domain.chat import ChatRequest, Usage
from farthing.domain.exchange import Attempt, Exchange, Intent
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.keys import Caller
from farthing.domain.routing import STRATEGIES, concrete
from farthing.domain.routing.plan import Needs, Plan
from farthing.domain.secrets import digest, mint
from farthing.domain.tokens import last_user_text
from farthing.money.journal import Journal
from farthing.money.ledger import Ledger
from farthing.ports.answers import CacheEntry
from farthing.telemetry.logs import LogSink
from farthing.telemetry.prometheus import PrometheusSink

Call = Callable[[], object]
_MODEL = next(iter(catalogue(1).models.values()))
_NEEDS = Needs(tokens_in=100, tokens_out=250, max_tokens=1_000)
VARIANTS = 64
"""Different requests of one kind take turns, so that nothing is measured that only repetition makes quick."""


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
        yield f"answer, {size} characters", _turns(_read_and_relayed, _many(openai_answer, size))
    yield (
        "answer, anthropic 200 characters",
        _turns(UPSTREAM["anthropic"].read_completion, _many(anthropic_answer, 200)),
    )
    price, usage = sheet(1), Usage(prompt=100, cached=20, completion=40)
    yield "cost", lambda: price.cost(usage)


def _read_and_relayed(one: bytes) -> tuple[object, bytes]:
    dialect = UPSTREAM["openai"]
    if hasattr(dialect, "read_whole"):
        return dialect.read_whole(one)
    return dialect.read_completion(one), dialect.relay_whole(one)  # as it was done before there was one step for both


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
    hits = [_hit(exchange("concrete", number)) for number in range(VARIANTS)]
    journal = Journal(root=Path(tempfile.mkdtemp(dir=folder)), name="bench")
    yield "journal, hit", _turns(_settled(journal), hits)


def _held(ledger: Ledger, caller: Caller) -> None:
    hold = ledger.open(caller)
    hold.raise_to(_MODEL, _NEEDS)
    hold.settle(40_000)


def _hit(end: Exchange) -> Exchange:
    """The same question, answered from the cache."""
    return msgspec.structs.replace(
        end, status="cached", cache="hit", cache_level="memory", cost=0, decision=None, reason=None, attempts=()
    )


def _noted(journal: Journal) -> Callable[[tuple[Intent, Exchange]], None]:
    settle = _settled(journal)

    def note(pair: tuple[Intent, Exchange]) -> None:
        journal.open(pair[0])
        settle(pair[1])

    return note


def _settled(journal: Journal) -> Callable[[Exchange], None]:
    """Settles, and now and then takes what was settled off the disk."""
    calls = 0

    def settle(end: Exchange) -> None:
        nonlocal calls
        journal.settle(end)
        calls += 1
        if calls == 2_000:
            calls = 0
            while (batch := journal.drain(100_000)) is not None:
                journal.commit(batch)

    return settle


def _listeners() -> Iterator[tuple[str, Call]]:
    metrics, log = PrometheusSink("1"), LogSink()
    ends = [exchange("concrete", number) for number in range(VARIANTS)]
    yield "metrics, forwarded", _turns(metrics.record, ends)
    yield "metrics, hit", _turns(metrics.record, list(map(_hit, ends)))
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
