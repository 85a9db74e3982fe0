"""How much checks count is looked up now and then, where answers are checked at all."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.app.checks import EVERY_US, FollowedChecks
from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.domain.routing.weighing import Tried, Weights, weights_of
from tests.conformance.store.samples import NOON_US

GOOD = Tried(model="small", check="agreement", expected=0.5, score=1.0, quality=1.0)


class Source:
    """Tried answers, which are away when told to be."""

    def __init__(self) -> None:
        self.answers = [GOOD]
        self.is_away = False
        self.asked = 0

    async def tried(self) -> Sequence[Tried]:
        """All of them."""
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return self.answers


async def test_what_answers_were_worth_is_looked_up_every_ten_minutes() -> None:
    """Where nothing is checked nobody looks; what is the same as before is no news."""
    clock, source = ManualClock(NOON_US), Source()
    followed = FollowedChecks(source, clock)
    assert (await followed.refresh(is_wanted=False), source.asked, followed.weights) == (False, 0, Weights())
    assert await followed.refresh(is_wanted=True)
    assert followed.weights == weights_of([GOOD])
    assert (await followed.refresh(is_wanted=True), source.asked) == (False, 1)
    clock.advance(EVERY_US / 1e6)
    assert (await followed.refresh(is_wanted=True), source.asked) == (False, 2)


async def test_while_the_database_is_away_they_stay() -> None:
    """And are looked up as soon as it is back."""
    clock, source = ManualClock(NOON_US), Source()
    followed = FollowedChecks(source, clock)
    await followed.refresh(is_wanted=True)
    kept, source.is_away = followed.weights, True
    source.answers = [GOOD, GOOD]
    clock.advance(EVERY_US / 1e6)
    assert (await followed.refresh(is_wanted=True), followed.weights) == (False, kept)
    source.is_away = False
    assert await followed.refresh(is_wanted=True)
    assert followed.weights == weights_of([GOOD, GOOD])
