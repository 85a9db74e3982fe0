"""Which arm is promoted, and when it should give way."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.aftermath import regretted
from farthing.domain.experiments.assignment import group
from farthing.domain.experiments.data import GROUPS, Followed
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.verdict import Verdict
from tests.unit.domain.experiments.samples import followed

WINNER = Verdict(code="winner", winner="test", reason="Test is cheaper.", is_final=True)
PROMOTED = Experiment(
    id="e1",
    tenant="acme",
    name="size",
    arms=(Arm("control", "small", 0.5), Arm("test", "large", 0.5)),
    sample_size=100,
    salt="e1",
    phases=(Phase((0.5, 0.5), 1),),
    promote=True,
    status="completed",
    created_us=1,
    completed_us=2,
    verdict=WINNER,
)


def counted(counts: Mapping[str, tuple[int, int]]) -> dict[str, Followed]:
    """Requests and failures by arm, and nothing else that differs."""
    return {arm: followed(*figures) for arm, figures in counts.items()}


class Crowd:
    """Users of an arm who come back, at costs with a long tail; half of them rate what they get."""

    def __init__(self, seed: int, users: int) -> None:
        self.arm = Followed()
        self._chance = random.Random(seed)
        self._taste = {f"{seed}-{user}": self._chance.gauss(0, 0.5) for user in range(users)}

    def ask(
        self, requests: int, *, cost: float = 1.0, latency: float = 1.0, quality: float = 0.0, rated: float = 0.5
    ) -> None:
        """So many requests, at `cost` times what a request costs, with `quality` more or less than 4 points."""
        for user in self._chance.choices(list(self._taste), k=requests):
            own, at = self._taste[user], group(user)
            nanos = round(100_000 * cost * self._chance.lognormvariate(own, 0.7))
            micros = round(500_000 * latency * self._chance.lognormvariate(own, 0.5))
            self.arm.add(at, cost=nanos, latency_us=micros, is_error=False)
            if self._chance.random() < rated:
                self.arm.rate(at, 4 + own + quality + self._chance.gauss(0, 0.5), before=None)


def after(held_back: int = 100, **worse: float) -> dict[str, Followed]:
    """A winner of 5,000 users and control's, ten requests each."""
    winner, control = Crowd(1, 5_000), Crowd(2, held_back)
    winner.ask(20_000, **worse)
    control.ask(10 * held_back, rated=worse.get("rated", 0.5))
    return {"test": winner.arm, "control": control.arm}


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"cost": 1.0}, None),
        ({"cost": 0.5, "latency": 0.5, "quality": 0.5}, None),
        ({"cost": 2.5}, "test has cost more a request than control since it was promoted: "),
        ({"latency": 1.1}, None),
        ({"latency": 2.5}, "test has been slower than control since it was promoted: "),
        ({"quality": -0.15}, None),
        ({"quality": -1.5}, "test has been rated lower than control since it was promoted: "),
        ({"quality": -1.5, "rated": 0.0}, None),
        ({"cost": 2.5, "held_back": 20}, None),
    ],
)
def test_it_gives_way_where_a_guardrail_trips(worse: dict[str, Any], said: str | None) -> None:
    """Once it is certainly dearer, or slower or rated lower by more than its margin; of few users nothing is sure."""
    found = regretted(PROMOTED, after(**worse))
    assert (found is not None) is (said is not None)
    assert found is None or found.startswith(said or "")


def test_the_sentence_tells_both_means() -> None:
    """In USD, milliseconds and points."""
    slow = regretted(PROMOTED, after(latency=2.5))
    assert slow is not None
    assert re.search(r": 1,[56]\d\d ms against 5\d\d ms$", slow)
    bad = regretted(PROMOTED, after(quality=-1.5))
    assert bad is not None
    assert re.search(r": 2\.\d\d against [34]\.\d\d$", bad)
    dear = regretted(PROMOTED, after(cost=2.5))
    assert dear is not None
    assert re.search(r": \$0\.000[34]\d+ against \$0\.0001\d+$", dear)


