"""F19 and F20: vendors that refuse for a while are let alone, the rest carries on, and nobody is stormed at the end."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.rig.books import check
from tests.faults.rig.load import Ask, Heard, Load, send, until
from tests.faults.rig.phases import Phase
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Entry, Mood, Wish

RATE = 60.0
MOST_PER_REQUEST = 1.10
REPEATS_AT_ONCE = 10
"""That may be made before any traffic has earned them."""
RECOVERY_S = 2.0
PAUSE_S = 2
"""That the vendor asks for."""
ON_THE_WAY_S = 0.05
"""In which a first refusal has reached the worker that asked."""
SOFTLY_S, SHARE = 0.1, 0.10
"""Of the requests that a pause has kept away, so many may come in the first moment after it."""


def maker(number: int, _dice: object) -> Ask:
    """Short streams that any deployment may answer."""
    wish = Wish(nonce=f"n{number}", chunks=3, first_ms=20, every_ms=5)
    return Ask(user=f"u{number}", wish=wish, model="auto", stream=number % 2 == 0)


async def site_of(rig: Rig, *names: str) -> Site:
    """A gateway before so many deployments, all at the one vendor."""
    return await rig.start(keys=0, text={"ports": dict.fromkeys(names, rig.vendors.port)})


def within(entries: dict[str, Entry], phase: Phase, deployment: str = "") -> list[Entry]:
    """What the vendor, or one deployment of it, was asked in this time, refusals too."""
    return [
        entry
        for entry in entries.values()
        if phase.began <= entry.at < phase.ended and deployment in {"", entry.deployment}
    ]


def good(heard: list[Heard]) -> float:
    """The share that was answered."""
    return sum(each.is_complete for each in heard) / max(1, len(heard))


@pytest.mark.alone
@pytest.mark.timeout(200)
async def test_a_storm_of_429_is_sat_out(rig: Rig) -> None:
    """F19: the other deployment answers, the one that asked for a pause gets it, and the load comes back softly."""
    site = await site_of(rig, "a", "b")
    load = Load(site.ports, maker, rate=RATE, seed=rig.seed)
    storm, after_s = (15.0, 5.0) if rig.is_full else (2.0, 0.5)
    async with load.running():
        await asyncio.sleep(1)
        rig.vendors.be(a=Mood(status=429, retry_after="2"))
        one = Phase(time.monotonic(), time.monotonic() + storm)
        await asyncio.sleep(storm)
        rig.vendors.be(b=Mood(status=429, retry_after="2"))
        both = Phase(time.monotonic() + 0.3, time.monotonic() + storm)
        await asyncio.sleep(storm)
        rig.vendors.be(a=Mood(), b=Mood())
        after = time.monotonic()
        # Each may be let alone for the two seconds that it has asked for.
        await until(lambda: bool(load.heard) and all(each.is_complete for each in load.heard[-20:]), within_s=60)
        back_s = time.monotonic() - after
        await asyncio.sleep(after_s)
    entries = rig.vendors.entries()
    one = Phase(one.began, one.ended - 0.5)
    assert good(one.of(load.heard)) >= 0.999
    asked = len(within(entries, Phase(one.began, both.ended)))
    requests = len(Phase(one.began, both.ended).of(load.heard))
    assert asked <= MOST_PER_REQUEST * requests
    told = [each for each in both.of(load.heard) if not each.is_complete]
    assert {each.status for each in told} <= {429, 503}
    assert all(1 <= float(each.headers["retry-after"]) <= 2 for each in told)
    assert good(Phase(after + back_s, after + back_s + after_s).of(load.heard)) == 1.0
    hits = len(within(entries, both))
    inside, first = pauses_kept(load.heard, within(entries, one, "a"))
    await site.books.settled(len(load.heard))
    await check(site.books, load.heard, entries, allowed=frozenset({503}), attempts=False)
    rig.tell(
        "F19",
        f"{len(load.heard)} requests; one of two refusing {storm:.0f} s: {100 * good(one.of(load.heard)):.1f}% "
        f"answered; "
        f"both: {len(told)} told to wait at most 2 s, vendor asked {hits} times; {asked / requests:.2f} attempts a "
        f"request; {inside} attempts in a pause beyond those under way, {100 * first:.0f}% of its requests "
        f"in the first {SOFTLY_S} s after it; all answered {back_s:.1f} s after the end",
    )
    rig.gate("seconds until all are answered", back_s, RECOVERY_S)
    rig.gate("attempts in a pause beyond those under way at its begin", inside, 0)
    rig.gate("share of a pause's requests that come in the first moment after it", first, SHARE)


def pauses_kept(heard: list[Heard], asked: list[Entry]) -> tuple[int, float]:
    """The most attempts in a pause that were not under way at its begin, and the share that came right after it.

    `asked` are those of a deployment that refuses everybody.
    """
    inside, first, begins = 0, 0.0, 0.0
    moments = sorted(entry.at for entry in asked)
    for at in moments:
        if at < begins + PAUSE_S:
            continue
        begins = at
        under_way = sum(each.began < begins + ON_THE_WAY_S < each.ended for each in heard)
        pause = Phase(begins, begins + PAUSE_S)
        inside = max(inside, sum(begins + ON_THE_WAY_S < each < pause.ended for each in moments) - under_way)
        soon = sum(pause.ended <= each < pause.ended + SOFTLY_S for each in moments)
        first = max(first, soon / max(1, len(pause.of(heard))))
    return inside, first


FAR = "Sat, 21 Nov 2099 10:00:00 GMT"
RETRY_AFTERS = {"0": 2.0, "-1": 2.0, "1000000000": 60.0, "soon": 2.0, FAR: 60.0, "1.5": 2.0}
"""What a vendor may wish, and the most that callers are told to wait, in seconds."""


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_wish_for_a_pause_is_read_with_sense(rig: Rig) -> None:
    """F19: a date, nothing, less than nothing and far too much, capped at a minute, and told on with care."""
    names = [f"d{place}" for place in range(len(RETRY_AFTERS))]
    site = await site_of(rig, *names)
    for name, (wish, most) in zip(names, RETRY_AFTERS.items(), strict=True):
        rig.vendors.be(**{name: Mood(status=429, retry_after=wish)})
        heard = await send(Ask(user=name, wish=Wish(nonce=name), model=f"model-{name}"), site.gateway.port)
        again = await send(Ask(user=f"{name}2", wish=Wish(nonce=name), model=f"model-{name}"), site.gateway.port)
        assert heard.status == 429, (wish, heard.body)
        for each in (heard, again):
            assert 0 < float(each.headers.get("retry-after", "1")) <= most, (wish, each.headers)
    rig.tell("F19 values", f"{list(RETRY_AFTERS)} all understood or passed over, none over 60 s")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_an_overloaded_vendor_is_not_left_alone_altogether(rig: Rig) -> None:
    """F20: half of all answers are 529 on three deployments, then all for ten seconds: few attempts, quick return."""
    site = await site_of(rig, "a", "b", "c")
    load = Load(site.ports, maker, rate=RATE, seed=rig.seed)
    half, none = Mood(status=529, percent=50), Mood(status=529)
    async with load.running():
        await asyncio.sleep(1)
        rig.vendors.be(a=half, b=half, c=half)
        bad = Phase(time.monotonic(), time.monotonic() + 15)
        await asyncio.sleep(15)
        rig.vendors.be(a=none, b=none, c=none)
        worst = Phase(time.monotonic(), time.monotonic() + 10)
        await asyncio.sleep(10)
        rig.vendors.be(a=Mood(), b=Mood(), c=Mood())
        after = time.monotonic()
        await asyncio.sleep(12)
    entries = rig.vendors.entries()
    heard = bad.of(load.heard)
    attempts = len(within(entries, bad)) / len(heard)
    assert attempts <= 3
    back = next(seconds for seconds in range(13) if good(Phase(after + seconds, after + 12).of(load.heard)) >= 0.999)
    assert {each.status for each in load.heard if not each.is_complete} <= {503, 502, 429}
    await site.books.settled(len(load.heard))
    await check(site.books, load.heard, entries, allowed=frozenset({502, 503}), attempts=False)
    rig.tell(
        "F20",
        f"529 for half of the answers on all three: {100 * good(heard):.1f}% answered with {attempts:.2f} attempts a "
        f"request; 529 for all, 10 s: {len(within(entries, worst))} attempts for {len(worst.of(load.heard))} requests; "
        f"all answered {back} s after the end",
    )
    assert good(heard) >= 0.85
    rig.gate("seconds until all are answered", back, RECOVERY_S)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_the_only_deployment_is_asked_again_within_bounds(rig: Rig) -> None:
    """F20: half of all answers are 529 and there is nobody else: repeats save some, and it is not given up."""
    site = await site_of(rig, "a")
    load = Load(site.ports, maker, rate=RATE, seed=rig.seed)
    rig.vendors.be(a=Mood(status=529, percent=50))
    async with load.running():
        await asyncio.sleep(15)
    answered, attempts = good(load.heard), len(rig.vendors.entries()) / len(load.heard)
    rig.tell(
        "F20 alone",
        f"529 for half of the answers of the only deployment: {100 * answered:.1f}% of {len(load.heard)} answered with "
        f"{attempts:.2f} attempts a request",
    )
    assert {each.status for each in load.heard if not each.is_complete} <= {503, 529}
    await site.books.settled(len(load.heard))
    await check(site.books, load.heard, rig.vendors.entries(), allowed=frozenset({503, 529}), attempts=False)
    assert attempts <= MOST_PER_REQUEST + REPEATS_AT_ONCE / len(load.heard)
    assert answered >= 0.53
