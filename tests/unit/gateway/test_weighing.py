"""Long prompts are weighed whole where tokens or their cost are limited, so that none is arranged to look small."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.errors import InvalidRequest, RateLimited
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits, Quota
from farthing.domain.routing.plan import Plan
from farthing.domain.secrets import digest
from farthing.domain.tokens import MESSAGE_TOKENS
from farthing.gateway.weighing import SLICE
from farthing.providers.fake import answer
from tests.unit.gateway.rig import KEY, Rig, chat, completion
from tests.unit.gateway.test_budgets import limited

PIECE, STRIDE = 256, 4_000
SPACES = " " * PIECE
ARRANGED = "".join(SPACES.ljust(STRIDE, "7") for _ in range(8))[: 7 * STRIDE + PIECE]
"""Spaces wherever a sample is taken, digits between: a token each."""
DIGITS = ARRANGED.count("7")


async def planned(rig: Rig, text: str = ARRANGED, **wishes: Any) -> Plan:
    """How a request with this prompt was planned."""
    reply = await rig.pipeline.run(rig.call(chat(text, max_tokens=10), **wishes))
    assert reply.draft.plan is not None
    return reply.draft.plan


async def test_where_nothing_is_limited_a_sample_will_do() -> None:
    """Under a soft budget as well, which refuses nothing."""
    rig = Rig([answer(completion())] * 2)
    assert (await planned(rig)).needs.tokens_in < DIGITS / 5
    limited(rig, is_hard=False)
    assert (await planned(rig)).needs.tokens_in < DIGITS / 5


@pytest.mark.parametrize("facts", [{}, {"scope": "model", "subject": "small"}])
async def test_under_a_hard_budget_the_whole_is_weighed(facts: dict[str, Any]) -> None:
    """Whoever's it is; a short prompt always was."""
    rig = Rig([answer(completion())] * 2)
    limited(rig, **facts)
    assert (await planned(rig)).needs.tokens_in > DIGITS
    assert (await planned(rig, "one 2 three")).needs.tokens_in < 10 + MESSAGE_TOKENS


async def test_a_ceiling_is_held_against_the_whole() -> None:
    """Refused before anybody is asked."""
    rig = Rig([answer(completion())])
    with pytest.raises(InvalidRequest, match="could cost") as refusal:
        await planned(rig, max_cost=1_000 * DIGITS)
    assert (refusal.value.code, rig.transport.requests) == ("cost_limit_exceeded", [])
    assert (await planned(rig, max_cost=2_000 * DIGITS)).needs.tokens_in > DIGITS


async def test_a_limit_on_tokens_counts_the_whole() -> None:
    """So that no more than a minute's worth is let in at once."""
    quota = Quota(scope="key", subject="k1", limits=Limits(tokens_per_minute=DIGITS))
    caller = Caller(tenant="acme", key_id="k1", quotas=(quota,))
    rig = Rig([], keys={digest(KEY): Key(caller=caller, name="known", hint="…")})
    with pytest.raises(RateLimited):
        await planned(rig)


async def test_others_have_their_turns_while_a_large_prompt_is_weighed() -> None:
    """A slice in each turn of the loop."""
    rig = Rig([answer(completion())])
    limited(rig, limit=10**15)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.ensure_future(others())
    await planned(rig, "7" * (5 * SLICE))
    task.cancel()
    assert turns >= 4


async def test_a_prompt_in_an_experiment_is_weighed_before_it_is_planned() -> None:
    """What its arms were planned with before went by samples."""
    rig = Rig([answer(completion())] * 2)
    limited(rig)
    call = rig.call(chat(ARRANGED, max_tokens=10))
    order = rig.pipeline.begin(call)
    order.plans[None, False] = replace(await planned(rig, "short")), False  # type: ignore[union-attr]
    reply = await rig.pipeline.finish(order)  # type: ignore[arg-type]
    assert reply.draft.plan is not None
    assert reply.draft.plan.needs.tokens_in > DIGITS
