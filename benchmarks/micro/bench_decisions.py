"""Pure decisions: which model, which cache key, what price."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import TEXT, VARIANTS, body, catalogue, chat, sheet, usage
from farthing.domain.cachekey import identity
from farthing.domain.catalogue import Catalogue
from farthing.domain.routing import STRATEGIES, concrete, strategies_with
from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.learning.labels import Labelled, Outcome
from farthing.insight.learning.training import fit

WORDS = f"{TEXT} Prove derive compare river castle engine planet market sum total how many if which 12 7".split()
ASKED = [chat(f"Question {number}: {TEXT}") for number in range(VARIANTS)]


@pytest.mark.parametrize("models", [3, 40])
@pytest.mark.parametrize("strategy", ["complexity", "hybrid"])
def bench_routing_decision(meter: Meter, strategy: str, models: int) -> None:
    """A short prompt that was not met before, among so many models."""
    known = catalogue(models)
    plan = STRATEGIES[strategy].plan
    assert plan(ASKED[0], known).models[0].name == "model-0"
    meter.each(lambda request: plan(request, known), ASKED, goal_us=10)


@pytest.mark.parametrize("strategy", ["learning", "hybrid"])
def bench_learned_decision(meter: Meter, strategy: str) -> None:
    """A prompt of about 100 tokens that was not met before, among ten models whose answers to others were rated."""
    known, predictor = learned()
    plan = strategies_with(predictor, rated=dict.fromkeys(known.models, 1_000))[strategy].plan
    asked = [chat(f"Question {number}: {worded(number, 75)}") for number in range(VARIANTS)]
    assert plan(asked[0], known).metadata["decided_by"] == "learning"
    meter.each(lambda request: plan(request, known), asked, goal_us=1_000)


@cache
def learned() -> tuple[Catalogue, Predictor]:
    """Ten models, and what a thousand rated prompts tell of them."""
    known = catalogue(10)
    return known, fit([labelled(number, known.models) for number in range(1_000)])


def labelled(number: int, models: Iterable[str]) -> Labelled:
    """A prompt in words of its own, answered by every model."""
    dice = random.Random(number)
    outcomes = {model: Outcome(dice.random(), 0.001 * place) for place, model in enumerate(models, 1)}
    return Labelled(worded(-number - 1, 75), outcomes)


def worded(number: int, words: int) -> str:
    """So many words, different for each number."""
    return " ".join(random.Random(number).choices(WORDS, k=words))


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
