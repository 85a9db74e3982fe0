"""A question that was answered from memory and comes again in the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.errors import Unauthenticated
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest
from farthing.gateway import echo
from farthing.gateway.call import Call, Directives
from farthing.gateway.delivery import StreamReply
from farthing.gateway.reply import Reply
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, completion, drained, events

WISH = Directives(cache=True, user="u1")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Knows the answer to the question already, and has given it from memory once."""
    rig = Rig(lambda _: answer(completion()))
    await rig.pipeline.run(call(rig))
    rig.pipeline.begin(call(rig))
    yield rig
    await rig.supervisor.stop()


def call(rig: Rig, body: dict[str, Any] | None = None, **facts: Any) -> Call:
    """The question in the same words, or with something else about it."""
    return replace(rig.call(body or chat(), cache=True), directives=WISH, **facts)


def worked_out(rig: Rig, monkeypatch: pytest.MonkeyPatch, asked: Call) -> bool:
    """Whether the call's body was read; its answer comes from memory all the same."""
    readings = []
    read = type(asked.dialect).read_request

    def counted(self: Any, tree: Any) -> Any:
        readings.append(tree)
        return read(self, tree)

    with monkeypatch.context() as patch:
        patch.setattr(type(asked.dialect), "read_request", counted)
        reply = rig.pipeline.begin(asked)
    assert isinstance(reply, Reply)
    assert isinstance(reply, echo.Encore) != bool(readings)
    return bool(readings)


async def test_only_the_moment_is_new(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is not read, and the record is the last hit's but for id, moment and duration."""
    rig.clock.advance(5)
    again = call(rig)
    rig.clock.advance(0.001)
    assert not worked_out(rig, monkeypatch, again)
    last, now = rig.journal.settled[-2:]
    assert (last.status, now.status) == ("cached", "cached")
    assert now == replace(last, request_id="request-3", created_at_us=again.received_us, duration_us=1000)


@pytest.mark.parametrize(
    "facts",
    [
        {"directives": Directives(cache=True, user="u1")},
        {"app": "another"},
        {"forward": ((b"openai-beta", b"x"),)},
        {"credential": "sk-other"},
    ],
    ids=lambda facts: next(iter(facts)),
)
async def test_whatever_is_different_is_worked_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]
) -> None:
    """Other wishes, another program, other headers for the vendor, another key: the record could differ."""
    other = Key(caller=Caller(tenant="acme", key_id="k2"), name="other", hint="…")
    snapshot = rig.snapshots.current
    rig.snapshots.swap(replace(snapshot, keys={**snapshot.keys, digest("sk-other"): other}))
    asked = replace(call(rig), **facts)
    if "forward" in facts:
        await rig.pipeline.run(asked)
    assert worked_out(rig, monkeypatch, asked)


async def test_after_a_change_of_configuration_everything_is_worked_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices, keys and models may be others; what was worked out under the old ones takes no more room."""
    for _ in range(2):
        await rig.pipeline.run(call(rig, chat("b")))
    rig.snapshots.swap(replace(rig.snapshots.current))
    assert worked_out(rig, monkeypatch, call(rig))
    assert len(rig.pipeline.echoes._known) == 1
    assert not worked_out(rig, monkeypatch, call(rig))


async def test_a_key_that_was_blocked_hears_no_echo(rig: Rig) -> None:
    """Who asks is looked up each time."""
    snapshot = rig.snapshots.current
    blocked = {name: replace(key, is_blocked=True) for name, key in snapshot.keys.items()}
    rig.snapshots.swap(replace(snapshot, keys=blocked))
    with pytest.raises(Exception, match="not known"):
        rig.pipeline.begin(call(rig))


async def test_a_key_that_has_expired_hears_no_echo(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the very moment it does."""
    snapshot = rig.snapshots.current
    until_us = rig.clock.now_us() + 2_000_000
    keys = {name: replace(key, expires_at_us=until_us) for name, key in snapshot.keys.items()}
    rig.snapshots.swap(replace(snapshot, keys=keys))
    assert worked_out(rig, monkeypatch, call(rig))
    rig.clock.advance(1.999_999)
    assert not worked_out(rig, monkeypatch, call(rig))
    rig.clock.advance(0.000_001)
    with pytest.raises(Unauthenticated, match="expired"):
        rig.pipeline.begin(call(rig))


async def test_what_is_said_of_earlier_answers_is_noted_each_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that brings a rating along is worked out."""
    wish = replace(WISH, feedback={"request-1": "up"})
    for _ in range(3):
        assert worked_out(rig, monkeypatch, replace(call(rig), directives=wish))


async def test_without_a_key_an_echo_is_heard_as_well(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever reaches an open gateway."""
    rig.open_to_all()
    await rig.pipeline.run(replace(call(rig), credential=None))
    assert worked_out(rig, monkeypatch, replace(call(rig), credential=None))
    assert not worked_out(rig, monkeypatch, replace(call(rig), credential=None))


async def test_an_answer_that_is_gone_is_bought_again(rig: Rig) -> None:
    """Expired, driven out or voted down."""
    rig.cache.entries.clear()
    await rig.pipeline.run(call(rig))
    assert rig.journal.settled[-1].status == "ok"


@pytest.mark.parametrize("bound", ["LONGEST_QUESTION", "LONGEST_ANSWER"])
async def test_long_ones_are_worked_out_each_time(rig: Rig, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """They would take more room than they save."""
    monkeypatch.setattr(echo, bound, 10)
    rig.pipeline.echoes._known.clear()
    assert worked_out(rig, monkeypatch, call(rig))
    assert worked_out(rig, monkeypatch, call(rig))


async def test_the_oldest_echo_makes_room(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than so many are remembered."""
    monkeypatch.setattr(echo, "MOST", 2)
    for text in ("a", "b", "a"):
        for _ in range(2):
            await rig.pipeline.run(call(rig, chat(text)))
    assert worked_out(rig, monkeypatch, call(rig))
    assert not worked_out(rig, monkeypatch, call(rig, chat("b")))


@pytest.mark.parametrize(("dialect", "streams"), [("native", False), ("anthropic", False), ("openai", True)])
async def test_what_is_said_anew_each_time_leaves_no_echo(rig: Rig, dialect: str, streams: bool) -> None:
    """A translated answer tells its own id, and a stream is no body."""
    body = chat(stream=True) if streams else chat(max_tokens=9, prompt="What?")
    route = {"native": "/complete", "anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[dialect]
    before = len(rig.pipeline.echoes._known)
    for _ in range(3):
        reply = await rig.pipeline.run(call(rig, body, dialect=INBOUND[dialect], route=route))
        if isinstance(reply, StreamReply):
            await drained(reply)
    assert rig.journal.settled[-1].status == "cached"
    assert len(rig.pipeline.echoes._known) == before


async def test_a_kept_stream_asked_for_whole_leaves_no_echo() -> None:
    """It is written anew from its pieces."""
    rig = Rig([answer(*events(), headers={"content-type": "text/event-stream"})])
    first = await rig.pipeline.run(call(rig, chat(stream=True)))
    assert not isinstance(first, Reply)
    await drained(first)
    for _ in range(2):
        assert isinstance(await rig.pipeline.run(call(rig)), Reply)
    assert rig.pipeline.echoes._known == {}
    await rig.supervisor.stop()
