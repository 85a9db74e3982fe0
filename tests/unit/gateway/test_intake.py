"""What may be ordered, and what an order is told that cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.experiments.assignment import point
from farthing.domain.keys import Caller, Ceiling, Key
from farthing.domain.routing import strategies_with
from farthing.domain.routing.pace import Pace
from farthing.domain.secrets import digest
from farthing.providers.fake import Behaviour, answer
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.gateway.rig import KEY, Rig, chat, completion


def restricted(rig: Rig, *models: str) -> Rig:
    """The rig with its key allowed these models only."""
    caller = Caller(tenant="acme", key_id="k1", allowed_models=frozenset(models))
    keys = {digest(KEY): Key(caller=caller, name="known", hint="…")}
    rig.snapshots.swap(replace(rig.snapshots.current, keys=keys))
    return rig


def unpriced(rig: Rig, **snapshot: Any) -> Rig:
    """The rig with no price for its small model."""
    current = rig.snapshots.current
    models = {**current.catalogue.models, "small": replace(current.catalogue.models["small"], price=None)}
    rig.snapshots.swap(replace(current, catalogue=replace(current.catalogue, models=models), **snapshot))
    return rig


async def test_a_forbidden_model_looks_like_a_missing_one() -> None:
    """Whoever may not use a model does not learn that it exists."""
    told = []
    for rig, model in ((restricted(Rig([]), "middle"), "small"), (Rig([]), "smell")):
        with pytest.raises(NotFound) as caught:
            await rig.ask(chat(model=model))
        told.append((caught.value.message.replace(model, "…"), caught.value.code, caught.value.param))
        assert [exchange.status for exchange in rig.journal.settled] == ["rejected"]
    assert told[0] == told[1]
    assert told[0][1:] == ("model_not_found", "model")


async def test_auto_stays_within_the_keys_models() -> None:
    """A key that may use `auto` and one model gets that one, however simple the prompt."""
    rig = restricted(Rig([answer(completion(model="large"))]), "auto", "large")
    await rig.ask(chat(model="auto"))
    assert rig.journal.settled[0].model == "large"


async def test_a_key_that_may_use_auto_may_use_the_native_route() -> None:
    """Whichever strategy it names, the choice stays within the key's models."""
    rig = restricted(Rig(lambda _: answer(completion(model="large"))), "auto", "large")
    async with rig.supervisor:
        await rig.ask({"prompt": "What is Python?"}, dialect="native")
    assert rig.journal.settled[0].model == "large"
    with pytest.raises(NotFound):
        await restricted(Rig([]), "large").ask({"prompt": "What is Python?"}, dialect="native")


@pytest.mark.parametrize(
    ("body", "wishes", "code", "param"),
    [
        ({"experiment_id": "e"}, {}, "missing_required_parameter", "user_id"),
        ({"experiment_id": "e", "user_id": "u"}, {}, "experiment_not_found", "experiment_id"),
        ({}, {"experiment_id": "e"}, "missing_required_parameter", "user_id"),
        ({}, {"experiment_id": "e", "user": "u"}, "experiment_not_found", "x-farthing-experiment"),
    ],
)
async def test_an_experiment_that_is_not_there(
    body: dict[str, Any], wishes: dict[str, Any], code: str, param: str
) -> None:
    """Without a user it cannot be joined, and no experiment is known yet; what is wrong stands where it was sent."""
    rig = Rig([])
    with pytest.raises(InvalidRequest) as caught:
        await rig.ask({"prompt": "x", **body}, dialect="native", **wishes)
    assert (caught.value.code, caught.value.param) == (code, param)


async def test_a_request_may_name_its_own_limit() -> None:
    """Over the caller's own ceiling nothing is asked; under it the answer comes."""
    rig = Rig([answer(completion())])
    with pytest.raises(InvalidRequest) as caught:
        await rig.ask(chat(), max_cost=1000)
    assert (caught.value.code, rig.transport.requests) == ("cost_limit_exceeded", [])
    await rig.ask(chat(), max_cost=10_000_000)
    assert [exchange.status for exchange in rig.journal.settled] == ["rejected", "ok"]


def under(limit: int, *answers: Behaviour) -> Rig:
    """A gateway whose only key may spend so many nano-dollars on a request."""
    caller = Caller(tenant="acme", key_id="k1", ceiling=Ceiling(limit, "the plan free"))
    return Rig([*answers], keys={digest(KEY): Key(caller=caller, name="known", hint="…")})


