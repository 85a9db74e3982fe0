"""What every place where limits are counted together promises."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from farthing.cache import RedisLimits, RedisLink
from farthing.domain.errors import RateLimited
from farthing.domain.keys import Caller
from farthing.domain.limits import Limits, Round, bounds_of, wish
from farthing.domain.routing.plan import Needs
from farthing.money.limiter import Allowance, Limiter
from farthing.ports.limits import SharedLimits
from farthing.store import open_store
from tests.conformance.limits.conftest import CLOCK, MakeLimiter, caller


def needs(tokens_in: int = 5, tokens_out: int = 5) -> Needs:
    """A request of so many tokens."""
    return Needs(tokens_in=tokens_in, tokens_out=tokens_out, max_tokens=None)


async def granted(limiter: Limiter, who: Caller, times: int, **tokens: int) -> list[Allowance]:
    """What is granted of so many requests at the same moment."""
    wanted = [limiter.take(who, needs(**tokens)) for _ in range(times)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert all(isinstance(answer, Allowance | RateLimited) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Allowance)]


async def end(limiters: list[Limiter], held: list[Allowance]) -> None:
    """Ends requests, and waits until what they held is told: each worker's next round comes after."""
    for allowance in held:
        allowance.settle(10)
    for limiter in limiters:
        await granted(limiter, caller("ended", requests_per_minute=1000), 1)


async def refusal(limiter: Limiter, who: Caller, **tokens: int) -> RateLimited:
    """What a request is refused with."""
    with pytest.raises(RateLimited) as caught:
        await limiter.take(who, needs(**tokens))
    return caught.value


async def test_a_minutes_requests_are_granted_at_once_and_no_more(worker: MakeLimiter) -> None:
    """However many are asked of however many workers at a time."""
    who = caller(requests_per_minute=6)
    one, two = worker("one"), worker("two")
    both = await asyncio.gather(granted(one, who, 10), granted(two, who, 10))
    assert sum(map(len, both)) == 6
    error = await refusal(one, who)
    assert error.retry_after == pytest.approx(10, abs=2)
    assert error.message.startswith("This key's limit of 6 requests per minute is reached. Try again in ")
    [standing] = error.standings
    assert (standing.kind, standing.limit, standing.remaining) == ("requests", 6, 0)


async def test_an_answer_tells_what_is_left(worker: MakeLimiter) -> None:
    """Of requests and of tokens, each where least is left."""
    who = caller(requests_per_minute=6, tokens_per_minute=600, team=Limits(requests_per_minute=3))
    allowance = await worker("one").take(who, needs(60, 40))
    requests, tokens = allowance.standings
    assert (requests.limit, requests.remaining) == (3, 2)
    assert (tokens.limit, tokens.remaining) == (600, 500)
    assert tokens.full_in_us == pytest.approx(10_000_000, abs=2_000_000)


async def test_a_request_that_one_limit_refuses_takes_nothing_of_the_others(worker: MakeLimiter) -> None:
    """A team's limit that is used up leaves its keys' alone."""
    one, team = worker("one"), Limits(requests_per_minute=2)
    first, second = caller("k1", requests_per_minute=5, team=team), caller("k2", requests_per_minute=5, team=team)
    assert len(await granted(one, first, 4)) == 2
    error = await refusal(one, second)
    assert "The limit of team `support` of 2 requests per minute" in error.message
    [standing] = (await one.take(caller("k2", requests_per_minute=5), needs(1, 1))).standings
    assert standing.remaining == 4


async def test_tenants_of_the_same_names_do_not_meet(worker: MakeLimiter) -> None:
    """Each has its own minute."""
    one = worker("one")
    for tenant in ("acme", "other"):
        assert len(await granted(one, caller("k1", tenant=tenant, requests_per_minute=2), 3)) == 2


