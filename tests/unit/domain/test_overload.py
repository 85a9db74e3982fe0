"""What is let in of too much: as much as can be done, dealt out fairly, and all of it again when it is not too much."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.overload import LEAST, LONGEST_WAIT_S, SHORTEST_WAIT_S, Valve, greedy, level, median

TICK_S = 0.02
START_S = 0.05
READS = 1024
"""Requests that are taken in in one turn at most."""


class Worker:
    """A loop in virtual time: a turn takes in what came during the turn before, and ends what was let in then."""

    def __init__(self, *, serve_s: float = 0.000_2, refuse_s: float = 0.000_02, asleep: float = 0.0) -> None:
        """Seconds of CPU that a request takes, and a refusal; `asleep` is the share of a turn that others take."""
        self.valve = Valve(START_S, lambda: self._held)
        self.now = self.cpu_s = 0.0
        self.late: list[float] = []
        self._serve_s = serve_s
        self._refuse_s = refuse_s
        self._asleep = asleep
        self._under_way = 0
        self._held = Counter[str]()
        self._due = TICK_S
        self._unread: defaultdict[str, float] = defaultdict(float)

    def run(self, seconds: float, rates: Mapping[str, float]) -> tuple[Counter[str], Counter[str]]:
        """Requests let in and refused by tenant, where these come in a second."""
        let_in, refused = Counter[str](), Counter[str]()
        end, self.late = self.now + seconds, []
        came = self.now
        while self.now < end:
            began, self._under_way, self._held = self.now, 0, Counter()
            for tenant, rate in rates.items():
                self._unread[tenant] += (began - came) * rate
            part = min(1.0, READS / max(1.0, sum(self._unread.values())))
            asked = {tenant: int(part * unread) for tenant, unread in self._unread.items()}
            for tenant, count in asked.items():
                self._unread[tenant] -= count
            came = began
            served = sum(self._ask(tenant, asked, let_in, refused) for tenant in asked)
            work = served * self._serve_s + (sum(asked.values()) - served) * self._refuse_s
            self.cpu_s += work
            self.now += max(0.001, work / (1 - self._asleep))
            self._tick()
        return let_in, refused

    def _ask(self, tenant: str, asked: Mapping[str, int], let_in: Counter[str], refused: Counter[str]) -> int:
        before = let_in[tenant]
        for _ in range(asked[tenant]):
            fits = not self.valve.is_active or self.valve.admits(tenant, self._under_way)
            (let_in if fits else refused)[tenant] += 1
            self._under_way += fits
            self._held[tenant] += fits
        return let_in[tenant] - before

    def _tick(self) -> None:
        if self.now >= self._due:
            self.late.append(self.now - self._due)
            self.valve.tick(self.now, self.now - self._due, self.cpu_s, self._under_way)
            self._due = self.now + TICK_S


NOISY = {"noisy": 14_000.0, "quiet": 500.0, "third": 500.0}
"""Three times what a worker can do, which is 5,000 a second."""


def test_a_worker_with_too_much_does_what_it_can_and_is_hardly_late() -> None:
    """Of three times its capacity it serves what refusing the rest leaves room for, and is well a second later."""
    worker = Worker()
    worker.run(3, NOISY)
    assert worker.valve.is_shedding
    let_in, refused = worker.run(10, NOISY)
    # g requests a second at 0.2 ms and 15,000 - g refusals at 0.02 ms fill a second.
    possible = 10 * (1 - 15_000 * 0.000_02) / (0.000_2 - 0.000_02)
    assert 0.9 * possible <= let_in.total() <= 1.05 * possible
    assert sorted(worker.late)[int(0.99 * len(worker.late))] < 0.05
    assert (refused["quiet"], refused["third"]) == (0, 0)
    assert worker.valve.is_over_share("noisy")
    assert not worker.valve.is_over_share("quiet")
    assert SHORTEST_WAIT_S <= worker.valve.wait_s <= LONGEST_WAIT_S
    worker.run(2, {"noisy": 2_000.0, "quiet": 500.0})
    assert (worker.valve.is_active, worker.valve.is_shedding, worker.valve.limit) == (False, False, inf)


def test_equals_get_the_same() -> None:
    """Nobody over his share is far ahead of another, in whichever order they ask."""
    worker = Worker()
    worker.run(3, {"a": 4_000.0, "b": 4_000.0, "c": 8_000.0})
    let_in, _ = worker.run(5, {"a": 4_000.0, "b": 4_000.0, "c": 8_000.0})
    assert min(let_in.values()) > 0.6 * max(let_in.values())
    assert not worker.valve.is_over_share("a")


def test_what_a_worker_can_do_is_not_refused() -> None:
    """Nine tenths of its capacity."""
    worker = Worker()
    assert worker.run(5, {"a": 4_500.0})[1].total() == 0


def test_one_long_step_is_no_overload() -> None:
    """It counts, and forgets it when the worker is in time again."""
    valve = Valve(START_S, lambda: {"a": 1000})
    valve.tick(1.0, 0.5, 1.0, 100)
    assert (valve.is_active, valve.is_shedding) == (True, False)
    for place in range(11):
        valve.tick(1.02 + place * TICK_S, 0.001, 1.3, 100)
    assert (valve.is_active, valve.is_shedding) == (False, False)


def test_lateness_that_others_cause_sheds_nothing() -> None:
    """A worker that gets a tenth of a core is not helped by doing less."""
    valve = Valve(START_S, lambda: {"a": 1000})
    for place in range(100):
        valve.tick(place * 0.08, 0.06, place * 0.008, 100)
    assert (valve.is_active, valve.is_shedding) == (True, False)


def test_the_limit_falls_when_the_last_step_has_taken_effect() -> None:
    """Long answers take time to end: until then lateness proves nothing. It never falls below a few requests."""
    valve = Valve(START_S, lambda: {"a": 1000})
    for place in range(4):
        valve.tick(place / 8, 0.1, place / 8, 1000)
    assert (valve.is_shedding, valve.limit) == (True, 500)
    valve.tick(4 / 8, 0.1, 4 / 8, 600)
    assert valve.limit == 500
    valve.tick(5 / 8, 0.025, 5 / 8, 510)
    assert valve.limit == pytest.approx(500 * 0.8**0.5)
    assert not any(valve.admits("a", 2_000) for _ in range(3))
    for place in range(6, 60):
        valve.admits("a", 2_000)
        valve.tick(place / 8, 0.03, place / 8, 0)
    assert valve.limit == LEAST


def test_a_limit_that_shows_no_effect_falls_again_after_a_second() -> None:
    """Answers may last for minutes."""
    valve = Valve(START_S, lambda: {"a": 1000})
    for place in range(11):
        valve.admits("a", 1000)
        valve.tick(place / 8, 0.1, place / 8, 1000)
    assert valve.limit == 250


def test_those_who_did_not_ask_of_late_are_let_in_up_to_twice_the_limit() -> None:
    """They may be many."""
    valve = Valve(START_S, lambda: {"a": 1000})
    for place in range(4):
        valve.tick(place / 8, 0.1, place / 8, 1000)
    assert valve.admits("new", 999)
    assert [valve.admits("new", 1_000) for _ in range(300)] == [True] * 249 + [False] * 51
    assert valve.wait_s == LONGEST_WAIT_S


def overloaded(held: Mapping[str, int]) -> Valve:
    """A valve that has lowered its limit as far as it goes, where each tenant has so many requests under way."""
    valve, number = Valve(START_S, lambda: held), sum(held.values())
    for place in range(60):
        valve.admits("a", number)
        valve.tick(place / 8, 0.1, place / 8, number)
    assert valve.limit == LEAST
    return valve


def test_who_has_little_under_way_is_let_in_beside_whoever_fills_the_worker() -> None:
    """500 long streams of one tenant are none of the others' doing: half of the limit is left for the next one."""
    valve = overloaded({"a": 500, "b": 2})
    # (64 - 2) / 2 for each of two who want as much as there is, and b has 2 of them.
    assert [valve.admits("b", 502) for _ in range(32)] == [True] * 29 + [False] * 3
    assert [valve.admits("new", 502) for _ in range(32)] == [True] * 31 + [False]


