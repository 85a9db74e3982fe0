"""Requests under a rule that promises something."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.budget import Step
from farthing.domain.routing import strategies_with
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from farthing.providers.fake import answer
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.gateway.comparisons import VERDICT, Compared
from tests.unit.gateway.rig import Rig, chat, completion
from tests.unit.gateway.test_budgets import LONG, limited
from tests.unit.gateway.test_trials import experiment, known

LEARNED = {"small": 0.8, "large": 0.9}


def promising(margin: float | None) -> Rig:
    """A rig whose chat requests are promised something, with a predictor of two models."""
    strategies = strategies_with(Told(LEARNED), rated=often(*LEARNED), floor=0.02)
    rig = Rig(lambda _: answer(completion()), strategies=strategies, strategy="learning", exploration=0.2)
    return promise(rig, margin)


def promise(rig: Rig, margin: float | None) -> Rig:
    """With another margin in force."""
    scope = Scope("route", "/v1/chat/completions")
    shown = frozenset({"small"})
    rule = Rule(name="chat", scope=scope, promise=Promise(points=0.02), margin=margin, challengers=shown)
    rig.snapshots.swap(replace(rig.snapshots.current, rules=(rule,)))
    return rig


@pytest.mark.parametrize(
    ("margin", "floor", "model"),
    [(None, None, "large"), (0.05, None, "large"), (0.1, None, "small"), (0.1, 0.05, "large"), (0.05, 0.2, "large")],
)
async def test_the_stricter_of_margin_and_floor_holds(margin: float | None, floor: float | None, model: str) -> None:
    """The caller's floor can make an answer better than was promised, never worse; nothing is explored."""
    rig = promising(margin)
    for _ in range(20):
        await rig.ask(chat(model="auto"), quality_floor=floor)
    assert {exchange.model for exchange in rig.journal.settled} == {model}


async def test_the_record_tells_between_whom_was_chosen() -> None:
    """So that the answer can be compared with the one that was not given."""
    rig = promising(0.05)
    await rig.ask(chat(model="auto"))
    [exchange] = rig.journal.settled
    metadata: dict[str, Any] = json.loads(str(exchange.decision))["metadata"]
    assert metadata["promise"] == {"rule": "chat", "challenger": "small", "short": 0.1, "margin": 0.05}
    assert metadata["propensities"] == {"large": 1.0}
    assert exchange.reason == (
        "large, the baseline, answers: small is expected 0.10 below it, and the promise of chat is kept within 0.05."
    )


@pytest.mark.parametrize(("route", "model"), [("openai", "small"), ("native", "large")])
async def test_nothing_is_promised_of_other_routes_or_named_models(route: str, model: str) -> None:
    """They are answered as ever."""
    rig = promising(None)
    body = chat(model="small") if route == "openai" else {"prompt": "What is Python?", "auto_route": True}
    await rig.ask(body, dialect=route)
    assert rig.journal.settled[0].model == model


async def test_an_experiment_compares_what_nothing_is_promised_of() -> None:
    """Its arms decide as their strategies do."""
    rig = promising(None)
    one = replace(experiment(), arms=tuple(replace(arm, strategy="complexity") for arm in experiment().arms))
    rig.snapshots.swap(replace(rig.snapshots.current, trials=known(one)))
    await rig.ask(chat(model="auto", user="ann"), experiment_id="exp-1")
    assert rig.journal.settled[0].model == "small"


async def test_a_promise_is_not_given_up_for_a_budget() -> None:
    """Near the end of one that says so, other requests are planned cheaper."""
    rig = promise(Rig(lambda _: answer(completion())), 1.0)
    limited(rig, spent=950_000_000, degrade=(Step(90, "cheaper"),))
    reply = await rig.pipeline.run(rig.call(chat(LONG, model="auto")))
    assert not reply.draft.is_thrifty


@pytest.mark.parametrize(
    ("margin", "fails", "models", "short"),
    [
        (None, False, ("large", "small"), 1.0),
        (1.0, False, ("small", "large"), 1.0),
        (1.0, True, ("middle", "large"), None),
    ],
)
async def test_a_comparison_tells_of_the_two_that_the_promise_is_about(
    margin: float | None, fails: bool, models: tuple[str, str], short: float | None
) -> None:
    """Whichever was served; where a fallback answered it tells nothing of them."""
    rig = Compared(judge="referee")
    catalogue = rig.snapshots.current.catalogue
    referee = replace(catalogue.models["large"], name="referee", upstream="referee", routed=False)
    catalogue = replace(catalogue, models={**catalogue.models, "referee": referee})
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=catalogue))
    rig.answers |= {"referee": answer(completion(VERDICT)), "middle": answer(completion(model="middle"))}
    if fails:
        rig.answers["small"] = answer(b"{}", status=500)
    promise(rig, margin)
    await rig.ask(chat("What is a farthing?", model="auto"))
    await rig.compare()
    [pair] = rig.pairs.kept
    assert (pair.rule, pair.served_model, pair.other_model, pair.short) == ("chat", *models, short)


async def test_an_answer_kept_under_one_margin_is_not_told_under_another() -> None:
    """It may be of a model that is not good enough any more."""
    rig = promising(0.1)
    async with rig.supervisor:
        for margin in (0.1, None, 0.1):
            await promise(rig, margin).ask(chat(model="auto"), cache=True)
    told = [(exchange.model, exchange.cache) for exchange in rig.journal.settled]
    assert told == [("small", "miss"), ("large", "miss"), ("small", "hit")]
