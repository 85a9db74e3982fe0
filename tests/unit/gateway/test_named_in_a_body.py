"""A request of any dialect may name its experiment in its body, which no vendor ever sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing.domain.errors import InvalidRequest, NotFound, UpstreamError
from farthing.providers.fake import answer
from tests.unit.gateway.rig import chat, completion, events
from tests.unit.gateway.test_trials import experiment, running, user_in

DIALECTS = ("openai", "anthropic")


def named(dialect: str, user: str, **more: Any) -> dict[str, Any]:
    """A request for any model, with its user where the dialect has him."""
    who = {"user": user} if dialect == "openai" else {"metadata": {"user_id": user}}
    return chat(model="auto", max_tokens=9, **{"experiment_id": "exp-1", **who, **more})


@pytest.mark.parametrize("stream", [False, True])
async def test_openais_clients_name_it_beside_the_rest(stream: bool) -> None:
    """The vendor is asked in the caller's own words, as if there were no experiment."""
    rig = running(experiment(), script=lambda _: answer(*events()) if stream else answer(completion()))
    body = named("openai", user_in("test"), stream=stream)
    await rig.ask(body)
    assert (rig.journal.settled[0].experiment_id, rig.journal.settled[0].arm) == ("exp-1", "test")
    more = {"stream_options": {"include_usage": True}} if stream else {}
    del body["experiment_id"]
    assert json.loads(rig.transport.requests[0].body) == {**body, "model": "large", **more}


async def test_anthropics_clients_do_so_too() -> None:
    """Whichever dialect the arm's vendor speaks."""
    body = named("anthropic", user_in("test"))
    translated = running(experiment())
    await translated.ask(body, dialect="anthropic")
    rig = running(experiment(), script=lambda _: answer(b"{}", status=400), dialect="anthropic")
    with pytest.raises(UpstreamError):
        await rig.ask(body, dialect="anthropic")
    assert [each.journal.settled[0].arm for each in (translated, rig)] == ["test", "test"]
    assert b"exp-1" not in translated.transport.requests[0].body
    del body["experiment_id"]
    assert json.loads(rig.transport.requests[0].body) == {**body, "model": "large"}


async def test_a_header_and_a_body_name_the_same_question() -> None:
    """Whoever names the experiment there finds the answer that was bought by one who did so here."""
    rig = running(experiment())
    user = user_in("test")
    async with rig.supervisor:
        await rig.ask(named("openai", user), cache=True)
        await rig.ask(chat(model="auto", max_tokens=9, user=user), cache=True, experiment_id="exp-1")
    assert [each.cache for each in rig.journal.settled] == ["miss", "hit"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_experiment_in_a_body_needs_what_any_needs(dialect: str) -> None:
    """A user, and to be there; null is none."""
    rig = running(experiment())
    with pytest.raises(InvalidRequest, match="needs to know the user"):
        await rig.ask(chat(max_tokens=9, experiment_id="exp-1"), dialect=dialect)
    with pytest.raises(NotFound, match="There is no experiment"):
        await rig.ask(named(dialect, "ann", experiment_id="exp-2"), dialect=dialect)
    await rig.ask(named(dialect, "ann", experiment_id=None), dialect=dialect)
    assert [each.arm for each in rig.journal.settled] == [None] * 3
