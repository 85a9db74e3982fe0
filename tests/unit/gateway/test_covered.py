"""An experiment that nobody named refuses nobody: what one of its arms could not answer takes no part in any."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.budget import Budget, Step
from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.errors import UpstreamError
from farthing.domain.experiments.definition import Arm, Experiment
from farthing.domain.keys import Caller, Key
from farthing.domain.routing.needs import read_needs
from farthing.domain.scope import Scope
from farthing.domain.secrets import digest
from farthing.gateway.recording import UNHELD
from farthing.providers.fake import answer
from tests.unit.gateway.rig import KEY, Rig, chat
from tests.unit.gateway.test_trials import experiment, running, user_in

CHAT = ChatRequest(model="large", messages=(Message("user", (Text("Hi"),)),))
EMBEDDED = b'{"object":"list","data":[],"model":"small","usage":{"prompt_tokens":2,"total_tokens":2}}'
PICTURE = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


def scoped(**fields: Any) -> Experiment:
    """Whatever the rig's key asks takes part: control asks the small model, test the large one."""
    return experiment(**{"scope": Scope("key", "k1"), **fields})


async def outcome(rig: Rig, *, max_cost: int | None = None, **more: Any) -> list[tuple[str | None, str | None]]:
    """The arm and the model of one request of each arm's user, which both must be answered."""
    for arm in ("control", "test"):
        await rig.ask(chat(**{"model": "auto", **more}), user=user_in(arm), max_cost=max_cost)
    return [(each.arm, each.model) for each in rig.journal.settled]


def limited(rig: Rig, *budgets: dict[str, Any], spent: int = 0) -> Rig:
    """The rig with budgets of its tenant, of each of which so much is spent."""
    facts: dict[str, Any] = {"scope": "tenant", "subject": "acme", "limit": 1_000_000, "tenant": "acme"}
    made = [Budget(id=f"b{place}", window="total", **(facts | one)) for place, one in enumerate(budgets)]
    rig.ledger.load(made, {one.id: spent for one in made}, today={}, at_us=rig.clock.now_us())
    return rig


ASSIGNED = [("control", "small"), ("test", "large")]
LEFT_ALONE = [(None, "small")] * 2


async def test_what_every_arm_can_answer_takes_part() -> None:
    """Each user in his arm."""
    assert await outcome(running(scoped())) == ASSIGNED


@pytest.mark.parametrize("allowed", [{"auto", "small"}, {"auto", "small", "middle"}])
async def test_a_key_that_may_not_use_an_arms_model_is_left_alone(allowed: set[str]) -> None:
    """In control, too, whose model it may use: else one arm alone would lose this key's requests."""
    caller = Caller(tenant="acme", key_id="k1", allowed_models=frozenset(allowed))
    rig = running(scoped())
    keys = {digest(KEY): Key(caller=caller, name="known", hint="…")}
    rig.snapshots.swap(replace(rig.snapshots.current, keys=keys))
    assert await outcome(rig) == LEFT_ALONE


async def test_an_arm_whose_model_is_gone_ends_it_for_requests() -> None:
    """They get what they would get without it."""
    gone = scoped(arms=(Arm("control", "small", 0.5), Arm("test", "gone", 0.5)))
    assert await outcome(running(gone)) == LEFT_ALONE


async def test_a_limit_of_cost_that_an_arm_exceeds_counts_for_all() -> None:
    """A request that can pay for control alone is in no arm."""
    assert await outcome(running(scoped()), max_tokens=100, max_cost=500_000) == LEFT_ALONE
    assert await outcome(running(scoped()), max_tokens=100, max_cost=2_000_000) == ASSIGNED


async def test_what_an_arms_model_cannot_do_is_not_asked_of_it() -> None:
    """Pictures, where one of the models sees none."""
    rig = running(scoped())
    catalogue = rig.snapshots.current.catalogue
    seeing = {
        name: replace(model, capabilities=frozenset({"images"}) if name != "large" else frozenset())
        for name, model in catalogue.models.items()
    }
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=seeing)))
    turns = [{"role": "user", "content": PICTURE}]
    assert await outcome(rig, messages=turns) == LEFT_ALONE


def abroad(**facts: Any) -> Rig:
    """A rig whose large model, the test arm's, has a provider of its own."""
    rig = running(scoped())
    current = rig.snapshots.current
    there = replace(current.providers["fake"], name="there", **facts)
    models = {**current.catalogue.models, "large": replace(current.catalogue.models["large"], provider="there")}
    catalogue = replace(current.catalogue, models=models)
    rig.snapshots.swap(replace(current, catalogue=catalogue, providers={**current.providers, "there": there}))
    return rig


