"""A request's place in an experiment: who gets which arm, what the arm changes, and what stands in the record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.errors import FarthingError, InvalidRequest, NotFound, UpstreamError
from farthing.domain.exchange import Exchange
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.verdict import Verdict
from farthing.domain.keys import Caller, Key
from farthing.domain.scope import Scope
from farthing.domain.secrets import digest
from farthing.gateway.trials import Trial, Trials
from farthing.providers.fake import answer
from tests.unit.gateway.rig import KEY, Rig, chat, completion, events

CHEAP = Arm("control", "small", 0.5), Arm("test", "large", 0.5)
HARM = Verdict(code="stopped_harm", reason="Test fails.", rule="harm", is_final=True)


def experiment(**changes: Any) -> Experiment:
    """Control asks the small model, test the large one."""
    fields: dict[str, Any] = {
        "id": "exp-1",
        "tenant": "acme",
        "name": "size",
        "arms": CHEAP,
        "sample_size": 100,
        "salt": "exp-1",
        "phases": (Phase((0.5, 0.5), 1),),
        "created_us": 1,
    }
    return Experiment(**{**fields, **changes})


def running(*experiments: Experiment, script: Any = None, **snapshot: Any) -> Rig:
    """A rig with these experiments, whose models always answer."""
    rig = Rig(script or (lambda _: answer(completion())), **snapshot)
    rig.snapshots.swap(replace(rig.snapshots.current, trials=known(*experiments)))
    return rig


def known(*experiments: Experiment) -> Trials:
    """As requests meet them."""
    return Trials(map(Trial.of, experiments))


def user_in(arm: str | None, one: Experiment | None = None) -> str:
    """Somebody who falls into this arm."""
    found = known(one or experiment())
    names = (f"u{number}" for number in range(1_000))
    return next(name for name in names if _arm(found, name) == arm)


def _arm(trials: Trials, user: str) -> str | None:
    part = trials.named("exp-1", tenant="acme", user=user)
    return part.arm.name if part else None


def told(exchange: Exchange) -> Any:
    """What the record's decision tells of the experiment."""
    assert isinstance(exchange.decision, str)
    return json.loads(exchange.decision)["experiment"]


@pytest.mark.parametrize("arm", ["control", "test"])
async def test_an_arm_names_the_model_of_a_native_request(arm: str) -> None:
    """The answer and the record tell the arm; the baseline is that of any routed request."""
    rig = running(experiment())
    async with rig.supervisor:
        body = {"prompt": "Hi", "experiment_id": "exp-1", "user_id": user_in(arm)}
        said = json.loads(await rig.ask(body, dialect="native"))
    settled = rig.journal.settled[0]
    model = {"control": "small", "test": "large"}[arm]
    assert (said["experiment_assignment"], said["model"], said["strategy_used"]) == (arm, model, "experiment")
    assert (settled.experiment_id, settled.arm, settled.model) == ("exp-1", arm, model)
    assert told(settled) == {"arm": arm, "phase": 0, "tokens": told(settled)["tokens"]}
    assert told(settled)["tokens"] > 0
    assert (settled.savings > 0) is (arm == "control")
    assert rig.journal.intents[0].exchange.arm == arm


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_header_puts_a_chat_into_an_experiment(dialect: str, stream: bool) -> None:
    """Whatever the model it names, streamed or not; the body's own user serves where the header names none."""
    behaviour = answer(*events()) if stream else answer(completion())
    rig = running(experiment(), script=lambda _: behaviour)
    user = user_in("test")
    body = chat(model="middle", stream=stream, max_tokens=9, **({"user": user} if dialect == "openai" else {}))
    more = {} if dialect == "openai" else {"user": user}
    await rig.ask(body, dialect=dialect, experiment_id="exp-1", **more)
    assert (rig.journal.settled[0].arm, rig.journal.settled[0].model) == ("test", "large")
    assert json.loads(rig.transport.requests[0].body)["model"] == "large"


async def test_an_arm_may_be_a_strategy() -> None:
    """It replaces the one that was asked for."""
    arms = Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5)
    rig = running(experiment(arms=arms))
    await rig.ask(chat(model="farthing/learning", user=user_in("test")), experiment_id="exp-1")
    await rig.ask(chat(model="large", user=user_in("control")), experiment_id="exp-1")
    assert [(each.strategy, each.model) for each in rig.journal.settled] == [
        ("hybrid", "small"),
        ("complexity", "small"),
    ]


