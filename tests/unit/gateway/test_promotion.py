"""After a promotion everybody gets the winner, but for those held back, until it gives way."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.errors import FarthingError
from farthing.domain.experiments.assignment import is_held_back
from farthing.domain.experiments.definition import Arm, Experiment
from farthing.domain.experiments.verdict import Verdict
from farthing.domain.keys import Caller, Key
from farthing.domain.scope import Scope
from farthing.domain.secrets import digest
from tests.unit.gateway.rig import KEY, Rig, chat
from tests.unit.gateway.test_trials import experiment, known, running

WINNER = Verdict(code="winner", winner="test", reason="Test is cheaper.", is_final=True)
USERS = [f"u{number}" for number in range(10_000)]
HELD_BACK = next(user for user in USERS if is_held_back(experiment(), user))


def promoted(**fields: Any) -> Experiment:
    """An experiment whose large model has won."""
    ended = {"promote": True, "status": "completed", "verdict": WINNER, "completed_us": 5}
    return experiment(**{**ended, **fields})


async def models(rig: Rig, *asked: str, user: str = "ann") -> list[tuple[str | None, str | None]]:
    """The arm and the model of requests for these models."""
    for model in asked:
        await rig.ask(chat(model=model), user=user)
    return [(each.arm, each.model) for each in rig.journal.settled]


def arms(one: Experiment) -> dict[str, str | None]:
    """By user."""
    trials = known(one)
    found = {user: trials.named("exp-1", tenant="acme", user=user) for user in USERS}
    return {user: None if part is None else part.arm.name for user, part in found.items()}


def test_everybody_gets_the_winner_but_those_held_back() -> None:
    """About 2% of users, whatever the traffic was."""
    found = arms(promoted(traffic=0.1))
    held_back = {user for user in USERS if is_held_back(experiment(), user)}
    assert 0.016 < len(held_back) / len(USERS) < 0.024
    assert {user for user, arm in found.items() if arm == "control"} == held_back
    assert set(found.values()) == {"control", "test"}


def test_after_a_roll_back_everybody_gets_control() -> None:
    """Also by name; requests that do not name it are left alone as before."""
    back = promoted(rolled_back_us=9, rolled_back_for="it was stopped by hand")
    assert set(arms(back).values()) == {"control"}
    assert known(back).unasked == {}


async def test_the_default_is_changed_and_nothing_that_was_chosen() -> None:
    """`auto` by both its names; a strategy or a model that is named stays what it is."""
    rig = running(promoted())
    asked = ("auto", "farthing/auto", "farthing/complexity", "small", "large", "middle")
    found = await models(rig, *asked)
    assert found[:2] == [("test", "large")] * 2
    assert [arm for arm, _ in found[2:]] == [None] * 4
    assert await models(running(promoted()), "auto", user=HELD_BACK) == [("control", "small")]
    assert await models(running(promoted(tenant="other")), "auto") == [(None, "small")]


async def test_without_a_winner_the_default_stays() -> None:
    """As it does while the experiment runs, and where nobody asked for a promotion."""
    for one in (experiment(promote=True), promoted(promote=False)):
        assert known(one).unasked == {}
        assert await models(running(one), "auto") == [(None, "small")]


async def test_a_scope_goes_on_covering_what_it_covered() -> None:
    """With the winner; requests outside it are left alone."""
    one = promoted(scope=Scope("key", "k1"))
    assert await models(running(one), "auto", "small") == [("test", "large")] * 2
    assert await models(running(replace(one, scope=Scope("key", "k2"))), "auto") == [(None, "small")]


async def test_what_runs_comes_first_and_of_what_was_promoted_the_last() -> None:
    """A running scope, then a promoted one, then the default that was promoted last."""
    old, new = promoted(id="old", completed_us=5), promoted(id="new", completed_us=6)
    scope = Scope("key", "k1")
    narrow, live = promoted(id="narrow", completed_us=1, scope=scope), experiment(id="live", scope=scope)
    for experiments, first in (((old, new), "new"), ((new, narrow), "narrow"), ((new, narrow, live), "live")):
        for order in (experiments, experiments[::-1]):
            rig = running(*order)
            await rig.ask(chat(model="auto"), user="ann")
            assert rig.journal.settled[0].experiment_id == first


async def test_a_default_that_was_promoted_refuses_nobody() -> None:
    """Whoever may not use its model is answered as before; so is everybody where the model is gone, or none compare."""
    caller = Caller(tenant="acme", key_id="k1", allowed_models=frozenset({"auto", "small"}))
    rig = running(promoted())
    keys = {digest(KEY): Key(caller=caller, name="known", hint="…")}
    rig.snapshots.swap(replace(rig.snapshots.current, keys=keys))
    assert await models(rig, "auto") == [(None, "small")]
    gone = promoted(arms=(Arm("control", "complexity", 0.5), Arm("test", "gone", 0.5)))
    assert await models(running(gone), "auto") == [(None, "small")]
    assert await models(running(gone), "auto", user=HELD_BACK) == [(None, "small")]


async def test_nor_does_it_take_what_its_model_has_no_words_for() -> None:
    """A request that only its own vendor understands stays with models of that vendor."""
    rig = running(promoted())
    await rig.ask(chat(model="auto", web_search_options={}), user="ann")
    with pytest.raises(FarthingError):
        await rig.ask(chat(model="auto", max_tokens=9, mcp_servers=[{}]), dialect="anthropic", user="ann")
    assert [each.arm for each in rig.journal.settled] == ["test", None]
