"""Questions whose answers were bought are noted on the side."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.errors import UpstreamError
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest
from farthing.gateway.lessons import EACH_ROUND, MOST_WAITING, Lessons
from farthing.ports.learning import Lesson
from farthing.providers.fake import Behaviour, answer
from tests.unit.gateway.rig import KEY, Rig, chat, completion, events

THANKS = [{"role": "user", "content": "Thanks."}, {"role": "assistant", "content": "You are welcome."}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SSE = {"content-type": "text/event-stream"}
LESSON = Lesson(
    request_id="r", created_at_us=1, tenant="acme", model="small", prompt="What is a farthing?", cost=15_000
)


def rig_of(*answers: Behaviour, keep_prompts: bool = True) -> Rig:
    """A gateway whose upstream answers so."""
    return Rig([*answers], keep_prompts=keep_prompts)


async def test_a_lesson_tells_what_the_answer_alone_has_cost() -> None:
    """Not what another model was paid before, whose answer broke or was not good enough."""
    rig = rig_of(answer(b"<html>"), answer(completion(model="middle")))
    await rig.ask(chat("What is a farthing?", model="auto"))
    [lesson] = rig.pipeline.lessons.take()
    [row] = rig.journal.settled
    assert (lesson.model, lesson.cost) == ("middle", 45_000)
    assert (row.cost or 0) > 45_000
    assert replace(row, cost=None).own_cost is None


async def test_a_bought_answer_is_a_lesson() -> None:
    """Of the model that answered, for what it cost, from the moment in which it was asked for."""
    rig = rig_of(answer(completion()))
    asked_us = rig.clock.now_us()
    await rig.ask(chat("What is a farthing?"))
    assert rig.pipeline.lessons.take() == [replace(LESSON, request_id="request-1", created_at_us=asked_us)]
    assert rig.pipeline.lessons.take() == []


async def test_who_asked_is_noted_where_asking_again_would_tell() -> None:
    """With which key, the session, else the user, with a digest of what came before and the moment of the answer."""
    rig = rig_of(*(answer(completion()) for _ in range(5)))
    asked_us = rig.clock.now_us()
    await rig.ask(chat(user="ann"))
    await rig.ask(chat(user="ann"), session="s")
    await rig.ask({"model": "small", "user": "ann", "messages": [*THANKS, *chat()["messages"]]})
    await rig.ask(chat())
    caller = Caller(tenant="acme", key_id="k2")
    rig.snapshots.swap(replace(rig.snapshots.current, keys={digest(KEY): Key(caller=caller, name="other", hint="…")}))
    await rig.ask(chat(user="ann"))
    first, second, third, nobody, other = rig.pipeline.lessons.take()
    assert (first.asker, first.answered_us) == ("k1 user ann", asked_us)
    assert (second.asker, second.context) == ("k1 session s", first.context)
    assert (third.asker, third.context == first.context) == ("k1 user ann", False)
    assert (other.asker, other.context) == ("k2 user ann", first.context)
    assert (nobody.asker, nobody.context, nobody.answered_us) == (None, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": [{"type": "function", "function": {"name": "look"}}]},
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}]},
    ],
)
async def test_a_program_or_a_picture_may_ask_the_same_about_something_else(changes: dict[str, Any]) -> None:
    """So nobody is noted as having asked."""
    rig = rig_of(answer(completion()))
    await rig.ask(chat(user="ann") | changes)
    assert [lesson.asker for lesson in rig.pipeline.lessons.take()] == [None]


async def test_a_stream_is_one_when_it_has_ended() -> None:
    """The key under which it is kept tells which votes are about it."""
    rig = rig_of(answer(*events(), headers=SSE))
    async with rig.supervisor:
        await rig.ask(chat(stream=True), cache=True)
        (lesson,) = rig.pipeline.lessons.take()
        assert lesson.cache_key == rig.journal.settled[0].cache_key is not None


async def test_a_kept_answer_and_a_failure_teach_nothing() -> None:
    """One was bought before, the other not at all."""
    rig = rig_of(answer(completion()), answer(b"{}", status=400))
    async with rig.supervisor:
        await rig.ask(chat(), cache=True)
        rig.pipeline.lessons.take()
        await rig.ask(chat(), cache=True)
        with pytest.raises(UpstreamError):
            await rig.ask(chat("Something new?"))
    assert rig.pipeline.lessons.take() == []


async def test_who_wants_no_questions_kept_has_none() -> None:
    """Nor is there one where nobody has said anything, or where there is nothing to rate."""
    rig = rig_of(answer(completion()), keep_prompts=False)
    await rig.ask(chat())
    assert rig.pipeline.lessons.take() == []
    rig = rig_of(answer(completion()), answer(json.dumps(VECTOR).encode()))
    await rig.ask({"model": "small", "messages": [{"role": "system", "content": "Say hello."}]})
    call = rig.call({"model": "small", "input": "Why?"})
    await rig.pipeline.run(replace(call, route="/v1/embeddings", dialect=INBOUND["embeddings"]))
    assert rig.pipeline.lessons.take() == []


async def test_of_a_long_question_both_ends_are_noted() -> None:
    """As much as is read of one when it is decided."""
    rig = rig_of(answer(completion()))
    await rig.ask(chat("a" * 5_000 + "b" * 5_000))
    (lesson,) = rig.pipeline.lessons.take()
    assert lesson.prompt == "a" * 4_096 + "\n" + "b" * 4_096


async def test_a_flood_is_noted_in_part() -> None:
    """After the first ones only some in each round: the database must write all of it."""
    rig = rig_of(*(answer(completion()) for _ in range(EACH_ROUND + 2)))
    lessons = rig.pipeline.lessons
    lessons._room = 1
    for _ in range(2):
        await rig.ask(chat())
    assert len(lessons.take()) == 1
    for _ in range(EACH_ROUND):
        await rig.ask(chat())
    assert len(lessons.take()) == EACH_ROUND


def test_what_could_not_be_written_waits() -> None:
    """Before what was noted since, and no more than may wait."""
    lessons = Lessons()
    first, *rest = many = [replace(LESSON, request_id=str(number)) for number in range(MOST_WAITING + 1)]
    lessons.give_back(rest[1:])
    lessons.give_back([first, rest[0]])
    assert lessons.take() == many[1:]


VECTOR: dict[str, Any] = {
    "object": "list",
    "model": "small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}
