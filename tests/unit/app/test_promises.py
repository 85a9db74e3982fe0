"""Route rules follow what the tests of their promises find."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from farthing.app.promises import FollowedPromises
from farthing.domain.errors import Unavailable
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from farthing.ports.learning import PromiseTest
from farthing.store.learning.promises import Promises

SUPPORT = Rule(name="support", scope=Scope("key", "k"), promise=Promise(points=0.02))
PLAIN = Rule(name="plain", scope=Scope("key", "l"))
TEST = PromiseTest(
    rule="support",
    tested_at_us=2,
    since_us=1,
    promise=Promise(points=0.02),
    baseline="large",
    pairs=200,
    margin=0.05,
    challengers=frozenset({"small"}),
    share=0.5,
    loss=0.01,
    most=0.015,
)


class Kept(Promises):
    """One test in memory; away when told to be."""

    def __init__(self) -> None:
        self.is_away = False
        self.test = TEST
        self.reads = 0

    async def number(self) -> int:
        """The time of the test."""
        if self.is_away:
            raise Unavailable("away")
        return self.test.tested_at_us

    async def tests(self) -> Mapping[str, PromiseTest]:
        """The one."""
        self.reads += 1
        return {"support": self.test}


def margins(followed: FollowedPromises, *rules: Rule, baseline: str | None = "large") -> list[float | None]:
    """Those in force."""
    return [rule.margin for rule in followed.rules(rules, baseline)]


async def test_tests_are_read_when_there_are_others() -> None:
    """And the margins that they found are in force."""
    kept = Kept()
    followed = FollowedPromises(kept)
    assert margins(followed, SUPPORT) == [None]
    assert [await followed.refresh([SUPPORT]) for _ in range(2)] == [True, False]
    assert (margins(followed, PLAIN, SUPPORT), kept.reads) == ([None, 0.05], 1)
    assert [rule.challengers for rule in followed.rules((PLAIN, SUPPORT), "large")] == [frozenset(), TEST.challengers]
    kept.test = replace(TEST, tested_at_us=3, margin=None)
    assert await followed.refresh([SUPPORT])
    assert (margins(followed, SUPPORT), kept.reads) == ([None], 2)


async def test_a_margin_is_that_of_its_promise_and_baseline() -> None:
    """Of others nothing is shown."""
    followed = FollowedPromises(Kept())
    await followed.refresh([SUPPORT])
    assert margins(followed, replace(SUPPORT, promise=Promise(points=0.01))) == [None]
    assert margins(followed, replace(SUPPORT, name="other")) == [None]
    assert margins(followed, SUPPORT, baseline="huge") == margins(followed, SUPPORT, baseline=None) == [None]


async def test_while_the_database_is_away_margins_stay() -> None:
    """They were tested for these requests, too; where nothing is promised it is not asked at all."""
    kept = Kept()
    followed = FollowedPromises(kept)
    await followed.refresh([SUPPORT])
    kept.is_away = True
    assert not await followed.refresh([SUPPORT])
    assert margins(followed, SUPPORT) == [0.05]
    assert not await FollowedPromises(kept).refresh([PLAIN])
    assert kept.reads == 1
