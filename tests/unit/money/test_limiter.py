"""How one worker holds callers to their limits: alone, with others, and while it cannot hear of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.domain.errors import RateLimited
from farthing.domain.keys import Caller
from farthing.money.limiter import Allowance, Limiter
from tests.unit.money.sharing import SharedInMemory, limited, needs


@pytest.fixture
def clock() -> ManualClock:
    """Turned by hand, for workers and what they share."""
    return ManualClock()


@pytest.fixture
def shared(clock: ManualClock) -> SharedInMemory:
    """What all workers count together."""
    return SharedInMemory(clock)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    """Owns the workers' tasks."""
    async with Supervisor(grace_s=1) as supervisor:
        yield supervisor


@pytest.fixture
def alone(clock: ManualClock, supervisor: Supervisor) -> Limiter:
    """The only worker."""
    return Limiter(clock=clock, spawn=supervisor.spawn, worker="w1")


@pytest.fixture
def pair(clock: ManualClock, supervisor: Supervisor, shared: SharedInMemory) -> list[Limiter]:
    """Two workers that share their limits."""
    return [
        Limiter(clock=clock, spawn=supervisor.spawn, worker=name, workers=2, shared=shared) for name in ("w1", "w2")
    ]


async def granted(limiter: Limiter, who: Caller, times: int) -> list[Allowance]:
    """What is granted of so many requests."""
    answers = await asyncio.gather(*(limiter.take(who, needs()) for _ in range(times)), return_exceptions=True)
    return [answer for answer in answers if isinstance(answer, Allowance)]


async def settled() -> None:
    """Lets everything that is under way end."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_alone_a_rate_refills_evenly(alone: Limiter, clock: ManualClock) -> None:
    """A minute's worth at once, then one a second."""
    who = limited(requests_per_minute=60)
    assert len(await granted(alone, who, 100)) == 60
    clock.advance(2.5)
    assert len(await granted(alone, who, 100)) == 2
    clock.advance(600)
    assert len(await granted(alone, who, 100)) == 60


async def test_alone_places_and_tokens_are_settled(alone: Limiter, clock: ManualClock) -> None:
    """A request that has ended gives its place back, and the tokens that it did not need."""
    who = limited(concurrent_requests=2, tokens_per_minute=100)
    first, second = await alone.take(who, needs(10, 30)), await alone.take(who, needs(10, 30))
    with pytest.raises(RateLimited, match="2 requests at a time"):
        await alone.take(who, needs(1, 1))
    first.settle(0)
    first.settle(0)
    third = await alone.take(who, needs(10, 30))
    assert third.standings[0].remaining == 20
    second.settle(60)
    with pytest.raises(RateLimited) as caught:
        await alone.take(who, needs(1, 0))
    assert caught.value.retry_after == 0.6
    third.settle(40)
    clock.advance(0.6)
    assert (await alone.take(who, needs(1, 0))).standings[0].remaining == 0
    await alone.beat()


async def test_a_prompt_that_no_minute_holds_is_refused_for_good(alone: Limiter) -> None:
    """One that fits is let in, however long its answer may become."""
    who = limited(tokens_per_minute=100)
    with pytest.raises(RateLimited, match="about 101 tokens, and this key's limit of 100 tokens") as caught:
        await alone.take(who, needs(101, 1))
    assert caught.value.retry_after is None
    assert (await alone.take(who, needs(100, 900))).standings[0].remaining == 0
    with pytest.raises(RateLimited, match=r"is reached\. Try again in 0\.6 s, or ask for less\."):
        await alone.take(who, needs(1, 0))


async def test_workers_together_grant_a_limit_once(pair: list[Limiter]) -> None:
    """Though each of them would alone."""
    who = limited(requests_per_minute=60)
    both = await asyncio.gather(*(granted(limiter, who, 50) for limiter in pair))
    assert sum(map(len, both)) == 60


async def test_a_state_that_is_lost_is_known_to_whoever_used_it(pair: list[Limiter], shared: SharedInMemory) -> None:
    """After a FLUSHALL nothing more is granted than before."""
    who = limited(requests_per_minute=60)
    assert len(await granted(pair[0], who, 50)) == 50
    shared.forget()
    assert len(await granted(pair[0], who, 50)) == 10


