"""Ratings since the last training decide requests, on every worker alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from farthing.app.ratings import EACH_TURN, FollowedRatings
from farthing.domain.errors import Unavailable
from farthing.ports.learning import Rating
from tests.unit.domain.routing.foretelling import Told


class Source:
    """Ratings in a list."""

    def __init__(self, *ratings: Rating) -> None:
        self.rated = list(ratings)
        self.is_away = False
        self.asked: list[tuple[int, int]] = []
        self.meanwhile: Any = None

    async def ratings(self, *, after: int, since_us: int) -> Sequence[Rating]:
        """Those after it."""
        self.asked.append((after, since_us))
        if self.is_away:
            raise Unavailable("away")
        if self.meanwhile:
            self.meanwhile()
        return [rating for rating in self.rated if rating.id > after]


PREDICTOR: Any = Told({"small": 0.9, "large": 0.9})


def bad(number: int, model: str = "small", prompt: str = "Add these.") -> Rating:
    """A rating of 0."""
    return Rating(number, prompt, model, 0.0)


def follower(source: Source) -> FollowedRatings:
    """Of a predictor of two models that has learned up to 77 µs after 1970."""
    followed = FollowedRatings(source)
    followed.begin(PREDICTOR, 77)
    return followed


async def caught_up(followed: FollowedRatings) -> int:
    """After how many turns nothing is left."""
    turns = 0
    await followed.look()
    while await followed.learn():
        turns += 1
    return turns


async def test_whoever_follows_comes_to_the_same() -> None:
    """One from the start and one from later on, some at a time; what is unknown or was not kept teaches nothing."""
    source = Source(*map(bad, range(1, 31)), bad(31, "unknown"), bad(32, prompt=""))
    early, late = follower(source), follower(source)
    assert await caught_up(early) == 1
    source.rated += map(bad, range(33, 101))
    assert (await caught_up(early), await caught_up(late)) == (2, 2)
    assert EACH_TURN == 50
    assert early.correction is not None
    assert late.correction is not None
    found = early.correction.of("Add those.")
    assert found == late.correction.of("Add those.")
    assert found["small"] == -0.5
    assert found["large"] == 0.0
    assert source.asked[:2] == [(0, 77), (32, 77)]


async def test_without_a_predictor_nothing_is_followed() -> None:
    """Nor while the database is away."""
    source = Source(bad(1))
    followed = FollowedRatings(source)
    assert await caught_up(followed) == 0
    assert source.asked == []
    followed.begin(PREDICTOR, 77)
    source.is_away = True
    assert (await caught_up(followed), followed.correction) == (0, None)
    source.is_away = False
    assert await caught_up(followed) == 1


async def test_another_predictor_starts_anew() -> None:
    """Also one that comes while ratings are read, or learned from."""
    source = Source(*map(bad, range(1, 101)))
    followed = follower(source)
    await caught_up(followed)
    other: Any = Told({"small": 0.0})
    source.meanwhile = lambda: followed.begin(other, 78)
    followed.begin(PREDICTOR, 77)
    await followed.look()
    assert (await followed.learn(), followed.correction) == (False, None)
    source.meanwhile = None
    await followed.look()

    told = other.outlook

    def outlook(text: str) -> Any:
        followed.begin(PREDICTOR, 79)
        return told(text)

    other.outlook = outlook
    assert (await followed.learn(), followed.correction) == (False, None)
