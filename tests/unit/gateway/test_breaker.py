"""When a deployment rests, and how it comes back."""

from __future__ import annotations

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import UpstreamOverloaded, UpstreamRateLimited, UpstreamRejected
from farthing.gateway.breaker import FAILURES_TO_OPEN, REST_S, Breaker, Breakers, RetryBudget


@pytest.fixture
def clock() -> ManualClock:
    """A clock turned by hand."""
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admits()
        breaker.failed(UpstreamOverloaded("busy"))
    return breaker


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    """Nobody passes while it rests, and it says for how long."""
    assert (breaker.state, breaker.admits(), breaker.rests_for) == ("open", False, REST_S)


def test_one_that_fails_often_but_answers_now_and_then_does_not_rest(clock: ManualClock) -> None:
    """A second without an answer is what tells a deployment that is dead from one that is busy."""
    breaker = Breaker(clock)
    breaker.succeeded()
    for _ in range(FAILURES_TO_OPEN * 2):
        breaker.failed(UpstreamOverloaded("busy"))
    clock.advance(0.999)
    breaker.failed(UpstreamOverloaded("busy"))
    assert breaker.state == "closed"
    clock.advance(0.001)
    breaker.failed(UpstreamOverloaded("busy"))
    assert (breaker.state, breaker.rests_for) == ("open", REST_S)


def test_one_probe_passes_when_half_open(breaker: Breaker, clock: ManualClock) -> None:
    """The second request after the rest waits for what the first one finds."""
    clock.advance(REST_S)
    assert breaker.state == "half-open"
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert (breaker.state, breaker.admits()) == ("closed", True)


def test_a_failed_probe_rests_twice_as_long(breaker: Breaker, clock: ManualClock) -> None:
    """One failure is enough to open again."""
    clock.advance(REST_S)
    breaker.admits()
    breaker.failed(UpstreamOverloaded("still busy"))
    assert breaker.rests_for == REST_S * 2


def test_an_abandoned_probe_leaves_room_for_the_next(breaker: Breaker, clock: ManualClock) -> None:
    """A client that leaves has said nothing about the deployment."""
    clock.advance(REST_S)
    breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def test_a_wish_for_a_pause_is_honoured_at_once_and_capped(clock: ManualClock) -> None:
    """Retry-After opens without counting, for a minute at most."""
    breaker = Breaker(clock)
    breaker.failed(UpstreamRateLimited("slow down", retry_after=7))
    assert breaker.rests_for == 7
    breaker.failed(UpstreamRateLimited("slow down", retry_after=1e9))
    assert breaker.rests_for == 60


def test_a_wish_for_no_pause_opens_nothing(clock: ManualClock) -> None:
    """Retry-After: 0 is no rest, but a failure like any other."""
    breaker = Breaker(clock)
    breaker.failed(UpstreamRateLimited("now", retry_after=0))
    assert breaker.admits()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(UpstreamOverloaded("now", retry_after=0))
    assert (breaker.state, breaker.rests_for) == ("open", REST_S)


def test_a_wish_is_no_failure(clock: ManualClock) -> None:
    """However many requests hear it, the rest is as long as the vendor wished."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN * 2):
        breaker.failed(UpstreamRateLimited("slow down", retry_after=2))
    assert (breaker.rests_for, breaker.is_wished) == (2, True)
    clock.advance(2)
    assert (breaker.state, breaker.is_wished) == ("half-open", False)


def test_what_fails_while_it_rests_does_not_prolong_the_rest(breaker: Breaker, clock: ManualClock) -> None:
    """It was sent before, or for want of anybody else."""
    clock.advance(1)
    breaker.failed(UpstreamOverloaded("busy"))
    assert breaker.rests_for == REST_S - 1
    clock.advance(REST_S)
    breaker.admits()
    breaker.failed(UpstreamOverloaded("still busy"))
    assert breaker.rests_for == 2 * REST_S


def test_a_rejected_request_is_a_sign_of_health(clock: ManualClock) -> None:
    """A deployment that finds fault with the request works."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN * 2):
        breaker.failed(UpstreamRejected("bad"))
    assert breaker.state == "closed"


def test_each_deployment_has_its_own(clock: ManualClock) -> None:
    """One breaker for each provider and model, always the same one."""
    breakers = Breakers(clock)
    assert breakers.of("a", "m") is breakers.of("a", "m")
    assert breakers.of("a", "m") is not breakers.of("b", "m")


def test_retries_are_a_tenth_of_the_traffic() -> None:
    """After the burst is used up, ten requests earn one repeat."""
    budget = RetryBudget()
    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(10):
        budget.request()
    assert [budget.take(), budget.take()] == [True, False]