async def test_while_the_others_are_out_of_reach_each_keeps_to_its_share(
    pair: list[Limiter], shared: SharedInMemory, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A quarter of it at once, then at its rate; one line tells of it, and one of the end."""
    caplog.set_level(logging.INFO, "farthing.money.limiter")
    who = limited(requests_per_minute=60)
    for limiter in pair:
        assert len(await granted(limiter, who, 10)) == 10
        await limiter.beat()
    shared.is_away = True
    assert [len(await granted(limiter, who, 60)) for limiter in pair] == [7, 7]
    clock.advance(10)
    assert [len(await granted(limiter, who, 60)) for limiter in pair] == [5, 5]
    assert len(caplog.messages) == 2
    shared.is_away = False
    for limiter in pair:
        await limiter.beat()
        await settled()
    clock.advance(10)
    assert sum([len(await granted(limiter, who, 60)) for limiter in pair]) == 46
    assert [message.split(" with")[0] for message in caplog.messages] == [
        "limits cannot be counted",
        "limits cannot be counted",
        "limits are counted by all workers together again",
        "limits are counted by all workers together again",
    ]


async def test_places_given_back_during_an_outage_are_free_after_it(
    pair: list[Limiter], shared: SharedInMemory
) -> None:
    """And those taken during it are held."""
    who = limited(concurrent_requests=4)
    before = await granted(pair[0], who, 3)
    shared.is_away = True
    during = await granted(pair[1], who, 9)
    assert len(during) == 2
    for allowance in before:
        allowance.settle(10)
    shared.is_away = False
    for limiter in pair:
        await limiter.beat()
        await settled()
    [name] = shared.slots
    assert shared.taken(name) == 2
    assert len(await granted(pair[0], who, 9)) == 2


async def test_tokens_settled_during_an_outage_count_here(pair: list[Limiter], shared: SharedInMemory) -> None:
    """In the share of this worker."""
    one, who = pair[0], limited(tokens_per_minute=100)
    before = await one.take(who, needs(10, 30))
    shared.is_away = True
    with pytest.raises(RateLimited):
        await one.take(who, needs(20, 41))
    before.settle(0)
    during = await one.take(who, needs(10, 30))
    with pytest.raises(RateLimited) as caught:
        await one.take(who, needs(5, 5))
    assert caught.value.retry_after == 45
    during.settle(2)
    assert (await one.take(who, needs(5, 5))).standings[0].remaining == 88


async def test_whoever_is_not_answered_in_time_decides_alone(
    pair: list[Limiter], shared: SharedInMemory, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is granted too late is given back, and after a while nobody waits any more."""
    shared.patience_s = 0.01
    who = limited(requests_per_minute=60, concurrent_requests=10)
    shared.hang = asyncio.Event()
    one = pair[0]
    held = await granted(one, who, 3)
    assert len(held) == 3
    clock.advance(1)
    held += await granted(one, who, 1)
    rounds = shared.rounds
    held += await granted(one, who, 1)
    assert (len(held), shared.rounds) == (5, rounds)
    shared.hang.set()
    await settled()
    for allowance in held:
        allowance.settle(10)
    await one.beat()
    await settled()
    assert [shared.taken(name) for name in shared.slots] == [0]
    assert len(await granted(one, who, 20)) == 10


async def test_a_client_that_leaves_while_it_waits_takes_nothing(pair: list[Limiter], shared: SharedInMemory) -> None:
    """Whether it leaves before the verdict or at the same moment."""
    one, who = pair[0], limited(requests_per_minute=60, concurrent_requests=5, tokens_per_minute=1000)
    shared.hang = asyncio.Event()
    waiting = [asyncio.ensure_future(one.take(who, needs())) for _ in range(3)]
    await settled()
    waiting[0].cancel()
    await settled()
    shared.hang.set()
    for _ in range(20):
        if not shared.slots:
            await asyncio.sleep(0)
    waiting[1].cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    left = [answer for answer in answers if isinstance(answer, Allowance)]
    assert len(left) < 3
    await settled()
    await one.beat()
    await settled()
    assert [shared.taken(name) for name in shared.slots] == [len(left)]
    assert shared.level("{acme}:key:k1:requests") == len(left) * 1_000_000


async def test_what_is_left_to_tell_is_told_by_the_next_beat(pair: list[Limiter], shared: SharedInMemory) -> None:
    """What was not needed can wait so long."""
    one, who = pair[0], limited(tokens_per_minute=100)
    allowance = await one.take(who, needs(50, 50))
    allowance.settle(10)
    await settled()
    assert shared.level("{acme}:key:k1:tokens") == 60_000_000
    await one.beat()
    await settled()
    assert shared.level("{acme}:key:k1:tokens") == 6_000_000


async def test_drained_rates_are_forgotten(alone: Limiter, clock: ManualClock) -> None:
    """Else every key that was ever limited would stay in the memory."""
    await alone.take(limited(requests_per_minute=60), needs())
    clock.advance(30)
    for _ in range(60):
        await alone.beat()
    assert alone._levels._empty_at == {}
