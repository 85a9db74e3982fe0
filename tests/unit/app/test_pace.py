"""What routed requests have cost decides how dear quality is, on every worker alike."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.app.pace import FollowedPace
from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.domain.routing.pace import Pace
from tests.conformance.store.samples import MINUTE_US, NOON_US


class Source:
    """The same minutes each time."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked: list[tuple[int, int]] = []

    async def routed_minutes(self, from_us: int, to_us: int) -> Sequence[tuple[int, int]]:
        """Two of them."""
        if self.is_away:
            raise Unavailable("away")
        self.asked.append((from_us, to_us))
        return [(30, 60_000_000), (30, 90_000_000)]


async def test_the_last_day_is_looked_at_once_a_minute() -> None:
    """Up to the last minute that is settled; a new target holds at once, and none is none."""
    clock, source = ManualClock(NOON_US + 5_000_000), Source()
    followed = FollowedPace(source, clock)  # type: ignore[arg-type]
    assert (await followed.refresh(None), followed.pace, source.asked) == (False, None, [])
    assert await followed.refresh(0.002)
    assert followed.pace == Pace.of([(30, 60_000_000), (30, 90_000_000)], 0.002)
    assert not await followed.refresh(0.002)
    clock.advance(5)
    assert not await followed.refresh(0.002)
    before = NOON_US - MINUTE_US
    assert source.asked == [(before - DAY_US, before), (NOON_US - DAY_US, NOON_US)]
    assert await followed.refresh(0.001)
    assert followed.pace is not None
    assert followed.pace.target_usd == 0.001
    assert await followed.refresh(None)
    assert followed.pace is None


async def test_while_the_database_is_away_the_pace_stays() -> None:
    """And is looked up when it is back."""
    clock, source = ManualClock(NOON_US), Source()
    followed = FollowedPace(source, clock)  # type: ignore[arg-type]
    await followed.refresh(0.002)
    kept = followed.pace
    source.is_away = True
    clock.advance(60)
    assert (await followed.refresh(0.002), followed.pace) == (False, kept)
    source.is_away = False
    await followed.refresh(0.002)
    assert len(source.asked) == 2
