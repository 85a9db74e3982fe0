"""Prints how long routing decisions take, in microseconds: `python -m benchmarks.routing_decision`."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from itertools import cycle

from farthing.domain.catalogue import TIERS, Catalogue, Model
from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.pricing import PriceSheet, Rates
from farthing.domain.routing import STRATEGIES, concrete
from farthing.domain.routing.complexity import score
from farthing.domain.routing.features import read_features
from farthing.domain.routing.plan import Needs
from farthing.domain.routing.selection import Pool
from farthing.domain.tokens import estimate_request

SHORT = "Explain the difference between a process and a thread, with one example."
LONG = f"{SHORT}\n" * 300
ROUNDS, CALLS = 7, 20_000


def main() -> None:
    """The best of several rounds, for the parts of a decision and for whole ones."""
    short, long, three = chat(SHORT), chat(LONG), catalogue(3)
    parts = read_features(short)[0].values()
    show("tokens of a short prompt", lambda: estimate_request(short))
    show("features of a short prompt", lambda: read_features(short))
    show("score", lambda: score(parts))
    show("a concrete model, short prompt", lambda: concrete(short, three.models["demo/0"], three))
    for size in (3, 12, 40):
        decide = deciding("complexity", short, catalogue(size))
        show(f"complexity, short prompt, {size} models", decide)
        show(f"  its choice when not met before, {size} models", choosing(catalogue(size)))
    show("hybrid, short prompt, 3 models", deciding("hybrid", short, three))
    show(f"complexity, {len(LONG):,} characters, 3 models", deciding("complexity", long, three))


def deciding(strategy: str, request: ChatRequest, models: Catalogue) -> Callable[[], object]:
    """A whole decision."""
    return lambda: STRATEGIES[strategy].plan(request, models)


def choosing(models: Catalogue) -> Callable[[], object]:
    """A choice among models that is never remembered, because more kinds of needs take turns than are kept."""
    pool = Pool(models)
    needs = cycle([Needs(tokens_in=tokens, tokens_out=250, max_tokens=None) for tokens in range(2_000)])
    return lambda: pool.choose(next(needs), "simple", None)


def show(name: str, call: Callable[[], object]) -> None:
    """Times one call."""
    seconds = min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS
    print(f"{name:45} {seconds * 1e6:7.2f} µs")


def catalogue(size: int) -> Catalogue:
    """`size` models, spread over the tiers, each dearer than the one before."""
    models = {}
    for place in range(size):
        rates = dict.fromkeys(Rates.__struct_fields__, 50_000_000 * (place + 1)) | {"per_request": 0}
        models[f"demo/{place}"] = Model(
            name=f"demo/{place}",
            provider="demo",
            upstream=str(place),
            dialect="openai",
            tier=TIERS[place * len(TIERS) // size],
            price=PriceSheet(version="benchmark", steps=((0, Rates(**rates)),)),
            context_tokens=131_072,
        )
    return Catalogue(models=models)


def chat(text: str) -> ChatRequest:
    """A request with one message."""
    return ChatRequest(model="auto", messages=(Message("user", (Text(text),)),))


if __name__ == "__main__":
    main()