@pytest.mark.parametrize("said", [{"web_search_options": {}}, {"n": 2}, {"logprobs": True}])
async def test_what_one_vendor_alone_understands_stays_out_of_other_vendors_arms(said: dict[str, Any]) -> None:
    """The request has words for models of its own dialect only; where all speak it, it takes part."""
    assert await outcome(abroad(dialect="anthropic"), **said) == LEFT_ALONE
    assert await outcome(abroad(), **said) == ASSIGNED


async def test_what_another_vendor_can_do_as_well_takes_part() -> None:
    """Few answers to one question, at a vendor that gives so many."""
    rig = abroad(dialect="gemini")
    with pytest.raises(UpstreamError):
        await outcome(rig, n=2)
    assert [(each.arm, each.model) for each in rig.journal.settled] == ASSIGNED
    assert await outcome(abroad(dialect="gemini"), n=9) == LEFT_ALONE


async def test_a_tenants_own_key_that_cannot_be_used_keeps_an_arm_from_answering() -> None:
    """Nobody is sent to a provider that would not let him in."""
    assert await outcome(abroad(is_locked=True)) == LEFT_ALONE


async def test_embeddings_are_in_no_experiment() -> None:
    """Whatever its scope."""
    rig = running(scoped(scope=Scope("key", "k1")), script=lambda _: answer(EMBEDDED))
    call = rig.call({"model": "small", "input": "Hi"})
    await rig.pipeline.run(replace(call, route="/v1/embeddings", dialect=INBOUND["embeddings"]))
    assert (rig.journal.settled[0].status, rig.journal.settled[0].arm) == ("ok", None)


@pytest.mark.parametrize(
    "budget",
    [
        {"limit": 500_000},
        {"limit": 500_000, "scope": "model", "subject": "large"},
        {"limit": 2_000_000, "degrade": (Step(10, "cache_only"),), "scope": "model", "subject": "large"},
    ],
)
async def test_a_budget_that_does_not_hold_the_dearer_arm_counts_for_all(budget: dict[str, Any]) -> None:
    """Of the tenant or of that model; what control costs is there."""
    rig = limited(running(scoped()), budget, spent=250_000 if "degrade" in budget else 0)
    assert await outcome(rig, max_tokens=100) == LEFT_ALONE
    assert rig.ledger.open_holds == 0


async def test_budgets_with_room_for_all_arms_change_nothing() -> None:
    """A soft one never does."""
    rig = limited(running(scoped()), {"limit": 10_000_000}, {"limit": 1, "is_hard": False})
    assert await outcome(rig, max_tokens=100) == ASSIGNED


async def test_without_a_price_a_hard_budget_has_no_room() -> None:
    """So an arm without a price is none for whoever has one."""
    rig = limited(running(scoped()), {"limit": 10_000_000})
    catalogue = rig.snapshots.current.catalogue
    models = {**catalogue.models, "large": replace(catalogue.models["large"], price=None)}
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=models)))
    assert await outcome(rig, max_tokens=100) == LEFT_ALONE


async def test_an_experiment_that_cannot_take_a_request_leaves_it_to_the_next() -> None:
    """The one after it may have arms for everybody."""
    gone = scoped(id="first", arms=(Arm("control", "small", 0.5), Arm("test", "gone", 0.5)))
    rig = running(gone, scoped(id="second"))
    await rig.ask(chat(model="auto"), user="ann")
    assert rig.journal.settled[0].experiment_id == "second"


def test_before_budgets_are_looked_at_nothing_is_limited() -> None:
    """A request's hold has room for anything until it is opened."""
    rig = Rig([])
    assert UNHELD.has_room(rig.snapshots.current.catalogue.models["large"], read_needs(CHAT, "complex"))


async def test_a_hit_settles_what_was_opened_for_it() -> None:
    """Looking whether there is money leaves none held."""
    rig = limited(running(scoped()), {"limit": 100_000_000})
    async with rig.supervisor:
        for _ in range(3):
            await rig.ask(chat(model="auto", max_tokens=9), user=user_in("test"), cache=True)
    assert [each.cache for each in rig.journal.settled] == ["miss", "hit", "hit"]
    assert rig.ledger.open_holds == 0