def test_what_does_not_vary_takes_nothing_back() -> None:
    """Constant costs of a few groups say nothing of how users differ; a free control has no relative figures."""
    dear, cheap = Followed(), Followed()
    for at in range(GROUPS):
        dear.add(at, cost=2, latency_us=2, is_error=False)
        cheap.add(at, cost=1, latency_us=0, is_error=False)
    assert regretted(PROMOTED, {"test": dear, "control": cheap}) is None


def test_a_request_of_unknown_cost_is_no_free_one() -> None:
    """It counts as a request, and in no mean of costs; a second opinion of one takes the place of the first."""
    one = Followed()
    one.add(3, cost=None, latency_us=7, is_error=True)
    one.add(3, cost=5, latency_us=7, is_error=False)
    one.rate(3, 4.5, before=None)
    one.rate(3, 4.0, before=4.5)
    assert [one.requests[3], one.errors[3], one.priced[3], one.cost[3], one.latency[3]] == [2, 1, 1, 5, 14]
    assert (one.rated[3], one.quality[3], sum(one.requests)) == (1, 4_000_000, 2)


def test_users_fall_into_groups_evenly_and_for_good() -> None:
    """So that one group is as good as another."""
    counts = Counter(group(f"user-{number}") for number in range(32_000))
    assert (len(counts), min(counts.values()) > 880, max(counts.values()) < 1_120) == (GROUPS, True, True)
    assert group("ann") == 8


def test_looking_at_it_takes_hardly_any_sound_winner_back() -> None:
    """At most one of thirty, looked at forty times while costs have long tails and users are alike to themselves."""
    taken = 0
    for seed in range(30):
        winner, control = Crowd(2 * seed + 100, 1_000), Crowd(2 * seed + 101, 100)
        for _ in range(40):
            winner.ask(250)
            control.ask(25)
            if regretted(PROMOTED, {"test": winner.arm, "control": control.arm}) is not None:
                taken += 1
                break
    assert taken <= 1


@pytest.mark.parametrize(
    "fields",
    [
        {"promote": False},
        {"status": "running"},
        {"status": "cancelled"},
        {"rolled_back_us": 5},
        {"verdict": None},
        {"verdict": replace(WINNER, code="trade_off")},
        {"verdict": replace(WINNER, winner=None)},
        {"verdict": replace(WINNER, winner="control")},
    ],
)
def test_only_a_winner_that_is_not_control_is_promoted(fields: dict[str, Any]) -> None:
    """By an experiment that promotes, once it is completed, until it gave way."""
    assert PROMOTED.promoted == PROMOTED.arms[1]
    without = replace(PROMOTED, **fields)
    assert without.promoted is None
    assert regretted(without, counted({"test": (9_800, 400), "control": (200, 0)})) is None


@pytest.mark.parametrize(
    ("counts", "gives_way"),
    [
        ({}, False),
        ({"test": (9_800, 9_800)}, False),
        ({"control": (200, 0)}, False),
        ({"test": (9_800, 0), "control": (200, 0)}, False),
        ({"test": (9_800, 980), "control": (200, 20)}, False),
        ({"test": (9_800, 0), "control": (200, 200)}, False),
        ({"test": (9_800, 280), "control": (200, 0)}, False),
        ({"test": (9_800, 400), "control": (200, 0)}, True),
        ({"test": (9_800, 400), "control": (200, 0), "third": (50, 50)}, True),
    ],
)
def test_it_gives_way_where_it_fails_more_often(counts: dict[str, tuple[int, int]], *, gives_way: bool) -> None:
    """Not where both fail alike, nor where there is too little to tell."""
    said = regretted(PROMOTED, counted(counts))
    assert (said is not None) is gives_way
    assert said is None or said == "test has failed more often than control since it was promoted: 4.1% against 0.0%"


def test_one_user_takes_no_winner_back() -> None:
    """His requests may fail all day: they are of one group, and the others' do not."""
    found = counted({"test": (9_800, 0), "control": (200, 0)})
    for _ in range(2_000):
        found["test"].add(group("ann"), cost=0, latency_us=0, is_error=True)
    assert regretted(PROMOTED, found) is None