async def test_a_model_that_was_asked_for_and_is_the_arms_is_nothing_special() -> None:
    """Nothing is saved by giving callers what they want."""
    rig = running(experiment())
    await rig.ask(chat(user=user_in("control")), experiment_id="exp-1")
    assert (rig.journal.settled[0].strategy, rig.journal.settled[0].savings) == ("passthrough", 0)


async def test_answers_are_never_shared_between_arms() -> None:
    """The same question in another arm, in another experiment or in none is bought anew; in the same arm it is kept."""
    rig = running(experiment(), experiment(id="exp-2"))
    ann, bob = user_in("control"), user_in("test")
    cid = next(name for name in (f"v{n}" for n in range(99)) if _arm(known(experiment()), name) == "control")
    asked = [(ann, "exp-1"), (bob, "exp-1"), (cid, "exp-1"), (ann, "exp-2"), (ann, None)]
    async with rig.supervisor:
        for user, name in asked:
            await rig.ask(chat(), cache=True, user=user, experiment_id=name)
    settled = rig.journal.settled
    assert [each.cache for each in settled] == ["miss", "miss", "hit", "miss", "miss"]
    assert (settled[2].arm, settled[2].cost, told(settled[2])["phase"]) == ("control", 0, 0)
    assert (settled[4].arm, settled[4].experiment_id) == (None, None)


async def test_an_experiment_needs_a_user_and_must_exist() -> None:
    """For another tenant it does not; a request that never began belongs to no arm."""
    rig = running(experiment(), experiment(id="theirs", tenant="other"))
    with pytest.raises(InvalidRequest, match="needs to know the user"):
        await rig.ask(chat(), experiment_id="exp-1")
    for name in ("exp-2", "theirs"):
        with pytest.raises(NotFound, match="There is no experiment"):
            await rig.ask({"prompt": "Hi", "experiment_id": name, "user_id": "ann"}, dialect="native")
    assert [(each.status, each.arm) for each in rig.journal.settled] == [("rejected", None)] * 3


async def test_while_experiments_are_not_known_nobody_is_refused_for_one() -> None:
    """The request is served as without it."""
    rig = running()
    rig.snapshots.swap(replace(rig.snapshots.current, trials=Trials(is_known=False)))
    await rig.ask(chat(user="ann"), experiment_id="exp-1")
    assert (rig.journal.settled[0].status, rig.journal.settled[0].arm) == ("ok", None)


async def test_a_cancelled_experiment_changes_nothing() -> None:
    """Nor does one whose traffic does not reach the user."""
    for one in (experiment(status="cancelled"), experiment(traffic=1e-9)):
        rig = running(one)
        await rig.ask(chat(model="middle", user="ann"), experiment_id="exp-1")
        assert (rig.journal.settled[0].model, rig.journal.settled[0].arm) == ("middle", None)


async def test_after_harm_everybody_gets_control() -> None:
    """And in any other completed experiment what he had."""
    bob = user_in("test")
    for verdict, model in ((HARM, "small"), (replace(HARM, code="winner", rule="planned"), "large")):
        rig = running(experiment(status="completed", verdict=verdict))
        await rig.ask(chat(model="auto", user=bob), experiment_id="exp-1")
        assert rig.journal.settled[0].model == model


SCOPES = [("key", "k1"), ("route", "/v1/chat/completions"), ("tag", "feature=triage")]


@pytest.mark.parametrize(("where", "value"), SCOPES)
async def test_a_scope_takes_requests_that_leave_the_model_open(where: Any, value: str) -> None:
    """Or that name the model of an arm; others of the same scope, and requests outside it, are left alone."""
    one = experiment(scope=Scope(where, value))
    rig = running(one)
    ann = user_in("test", one)
    for model in ("auto", "small", "middle"):
        await rig.ask(chat(model=model), user=ann, tags={"feature": "triage"})
    assert [(each.arm, each.model) for each in rig.journal.settled] == [("test", "large")] * 2 + [(None, "middle")]
    elsewhere = running(replace(one, scope=Scope(where, value + "x")), replace(one, id="done", status="completed"))
    await elsewhere.ask(chat(model="auto", user=ann))
    assert elsewhere.journal.settled[0].arm is None