async def test_a_key_may_have_a_limit_for_each_request() -> None:
    """Whose it is stands in the refusal; a caller may ask for less and not for more, and no header is needed."""
    rig = under(1000)
    for more in ({}, {"max_cost": 1000}, {"max_cost": 10_000_000}):
        with pytest.raises(InvalidRequest, match=r"over the \$0\.000001 that the plan free allows") as caught:
            await rig.ask(chat(), **more)
        assert caught.value.code == "cost_limit_exceeded"
    with pytest.raises(InvalidRequest, match=r"over the \$0\.000000099 that x-farthing-max-cost-usd allows"):
        await rig.ask(chat(), max_cost=999 // 10)
    assert rig.transport.requests == []


async def test_what_is_kept_costs_nothing_and_so_no_limit_keeps_it_back() -> None:
    """Bought while the limit was higher."""
    rig = under(10_000_000, answer(completion()))
    first = await rig.ask(chat(), cache=True)
    rig.snapshots.swap(replace(rig.snapshots.current, keys=under(1).snapshots.current.keys))
    assert await rig.ask(chat(), cache=True) == first
    with pytest.raises(InvalidRequest, match="could cost"):
        await rig.ask(chat("Something else?"), cache=True)


LEARNED = {"small": 0.8, "large": 0.9}


def learned(rig: Rig, qualities: Mapping[str, float] = LEARNED, exploration: float = 0.0) -> Rig:
    """The rig with a predictor of some of its models."""
    strategies = strategies_with(Told(qualities), rated=often(*qualities), floor=0.02)
    rig.snapshots.swap(replace(rig.snapshots.current, strategies=strategies, exploration=exploration))
    return rig


@pytest.mark.parametrize(("floor", "model"), [(None, "large"), (0.05, "large"), (0.2, "small"), (0.0, "large")])
async def test_a_request_may_say_how_much_quality_a_cheaper_answer_may_cost(floor: float | None, model: str) -> None:
    """Else the configured floor holds."""
    rig = learned(Rig([answer(completion(model=model))]))
    await rig.ask(chat(model="farthing/learning"), quality_floor=floor)
    assert rig.journal.settled[0].model == model


async def test_an_explored_answer_is_recorded_and_kept_for_nobody() -> None:
    """Whoever asks the same later is answered by the model that would be chosen."""
    rig = learned(Rig(lambda _: answer(completion())), {"small": 0.8, "middle": 0.79}, exploration=0.2)
    drawn = [point(b"exploration:", f"request-{n}") / (1 << 64) for n in range(99)]
    rig.calls = next(n for n in range(97) if drawn[n + 1] < 0.1 and drawn[n + 2] > 0.2)
    async with rig.supervisor:
        for _ in range(2):
            await rig.ask(chat(model="farthing/learning"), cache=True)
    explored, chosen = rig.journal.settled
    assert (explored.model, explored.cache, chosen.model, chosen.cache) == ("middle", "miss", "small", "miss")
    assert str(explored.reason).startswith("Explored: middle is asked instead of small")
    for exchange in (explored, chosen):
        told = json.loads(str(exchange.decision))["metadata"]["propensities"]
        # Nine times the cost of the first more: a third of what the other is drawn.
        assert told == pytest.approx({"small": 1 - 0.1 - 0.1 / 3, "middle": 0.1, "large": 0.1 / 3})


async def test_who_says_how_much_quality_may_be_given_up_is_not_explored() -> None:
    """Nor is a model that was asked for by its name; what was certain has a propensity of 1."""
    rig = learned(Rig(lambda _: answer(completion())), {"small": 0.8, "middle": 0.79}, exploration=0.2)
    for name in ("farthing/learning", "farthing/complexity", "small"):
        await rig.ask(chat(model=name), quality_floor=0.1 if name == "farthing/learning" else None)
    told = [json.loads(str(one.decision))["metadata"].get("propensities") for one in rig.journal.settled]
    assert told == [{"small": 1.0}, {"small": 1.0}, None]


async def test_what_is_held_back_is_answered_by_the_baseline_and_nobody_else_is_told_of_sides() -> None:
    """Neither explored nor paced; the others are compared with it."""
    rig = learned(Rig(lambda _: answer(completion())), {"small": 0.8, "middle": 0.79}, exploration=0.2)
    current = rig.snapshots.current
    catalogue = replace(current.catalogue, baseline="large")
    pace = Pace(target_usd=0.001, spent_usd=0.002, points_per_usd=1_000.0)
    for share in (1.0, 1e-9):
        rig.snapshots.swap(replace(current, catalogue=catalogue, hold_back=share, pace=pace))
        await rig.ask(chat(model="auto"))
    held, routed = rig.journal.settled
    assert (held.model, held.strategy, held.arm, held.savings) == ("large", "hold_back", "hold_back", 0)
    assert json.loads(str(held.decision))["metadata"]["propensities"] == {"large": 1.0}
    assert (routed.model, routed.arm, routed.experiment_id) == ("small", "routed", None)


@pytest.mark.parametrize(
    ("body", "directives"),
    [(chat(model="small"), {}), (chat(model="farthing/complexity"), {}), (chat(model="auto"), {"quality_floor": 0.1})],
)
async def test_who_says_what_is_wanted_is_not_held_back(body: dict[str, Any], directives: dict[str, Any]) -> None:
    """A model or a strategy by its name, or how much quality a cheaper answer may cost."""
    rig = Rig(lambda _: answer(completion()))
    current = rig.snapshots.current
    catalogue = replace(current.catalogue, baseline="large")
    rig.snapshots.swap(replace(current, catalogue=catalogue, hold_back=1.0))
    await rig.ask(body, **directives)
    assert [(one.model, one.arm) for one in rig.journal.settled] == [("small", None)]


async def test_a_pace_gives_up_quality_but_not_that_of_who_sets_a_floor() -> None:
    """Where as much is saved by it; nor is a model given up that was asked for by its name."""
    rig = learned(Rig(lambda _: answer(completion())))
    pace = Pace(target_usd=0.001, spent_usd=0.002, points_per_usd=1_000.0)
    rig.snapshots.swap(replace(rig.snapshots.current, pace=pace))
    for name, floor in (("farthing/learning", None), ("farthing/learning", 0.02), ("large", None)):
        await rig.ask(chat(model=name), quality_floor=floor)
    assert [one.model for one in rig.journal.settled] == ["small", "large", "large"]
    assert str(rig.journal.settled[0].reason).endswith("; to keep to $0.001 a request, small instead.")


async def test_an_answer_kept_for_one_floor_is_not_told_for_another() -> None:
    """It may be worse than what was asked for; a model that was named has no floor."""
    rig = learned(Rig(lambda _: answer(completion())))
    async with rig.supervisor:
        for floor in (0.2, None, 0.0, 0.2):
            await rig.ask(chat(model="farthing/learning"), quality_floor=floor, cache=True)
        for floor in (0.2, None):
            await rig.ask(chat(model="small"), quality_floor=floor, cache=True)
    told = [(exchange.model, exchange.cache) for exchange in rig.journal.settled]
    assert told[:4] == [("small", "miss"), ("large", "miss"), ("large", "miss"), ("small", "hit")]
    assert told[4:] == [("small", "miss"), ("small", "hit")]


async def test_keys_with_other_models_have_other_answers_to_the_same_floor() -> None:
    """What may be chosen from and how are told apart."""
    rig = learned(Rig(lambda _: answer(completion())))
    async with rig.supervisor:
        await rig.ask(chat(model="auto"), quality_floor=0.2, cache=True)
        restricted(rig, "auto", "large")
        await rig.ask(chat(model="auto"), quality_floor=0.2, cache=True)
        await rig.ask(chat(model="auto"), cache=True)
    assert [exchange.cache for exchange in rig.journal.settled] == ["miss"] * 3


async def test_unknown_is_never_zero() -> None:
    """An unpriced model's cost is unknown, and so is its baseline."""
    rig = unpriced(Rig([answer(completion())]))
    reply = await rig.pipeline.run(rig.call(chat()))
    assert reply.draft.exchange == rig.journal.settled[0]
    exchange = rig.journal.settled[0]
    assert (exchange.cost, exchange.baseline_cost, exchange.price_version, exchange.savings) == (None, None, None, 0)


async def test_an_unpriced_model_can_be_refused() -> None:
    """By a setting, before it is asked."""
    rig = unpriced(Rig([]), refuse_unpriced=True)
    with pytest.raises(InvalidRequest) as caught:
        await rig.ask(chat())
    assert caught.value.code == "unpriced_model"


async def test_what_only_one_dialect_can_say_stays_within_it() -> None:
    """A vendor's own kind of content is routed to that vendor's models, or refused."""
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    body = {"model": "auto", "messages": [{"role": "user", "content": [part]}]}
    rig = Rig([answer(completion())])
    await rig.ask(body)
    assert json.loads(rig.transport.requests[0].body)["messages"] == body["messages"]
    with pytest.raises((InvalidRequest, NotFound)):
        await Rig([answer(completion())], dialect="anthropic").ask(body)


async def test_the_baseline_of_a_routed_request_is_the_configured_model() -> None:
    """15 tokens at the small model's price against the large one's."""
    rig = Rig([answer(completion())])
    await rig.ask(chat(model="auto"))
    exchange = rig.journal.settled[0]
    assert (exchange.cost, exchange.baseline_cost, exchange.savings) == (15_000, 150_000, 135_000)


async def test_without_a_baseline_nothing_is_saved() -> None:
    """What was bought is compared with itself."""
    rig = Rig([answer(completion())])
    current = rig.snapshots.current
    rig.snapshots.swap(replace(current, catalogue=replace(current.catalogue, baseline=None)))
    await rig.ask(chat(model="auto"))
    assert rig.journal.settled[0].savings == 0


async def test_the_record_names_whom_it_was_for() -> None:
    """User, session, tags and key as the request told them."""
    rig = Rig([answer(completion())])
    await rig.ask(chat(user="body-user"), user="header-user", session="s1", tags={"team": "support"})
    exchange = rig.journal.settled[0]
    assert (exchange.user, exchange.session, exchange.tags) == ("header-user", "s1", {"team": "support"})
    assert (exchange.tenant, exchange.key_id, exchange.requested_model) == ("acme", "k1", "small")
