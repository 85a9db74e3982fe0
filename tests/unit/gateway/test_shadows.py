"""Which requests are drawn, and whose answer theirs is compared with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.chat import Text
from farthing.domain.keys import Caller, Key
from farthing.domain.routing import STRATEGIES
from farthing.domain.secrets import digest
from farthing.gateway.shadows import LARGEST_BODY, MOST_WAITING, Drawn
from farthing.providers.fake import answer
from tests.unit.gateway.comparisons import Compared
from tests.unit.gateway.rig import KEY, chat, completion, events

ASKED = chat("What is a farthing?", model="auto")
HARD = chat("Prove step by step why the algorithm is correct: def f(x): return sum(range(x))", model="auto")
PICTURE = {"type": "image_url", "image_url": {"url": "http://a.invalid/b.png"}}
EASY = Text("Hi")
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


async def drawn(rig: Compared) -> Drawn | None:
    """What waits to be compared."""
    try:
        async with asyncio.timeout(0):
            return await rig.shadows.next()
    except TimeoutError:
        return None


async def other(rig: Compared, body: dict[str, Any] = ASKED, **wishes: Any) -> str | None:
    """The name of the second model that is to be asked, if the request is drawn."""
    await rig.ask(body, **wishes)
    found = await drawn(rig)
    return None if found is None else found.other.name


async def test_the_baseline_is_asked_where_a_cheaper_model_answered() -> None:
    """With the answer as the caller got it."""
    rig = Compared()
    await rig.ask(ASKED)
    found = await drawn(rig)
    assert found is not None
    assert (found.other.name, found.baseline.name, found.answer) == ("large", "large", "By small.")
    assert found.exchange.request_id == "request-1"


async def test_a_stream_is_compared_when_it_has_ended() -> None:
    """What it said is the answer."""
    rig = Compared()
    rig.answers["small"] = answer(*events(), headers={"content-type": "text/event-stream"})
    assert await other(rig, {**ASKED, "stream": True}) == "large"


async def test_where_the_baseline_answered_the_plans_cheapest_is_asked() -> None:
    """It is the one that money could be saved by."""
    assert await other(Compared(strategies={**STRATEGIES, "complexity": Everything()}), HARD) == "small"


async def test_where_nothing_else_was_planned_nobody_is_asked() -> None:
    """The hardest questions go to the baseline alone."""
    assert await other(Compared(), HARD) is None


async def test_a_promise_says_who_challenges_the_baseline() -> None:
    """Only those two are compared; a challenger that is gone is not asked."""
    for name, found in (("middle", "middle"), ("gone", None)):
        strategy = Everything({"promise": {"challenger": name, "short": 0.01}})
        assert await other(Compared(strategies={**STRATEGIES, "complexity": strategy}), HARD) == found


async def test_chance_decides() -> None:
    """The share is that of all that could be drawn."""
    assert await other(Compared(chance=0.49)) == "large"
    assert await other(Compared(chance=0.5)) is None


async def test_without_a_share_nothing_is_drawn() -> None:
    """Nor is chance asked."""
    assert await other(Compared(shadow_share=0.0)) is None


@pytest.mark.parametrize(
    "body",
    [
        chat("What is a farthing?", model="small"),
        {**ASKED, "tools": [TOOL]},
        {**ASKED, "n": 2},
        {**ASKED, "logprobs": True},
        {**ASKED, "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]},
        {**ASKED, "messages": [{"role": "system", "content": "Say hello."}]},
        chat("What is a farthing? " * (LARGEST_BODY // 20), model="auto"),
    ],
    ids=["by-name", "tools", "many-answers", "logprobs", "picture", "no-question", "long"],
)
async def test_only_plain_routed_questions_are_drawn(body: dict[str, Any]) -> None:
    """What a second model could not be asked in the same words, or could do something by, is left alone."""
    catalogue = (rig := Compared()).snapshots.current.catalogue
    able = {
        name: replace(model, capabilities=frozenset({"tools", "images", "json"}))
        for name, model in catalogue.models.items()
    }
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=able)))
    assert await other(rig, body) is None


async def test_a_request_under_an_idempotency_key_is_done_once() -> None:
    """By nobody else either."""
    rig = Compared()
    async with rig.supervisor:
        assert await other(rig, idempotency_key="one") is None


async def test_where_questions_are_not_kept_none_is_drawn() -> None:
    """They are nobody's to be read."""
    assert await other(Compared(keep_prompts=False)) is None


@pytest.mark.parametrize("said", [completion("Cut", finish="length"), completion("")], ids=["cut", "empty"])
async def test_what_is_no_whole_answer_is_not_drawn(said: bytes) -> None:
    """There is nothing to compare."""
    rig = Compared()
    rig.answers["small"] = answer(said)
    assert await other(rig) is None


async def test_a_model_that_the_caller_may_not_use_is_not_asked() -> None:
    """Whoever made the key wants the question to go nowhere else."""
    for allowed, found in (({"auto", "small", "middle"}, None), ({"auto", "small", "large"}, "large")):
        key = Key(caller=Caller(tenant="acme", key_id="k1", allowed_models=frozenset(allowed)), name="known", hint="…")
        assert await other(Compared(keys={digest(KEY): key})) == found


@pytest.mark.parametrize(
    "changes", [{"price": None}, {"context_tokens": 5}, {"name": "elsewhere"}], ids=["unpriced", "too-small", "gone"]
)
async def test_a_baseline_that_cannot_answer_is_not_asked(changes: dict[str, Any]) -> None:
    """Without a price, without room, or not here at all."""
    rig = Compared()
    catalogue = rig.snapshots.current.catalogue
    large = replace(catalogue.models["large"], **changes)
    models = {name: model for name, model in catalogue.models.items() if name != "large"} | {large.name: large}
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=models)))
    assert await other(rig) is None


async def test_a_tenants_key_that_cannot_be_opened_is_not_used() -> None:
    """Nothing is sent, least of all with another key."""
    rig = Compared()
    provider = rig.snapshots.current.providers["fake"]
    models = rig.snapshots.current.catalogue.models
    own = replace(models["large"], provider="own")
    rig.snapshots.swap(
        replace(
            rig.snapshots.current,
            catalogue=replace(rig.snapshots.current.catalogue, models={**models, "large": own}),
            providers={"fake": provider, "own": replace(provider, name="own", is_locked=True)},
        )
    )
    assert await other(rig) is None


async def test_more_than_can_be_compared_are_not_drawn() -> None:
    """What waits is bounded."""
    rig = Compared()
    for _ in range(MOST_WAITING + 1):
        await rig.ask(ASKED)
    count = 0
    while await drawn(rig) is not None:
        count += 1
    assert count == MOST_WAITING


class Everything:
    """A strategy that prefers the dearest model and has all of them in its plan."""

    name = "complexity"

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self._metadata = metadata or {}

    def plan(self, chat: Any, catalogue: Any, *, allowed: Any = None, floor: Any = None) -> Any:
        """As the complexity score ranks the models for an easy prompt, the other way round."""
        easy = replace(chat, messages=(replace(chat.messages[0], parts=(EASY,)),))
        plan = STRATEGIES["complexity"].plan(easy, catalogue, allowed=allowed, floor=floor)
        return replace(plan, models=plan.models[::-1], metadata=self._metadata)
