"""Who gets which arm."""

from __future__ import annotations

import hashlib
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.experiments.assignment import allocation, assign, is_held_back, point, ranges
from farthing.domain.experiments.definition import Experiment, Namespace
from farthing.domain.experiments.proposal import with_shares, with_traffic
from tests.unit.domain.experiments.samples import experiment

USERS = [f"user-{number}" for number in range(6_000)]


def arms_of(one: Experiment) -> dict[str, str | None]:
    """The arm of each of the users."""
    find = allocation(one).arm
    return {user: find(user) for user in USERS}


def test_a_user_falls_where_sha_256_of_salt_and_user_says() -> None:
    """The first eight bytes of the digest as a share of 2⁶⁴, so that anybody can recompute an assignment."""
    digest = hashlib.sha256(b"exp-1:0:" + "Zoë".encode()).digest()
    assert point(b"exp-1:0:", "Zoë") == int.from_bytes(digest[:8], "big")
    share = point(b"exp-1:0:", "Zoë") / 2**64
    assert assign(experiment(), "Zoë") == ("control" if share < 0.5 else "test")


def test_every_user_has_an_arm_when_all_traffic_takes_part() -> None:
    """No gap between two arms, and none at the end."""
    assert None not in arms_of(experiment(shares=(1 / 3, 1 / 3, 1 / 3))).values()


def test_arms_are_as_large_as_their_shares() -> None:
    """6,000 users lie within four standard deviations of shares of 0.7 and 0.3."""
    found = list(arms_of(experiment(shares=(0.7, 0.3))).values())
    assert abs(found.count("control") - 4_200) < 4 * (6_000 * 0.7 * 0.3) ** 0.5


def test_a_ramp_moves_nobody() -> None:
    """From 10 to 50% of the traffic users join, and none of those who were in changes the arm or leaves."""
    before = arms_of(experiment(traffic=0.1))
    after = arms_of(with_traffic(experiment(traffic=0.1), 0.5))
    assert all(after[user] == arm for user, arm in before.items() if arm is not None)
    assert sum(arm is not None for arm in before.values()) < 700
    assert sum(arm is not None for arm in after.values()) > 2_800


def test_no_traffic_is_nobody() -> None:
    """An experiment without traffic has no users."""
    assert set(arms_of(experiment(traffic=0.0)).values()) == {None}


def test_experiments_are_independent_of_one_another() -> None:
    """The arm in one experiment tells nothing about the arm in another."""
    sides = [[arm == "test" for arm in arms_of(experiment(salt=f"exp-{number}")).values()] for number in range(5)]
    for one, other in combinations(sides, 2):
        both = sum(a and b for a, b in zip(one, other, strict=True)) / len(USERS)
        assert abs(both - 0.25) < 0.0225


def test_a_new_phase_spreads_users_anew() -> None:
    """What an arm did to its users does not stay with one arm when the shares change."""
    one = experiment()
    again = with_shares(one, (0.5, 0.5), 7)
    before, after = arms_of(one), arms_of(again)
    assert 0.47 < sum(after[user] == arm for user, arm in before.items()) / len(USERS) < 0.53


def test_experiments_of_a_namespace_share_no_user() -> None:
    """Ranges that do not overlap exclude one another, whatever the salts are."""
    first = experiment(salt="a", namespace=Namespace("checkout", 0.0, 0.4))
    second = experiment(salt="b", namespace=Namespace("checkout", 0.4, 1.0))
    one, other = arms_of(first), arms_of(second)
    assert all((one[user] is None) != (other[user] is None) for user in USERS)
    assert 2_250 < sum(arm is not None for arm in one.values()) < 2_550


def test_two_percent_are_held_back_whatever_their_arm() -> None:
    """After a promotion the same small share of users keeps control's strategy, from every arm alike."""
    one = experiment()
    arms = arms_of(one)
    held = [user for user in USERS if is_held_back(one, user)]
    assert 75 <= len(held) <= 165
    assert 0.3 < sum(arms[user] == "test" for user in held) / len(held) < 0.7


@settings(max_examples=40)
@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_more_traffic_never_moves_anybody(unit: str, less: float, more: float) -> None:
    """Whoever takes part keeps his arm when the traffic grows, for any name of a user, lone surrogates included."""
    less, more = sorted((less, more))
    arm = assign(experiment(shares=(0.2, 0.3, 0.5), traffic=less), unit)
    assert arm is None or arm == assign(experiment(shares=(0.2, 0.3, 0.5), traffic=more), unit)


@settings(max_examples=40)
@given(st.text(st.characters(), min_size=1))
def test_any_user_has_one_arm(unit: str) -> None:
    """The same user gets the same arm each time, whatever the experiment is called."""
    arm = assign(experiment(), unit)
    assert arm in {"control", "test"}
    assert assign(replace(experiment(), name="other"), unit) == arm


GROWTHBOOK = [
    ((0.2, 0.3, 0.5), 1.0, [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
    ((0.5, 0.5), 1.5, [(0, 0.5), (0.5, 1)]),
    ((0.4, 0.1), 1.0, [(0, 0.5), (0.5, 1)]),
    ((0.5, 0.5), 0.4, [(0, 0.2), (0.5, 0.7)]),
    ((0.5, 0.5), -1.0, [(0, 0), (0.5, 0.5)]),
    ((), 1.0, []),
]
"""Shares, traffic and ranges; the first three are a26, a29 and a30 of the reference cases (GrowthBook, MIT)."""


@pytest.mark.parametrize(("shares", "traffic", "expected"), GROWTHBOOK)
def test_ranges_are_those_of_growthbook(
    shares: tuple[float, ...], traffic: float, expected: list[tuple[float, float]]
) -> None:
    """Each arm's part of the users, for uneven shares, bad ones, and any traffic."""
    assert [pytest.approx(pair, abs=1e-9) for pair in expected] == list(ranges(shares, traffic))