async def test_a_scope_without_users_assigns_requests() -> None:
    """Each by its own id, even if its answer is kept and it comes in the same words."""
    rig = running(experiment(scope=Scope("key", "k1")))
    async with rig.supervisor:
        for _ in range(40):
            await rig.ask(chat(model="auto"), cache=True)
    arms = [each.arm for each in rig.journal.settled]
    assert arms == [_arm(known(experiment()), each.request_id) for each in rig.journal.settled]
    assert set(arms) == {"control", "test"}
    assert [each.cache for each in rig.journal.settled].count("miss") == 2


async def test_a_user_keeps_his_arm_when_an_answer_is_repeated_from_memory() -> None:
    """The repetition is a result of its own, in the same arm."""
    rig = running(experiment(scope=Scope("key", "k1")))
    ann = user_in("test")
    async with rig.supervisor:
        for _ in range(4):
            await rig.ask(chat(model="auto", user=ann), cache=True)
    assert [(each.arm, each.cache) for each in rig.journal.settled] == [("test", "miss")] + [("test", "hit")] * 3


async def test_what_fails_and_what_is_tried_instead_belongs_to_the_arm() -> None:
    """As it was assigned, whoever answers in the end."""
    arms = Arm("control", "complexity", 0.5), Arm("test", "small", 0.5)
    rig = running(experiment(arms=arms), script=[answer(b"{}", status=500), answer(completion(model="middle"))])
    await rig.ask(chat(model="auto", user=user_in("control")), experiment_id="exp-1")
    failing = running(experiment(arms=arms), script=lambda _: answer(b"{}", status=500))
    with pytest.raises(UpstreamError):
        await failing.ask(chat(model="auto", user=user_in("test")), experiment_id="exp-1")
    (first,), (second,) = rig.journal.settled, failing.journal.settled
    assert (first.status, first.arm, first.model, len(first.attempts)) == ("ok", "control", "middle", 2)
    assert (second.status, second.arm) == ("error", "test")


async def test_a_key_keeps_its_models_in_any_arm() -> None:
    """A request whose arm it may not use is refused, and counted for that arm; a strategy chooses among the allowed."""
    caller = Caller(tenant="acme", key_id="k1", allowed_models=frozenset({"auto", "middle"}))
    keys = {digest(KEY): Key(caller=caller, name="known", hint="…")}
    arms = Arm("control", "complexity", 0.5), Arm("test", "large", 0.5)
    rig = running(experiment(arms=arms))
    rig.snapshots.swap(replace(rig.snapshots.current, keys=keys))
    async with rig.supervisor:
        with pytest.raises(NotFound):
            await rig.ask(chat(model="auto", user=user_in("test")), experiment_id="exp-1")
        await rig.ask(chat(model="middle", user=user_in("control")), experiment_id="exp-1", cache=True)
    refused, served = rig.journal.settled
    assert (refused.status, refused.arm, refused.error_code) == ("rejected", "test", "model_not_found")
    assert (served.arm, served.model) == ("control", "middle")


async def test_an_arm_whose_model_is_gone_is_refused() -> None:
    """No other arm's answer is given for it."""
    rig = running(experiment(arms=(Arm("control", "gone", 0.5), CHEAP[1])))
    with pytest.raises(FarthingError, match="no model 'gone'"):
        await rig.ask(chat(model="auto", user=user_in("control")), experiment_id="exp-1")
    assert (rig.journal.settled[0].status, rig.journal.settled[0].arm) == ("rejected", "control")


async def test_more_traffic_moves_nobody_between_arms() -> None:
    """Whoever was in at a tenth is in at a half, in the same arm."""
    narrow, wide = (known(experiment(traffic=traffic)) for traffic in (0.1, 0.5))
    users = [f"u{number}" for number in range(500)]
    moved = [user for user in users if _arm(narrow, user) not in (None, _arm(wide, user))]
    assert moved == []
    assert sum(_arm(wide, user) is not None for user in users) > sum(_arm(narrow, user) is not None for user in users)


def test_a_request_is_covered_by_nothing_without_a_scope() -> None:
    """An experiment that must be named covers no request."""
    call = Rig([]).call(chat())
    assert not Trial.of(experiment()).covers(call, "k1", "auto")
    assert known(experiment()).unasked == {}