def test_many_who_have_little_under_way_are_not_let_in_without_end() -> None:
    """Before the next look at least: they may go as far beyond the limit as the limit itself."""
    valve = overloaded({"a": 500})
    assert sum(valve.admits(f"new{number}", 500) for number in range(1_000)) == LEAST


@pytest.mark.parametrize("readers", [100, 500, 5_000])
def test_others_are_answered_while_one_tenant_reads_long_streams(readers: int) -> None:
    """They take more than the worker has, for as long as they last; who asks for a few short answers gets them all."""
    valve = Valve(START_S, lambda: {"reader": readers, "quiet": 1})
    now, due, refused = 0.0, TICK_S, Counter[str]()
    for turn in range(1_000):
        now += 0.1
        for tenant in ("reader", "quiet") if turn % 2 else ("reader",):
            refused[tenant] += valve.is_active and not valve.admits(tenant, readers + 1)
        valve.tick(now, now - due, 0.9 * now, readers + 1)
        due = now + TICK_S
    assert refused["quiet"] == 0
    assert refused["reader"] > 500


@given(st.dictionaries(st.text(max_size=3), st.integers(min_value=0, max_value=1000), max_size=20), st.text(max_size=3))
def test_nobody_under_a_fair_share_of_what_is_under_way_is_refused(held: dict[str, int], tenant: str) -> None:
    """Whoever it is, and however much more than their shares the others have."""
    valve = overloaded({**held, "a": 1000})
    others = [number for name, number in held.items() if name not in {tenant, "a"}]
    mine = held.get(tenant, 0) if tenant != "a" else 1000
    if mine + 1 <= level([*others, 1000, mine, inf], LEAST):
        assert valve.admits(tenant, sum(held.values()) + 1000)


def test_shares_are_max_min_fair() -> None:
    """Who asks for less than an equal share has all of it, and what is left over is for the others."""
    assert level([1, 4, 10], 9) == 4
    assert level([1, 5, 10], 9) == 4
    assert level([1, 2], 3) == inf
    assert level([], 3) == inf
    assert greedy({"a": 1, "b": 5, "c": 10}, 4) == {"c"}
    assert greedy({"a": 1, "b": 5, "c": 5}, 4) == {"b", "c"}
    assert median([3, 1, 2, 9]) == 2


@given(
    st.dictionaries(st.text(max_size=3), st.floats(min_value=0.1, max_value=1000), min_size=1, max_size=20),
    st.floats(min_value=0.02, max_value=0.98),
)
def test_a_tenant_that_asks_for_less_is_never_left_out_before_one_that_asks_for_more(
    rates: dict[str, float], share: float
) -> None:
    """Somebody is, where there is not room for all; and who is not asks for less than everybody who is."""
    room = share * sum(rates.values())
    found = level(rates.values(), room)
    assert sum(min(rate, found) for rate in rates.values()) == pytest.approx(room)
    over = greedy(rates, found)
    assert over
    assert all(rates[tenant] > found for tenant in over)
    assert all(rate <= min(rates[tenant] for tenant in over) for name, rate in rates.items() if name not in over)
