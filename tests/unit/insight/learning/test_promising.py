"""Promises are tested by pairs, again and again, and people hear when the baseline takes over or hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from farthing.http.admin.learning import shown_pledge
from farthing.insight.learning.promising import LONGEST_US, Pledge, Promising, reason_of
from farthing.ports.learning import Pair, PromiseTest

NOW_US = 1_764_590_400_000_000
SUPPORT = Rule(name="support", scope=Scope("tag", "team=support"), promise=Promise(points=0.1, confidence=0.9))
FEWEST = 22
"""Pairs without which nothing is told of ten points at 90%."""


class Books:
    """Pairs and tests in memory; away when told to be."""

    def __init__(self) -> None:
        self.known: list[Pair] = []
        self.kept: dict[str, PromiseTest] = {}
        self.is_away = False
        self.is_late = False
        """Whether somebody else always tests first."""

    async def keep(self, pair: Pair) -> None:
        """One more."""
        self.known.insert(0, pair)

    async def pairs(self, rule: str, baseline: str, *, since_us: int, limit: int) -> Sequence[Pair]:
        """The newest first."""
        its = [one for one in self.known if (one.rule, one.baseline_model) == (rule, baseline)]
        return [one for one in its if one.created_at_us >= since_us][:limit]

    async def tests(self) -> Mapping[str, PromiseTest]:
        """By rule."""
        if self.is_away:
            raise Unavailable("away")
        return self.kept

    async def note(self, test: PromiseTest, *, before: PromiseTest | None) -> bool:
        """In the place of the one before."""
        if self.is_late or self.kept.get(test.rule) != before:
            return False
        self.kept = {**self.kept, test.rule: test}
        return True


class Rig:
    """A promise over books in memory."""

    def __init__(self, *rules: Rule, baseline: str | None = "large") -> None:
        self.books = Books()
        self.clock = ManualClock(NOW_US)
        self.notices: list[Notice] = []
        self.rules, self.baseline = rules, baseline
        self.promising = Promising(
            pairs=self.books,
            tests=self.books,
            in_force=lambda: (self.rules, self.baseline),
            announce=self._announce,
            clock=self.clock,
        )

    async def _announce(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def compare(self, count: int, loss: float, short: float | None = 0.02, **more: Any) -> None:
        """So many pairs in which the cheaper model was that much worse."""
        for _ in range(count):
            self.clock.advance(1)
            number = len(self.books.known)
            pair = Pair(
                request_id=f"r{number}",
                other_request_id=f"o{number}",
                created_at_us=self.clock.now_us(),
                tenant="acme",
                rule="support",
                pattern="general",
                served_model="small",
                other_model="large",
                baseline_model="large",
                served_quality=0.9 - loss,
                other_quality=0.9,
                short=short,
                cost=1,
            )
            await self.books.keep(replace(pair, **more))

    async def test(self) -> PromiseTest:
        """What is found now, where anything is due."""
        await self.promising.tend()
        return self.books.kept["support"]

    async def reason(self) -> str:
        """How the promise stands."""
        [pledge] = await self.promising.pledges()
        return reason_of(pledge)


@pytest.fixture
def rig() -> Rig:
    """One rule that promises ten points against the large model."""
    return Rig(SUPPORT)


async def test_too_few_pairs_leave_the_baseline_in_place(rig: Rig) -> None:
    """However good they are; nobody is alarmed by what was never otherwise."""
    assert (
        await rig.reason() == "The baseline answers: 0 pairs of answers are compared, and fewer than 22 tell nothing."
    )
    await rig.compare(FEWEST - 1, 0.0)
    test = await rig.test()
    assert (test.pairs, test.margin, test.share, test.loss, test.most) == (21, None, 0.0, None, None)
    assert (
        await rig.reason() == "The baseline answers: 21 pairs of answers are compared, and fewer than 22 tell nothing."
    )
    assert rig.notices == []


async def test_the_boldest_margin_that_keeps_the_promise_is_in_force(rig: Rig) -> None:
    """Pairs in which more was to be expected of the baseline count as none there, up to the first that fails."""
    await rig.compare(60, 0.05, short=0.02)
    await rig.compare(30, 0.9, short=0.15)
    test = await rig.test()
    assert (test.pairs, test.margin, test.challengers) == (90, 0.14, frozenset({"small"}))
    assert test.share == pytest.approx(60 / 90)
    assert test.loss == pytest.approx(0.05 * 60 / 90)
    assert test.loss is not None
    assert test.most is not None
    assert test.loss < test.most < 0.1
    assert (await rig.reason()).startswith("Cheaper models answer where they are expected within 0.14 of the baseline;")
    assert [(notice.kind, notice.data["pairs"]) for notice in rig.notices] == [("promise.kept", 90)]


async def test_a_pair_tells_the_same_whoever_was_served(rig: Rig) -> None:
    """The loss is that of the cheaper answer."""
    await rig.compare(15, 0.06)
    await rig.compare(15, -0.06, served_model="large", other_model="small")
    test = await rig.test()
    assert test.loss == pytest.approx(0.06)
    assert test.most == pytest.approx(0.06)


async def test_a_promise_is_kept_by_what_people_say_where_they_say_enough(rig: Rig) -> None:
    """The judge likes the cheaper answers as well; people like them less by more than was promised."""
    await rig.compare(60, 0.0, told=0.6)
    assert (await rig.test()).margin == 1.0
    [pledge] = await rig.promising.pledges()
    assert pledge.opinion is None
    await rig.compare(60, 0.0, served_model="large", other_model="small", served_quality=0.9, told=0.9)
    test = await rig.test()
    assert test.margin is None
    assert test.loss == pytest.approx(0.3)
    assert test.most == pytest.approx(0.3)
    [pledge] = await rig.promising.pledges()
    people = {"rated": 120, "loss": 0.3, "bound": 0.3, "decides": True}
    assert shown_pledge(pledge)["people"] == people
    assert (await rig.reason()).endswith(
        "As people's ratings of 120 of these answers correct the judge, it loses 0.300, at most 0.300: which decides."
    )


async def test_what_people_say_is_told_before_it_decides(rig: Rig) -> None:
    """So many contradict one another that ten points are out of sight."""
    for told in (0.0, 1.0):
        await rig.compare(15, 0.0, served_quality=0.5, other_quality=0.5, told=told)
        await rig.compare(
            15, 0.0, served_model="large", other_model="small", served_quality=0.5, other_quality=0.5, told=told
        )
    assert (await rig.test()).margin == 1.0
    assert (await rig.reason()).endswith("it loses 0.000, at most 0.175: too few to decide.")


async def test_what_is_not_kept_any_more_falls_back_and_comes_back(rig: Rig) -> None:
    """Each change is told once, whatever is tested in between."""
    await rig.compare(60, 0.0)
    kept = await rig.test()
    await rig.compare(30, 0.9)
    fallen = await rig.test()
    assert (kept.margin, fallen.margin) == (1.0, None)
    assert (kept.since_us, fallen.since_us) == (kept.tested_at_us, fallen.tested_at_us)
    assert (await rig.reason()).startswith("The baseline answers: cheaper models may lose 0.")
    rig.clock.advance(DAY_US / 1e6)
    assert (await rig.test()).since_us == fallen.tested_at_us
    rig.clock.advance(LONGEST_US / 1e6)
    await rig.compare(30, 0.0)
    assert (await rig.test()).margin == 1.0
    assert [notice.kind for notice in rig.notices] == ["promise.kept", "promise.unmet", "promise.kept"]
    assert (
        rig.notices[1].text
        == "The promise of route support is not shown to be kept any more: large answers until it is."
    )


async def test_a_margin_that_no_pair_falls_within_leaves_all_to_the_baseline(rig: Rig) -> None:
    """That would be kept for lack of any cheaper answer."""
    await rig.compare(30, 0.9, short=0.15)
    test = await rig.test()
    assert (test.margin, test.share) == (None, 0.0)
    assert (await rig.reason()).startswith("The baseline answers: cheaper models may lose 0.9")


async def test_it_is_tested_again_after_a_day_or_with_a_tenth_more_pairs(rig: Rig) -> None:
    """And with ten at least; not with every pair."""
    await rig.compare(200, 0.0)
    first = await rig.test()
    await rig.compare(19, 0.0)
    assert await rig.test() == first
    await rig.compare(1, 0.0)
    second = await rig.test()
    assert second.pairs == 220
    rig.clock.advance(DAY_US / 1e6)
    assert (await rig.test()).tested_at_us == second.tested_at_us + DAY_US


async def test_another_promise_or_baseline_begins_anew(rig: Rig) -> None:
    """What was found of the one before says nothing of it."""
    await rig.compare(60, 0.0)
    await rig.test()
    rig.rules = (replace(SUPPORT, promise=Promise(points=0.01)),)
    [pledge] = await rig.promising.pledges()
    assert pledge == Pledge(rig.rules[0], Promise(points=0.01), None, "large")
    assert (await rig.test()).margin is None
    rig.rules, rig.baseline = (SUPPORT,), "huge"
    test = await rig.test()
    assert (test.baseline, test.pairs) == ("huge", 0)


async def test_the_worker_that_tests_first_tells(rig: Rig) -> None:
    """Others keep silent."""
    await rig.compare(60, 0.0)
    rig.books.is_late = True
    await rig.promising.tend()
    assert rig.notices == []


@pytest.mark.parametrize(
    ("rules", "baseline"), [((), "large"), ((replace(SUPPORT, promise=None),), "large"), ((SUPPORT,), None)]
)
async def test_without_a_promise_or_a_baseline_nothing_is_read(rules: tuple[Rule, ...], baseline: str | None) -> None:
    """Even a database that is away is not missed."""
    rig = Rig(*rules, baseline=baseline)
    await rig.promising.tend()
    assert rig.books.kept == {}
    assert [pledge.test for pledge in await rig.promising.pledges()] == ([None] if SUPPORT in rules else [])


async def test_without_a_baseline_nothing_is_said_to_be_promised() -> None:
    """Whatever was found of one before."""
    rig = Rig(SUPPORT)
    await rig.compare(60, 0.0)
    await rig.test()
    rig.baseline = None
    [pledge] = await rig.promising.pledges()
    assert (pledge.test, shown_pledge(pledge)["state"]) == (None, "none")
    assert reason_of(pledge).startswith("Nothing is promised: routing.baseline is no model that can be asked here")


async def test_a_database_that_is_away_leaves_tests_for_later(rig: Rig) -> None:
    """The last one stays."""
    rig.books.is_away = True
    await rig.promising.tend()
    assert rig.books.kept == {}