async def test_tokens_are_corrected_to_what_was_used(worker: MakeLimiter) -> None:
    """What was not needed is to be had again, and what was needed beyond is missing."""
    who = caller(tokens_per_minute=1000)
    one = worker("one")
    first = await one.take(who, needs(100, 800))
    await refusal(one, who, tokens_in=100, tokens_out=300)
    first.settle(200)
    second = await one.take(who, needs(100, 300))
    assert second.standings[0].remaining == pytest.approx(400, abs=50)
    second.settle(1000)
    second.settle(0)
    error = await refusal(one, who, tokens_in=1, tokens_out=1)
    assert error.retry_after == pytest.approx(12, abs=3)


async def test_places_are_free_again_when_requests_end(worker: MakeLimiter) -> None:
    """For every worker, however many it holds itself."""
    who = caller(concurrent_requests=3)
    one, two = worker("one"), worker("two")
    held = await granted(one, who, 2) + await granted(two, who, 5)
    assert len(held) == 3
    error = await refusal(two, who)
    assert (error.retry_after, error.standings) == (1.0, ())
    assert error.message == ("This key's limit of 3 requests at a time is reached. Wait until one of them has ended.")
    await end([one, two], held[:1])
    held = held[1:] + await granted(two, who, 5)
    assert len(held) == 3
    await end([one, two], held)
    assert len(await granted(one, who, 5)) == 3


async def test_workers_are_counted_while_they_attend(shared: SharedLimits) -> None:
    """Each once, however often it does."""
    assert await shared.attend("one", {}) == 1
    assert await shared.attend("one", {}) == 1
    assert await shared.attend("two", {}) == 2


async def test_what_the_shared_state_has_forgotten_its_users_remember(shared: SharedLimits) -> None:
    """A rate that is empty begins with what the asking worker knows of it."""
    wanted = wish(bounds_of("acme", caller(requests_per_minute=6).quotas), 0)
    name = wanted.bounds[0].name
    asked = Round(wishes=[wanted] * 4, corrections={}, held={}, known={name: 30_000_000})
    verdicts = await shared.round("one", asked)
    assert verdicts is not None
    assert [verdict.refused for verdict in verdicts] == [None, None, None, 0]
    again = await shared.round("one", Round(wishes=[wanted], corrections={name: -20_000_000}, held={}, known={}))
    assert again is not None
    assert again[0].refused is None


async def test_whoever_is_away_answers_nothing() -> None:
    """Neither to a round nor to whoever attends, and raises nothing."""
    link = RedisLink("redis://127.0.0.1:1", clock=CLOCK)
    store = open_store("postgresql://nobody@127.0.0.1:1/nothing", clock=CLOCK)
    asked = Round(wishes=[], corrections={"rate": 1}, held={}, known={})
    away: list[SharedLimits] = [RedisLimits(link), store.limits]
    for place in away:
        assert await place.round("one", asked) is None
        assert await place.round("one", asked) is None
        assert await place.attend("one", {}) is None
    await link.aclose()
    await store.aclose()


async def test_no_correction_locks_a_caller_out_for_long(shared: SharedLimits) -> None:
    """A rate never owes more than two minutes, and never less than nothing."""
    wanted = wish(bounds_of("acme", caller(tokens_per_minute=60).quotas), 30)
    name = wanted.bounds[0].name
    verdicts = await shared.round("one", Round(wishes=[wanted], corrections={name: 10**12}, held={}, known={}))
    assert verdicts is not None
    assert verdicts[0].wait_us == pytest.approx(90_000_000, abs=2_000_000)
    verdicts = await shared.round("one", Round(wishes=[wanted], corrections={name: -(10**12)}, held={}, known={}))
    assert verdicts is not None
    assert verdicts[0].levels[0] == 30_000_000


async def test_requests_of_one_moment_share_a_round(
    shared: SharedLimits, worker: MakeLimiter, monkeypatch: Any
) -> None:
    """Thirty take three: the first's own, then one for all that came meanwhile, and the places given back."""
    rounds: Counter[int] = Counter()
    judge = shared.round

    async def counted(name: str, asked: Round) -> Any:
        rounds[len(asked.wishes)] += 1
        return await judge(name, asked)

    monkeypatch.setattr(shared, "round", counted)
    one = worker("one")
    assert len(await granted(one, caller(requests_per_minute=600), 30)) == 30
    assert rounds == {30: 1}
