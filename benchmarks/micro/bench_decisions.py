"""Pure decisions: which model, which cache key, what price."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import TEXT, VARIANTS, body, catalogue, chat, sheet, usage
from farthing.domain.cachekey import identity
from farthing.domain.routing import STRATEGIES, concrete

ASKED = [chat(f"Question {number}: {TEXT}") for number in range(VARIANTS)]


@pytest.mark.parametrize("models", [3, 40])
@pytest.mark.parametrize("strategy", ["complexity", "hybrid"])
def bench_routing_decision(meter: Meter, strategy: str, models: int) -> None:
    """A short prompt that was not met before, among so many models."""
    known = catalogue(models)
    plan = STRATEGIES[strategy].plan
    assert plan(ASKED[0], known).models[0].name == "model-0"
    meter.each(lambda request: plan(request, known), ASKED, goal_us=10)


def bench_concrete_model(meter: Meter) -> None:
    """The plan for a model that was named."""
    known = catalogue(3)
    model = known.models["model-1"]
    assert concrete(ASKED[0], model, known).models == (model,)
    meter.each(lambda request: concrete(request, model, known), ASKED, goal_us=10)


@pytest.mark.parametrize("size", ["short", "medium", "long"])
def bench_cache_key(meter: Meter, size: str) -> None:
    """The identity of a decoded request."""
    trees = [body(size, number) for number in range(VARIANTS)]

    def identify(tree: dict[str, Any]) -> str:
        return identity(tree, tenant="acme", arm=None, route="/v1/chat/completions", model="auto")

    assert len({identify(tree) for tree in trees}) == VARIANTS
    meter.each(identify, trees)


def bench_price(meter: Meter) -> None:
    """What a reported usage costs."""
    price = sheet(2)
    reported = [usage(number) for number in range(VARIANTS)]
    assert price.cost(reported[1]) == (101 + 40) * 2_000 + (201 + 1) * 8_000
    meter.each(price.cost, reported)
