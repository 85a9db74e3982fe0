"""What a limited caller's request takes, gives back, and is told."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from farthing.domain.errors import RateLimited
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits, Quota
from farthing.domain.routing.rules import Rule
from farthing.domain.scope import Scope
from farthing.domain.secrets import digest
from farthing.providers.fake import answer
from tests.unit.gateway.rig import KEY, Rig, chat, completion


def limited(**limits: int) -> Rig:
    """A gateway whose only key has these limits."""
    quota = Quota(scope="key", subject="k1", limits=Limits(**limits))
    caller = Caller(tenant="acme", key_id="k1", quotas=(quota,))
    keys = {digest(KEY): Key(caller=caller, name="known", hint="…")}
    return Rig(lambda _: answer(completion()), keys=keys)


async def test_requests_over_the_limit_never_reach_a_vendor() -> None:
    """They are recorded as refused, and cost nothing."""
    rig = limited(requests_per_minute=2)
    answers = await asyncio.gather(*(rig.ask(chat()) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in answers] == [bytes, bytes, RateLimited]
    assert len(rig.transport.requests) == 2
    refused = next(exchange for exchange in rig.journal.settled if exchange.status == "rejected")
    assert (refused.error_code, refused.http_status, refused.cost) == ("rate_limit_exceeded", 429, 0)
    rig.clock.advance(30)
    await rig.ask(chat())


async def test_an_answer_that_is_kept_or_shared_counts_for_nothing() -> None:
    """Only what is bought is limited."""
    rig = limited(requests_per_minute=1)
    await asyncio.gather(*(rig.pipeline.run(rig.call(chat(), cache=True)) for _ in range(5)))
    await rig.pipeline.run(rig.call(chat(), cache=True))
    assert len(rig.transport.requests) == 1


async def test_what_was_used_is_settled_with_the_record() -> None:
    """Fifteen tokens were, and the place is free."""
    rig = limited(tokens_per_minute=10_000, concurrent_requests=1)
    left = [await remaining(rig) for _ in range(2)]
    assert left[0] - left[1] in range(13, 17)


async def test_all_calls_of_a_request_are_used() -> None:
    """The answer of a cascade, and the one that it was checked by."""
    rig = limited(tokens_per_minute=10_000)
    rule = Rule(name="all", scope=Scope("key", "k1"), cascade=True)
    rig.snapshots.swap(replace(rig.snapshots.current, rules=(rule,)))
    left = [await remaining(rig, model="farthing/hybrid") for _ in range(2)]
    assert left[0] - left[1] in range(28, 32)


async def remaining(rig: Rig, model: str = "small") -> int:
    """Tokens that are left once a request was let in."""
    allowance = (await rig.pipeline.run(rig.call(chat(model=model)))).draft.allowance
    assert allowance is not None
    return allowance.standings[0].remaining


async def test_callers_without_limits_take_nothing() -> None:
    """Their answers tell of none."""
    rig = Rig(lambda _: answer(completion()))
    assert (await rig.pipeline.run(rig.call(chat()))).draft.allowance is None


async def test_a_refused_leader_leaves_the_flight_to_others() -> None:
    """Who is within the limits is not refused for somebody who is not."""
    rig = limited(requests_per_minute=1)
    await rig.ask(chat("Else?"))
    both = await asyncio.gather(
        *(rig.pipeline.run(rig.call(chat(), cache=True)) for _ in range(2)), return_exceptions=True
    )
    with pytest.raises(RateLimited):
        await rig.ask(chat())
    assert [type(each) for each in both] == [RateLimited, RateLimited]
    assert len(rig.recorder.drafts) == 0
