"""The trace is read, and its mean request reckoned, as they are written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.scale.inputs import Costs, Traffic
from benchmarks.scale.trace import Request, duration_s, events, load, mean, peak_to_mean


def test_both_halves_are_read_in_order_of_time(packed: Callable[[str, str], Path]) -> None:
    """One of them is streamed, the other comes whole."""
    streamed = packed("a", "0.0,10,20\n2.0,1,2\n")
    whole = packed("b", "1.5,3,4\n")
    assert load(streamed, whole) == [
        Request(0.0, 10, 20, is_streamed=True),
        Request(1.5, 3, 4, is_streamed=False),
        Request(2.0, 1, 2, is_streamed=True),
    ]


@pytest.mark.parametrize(
    ("tokens", "joined", "streamed", "expected"),
    [(50, 1, True, 50), (50, 4, True, 12), (0, 1, True, 1), (50, 1, False, 0)],
)
def test_an_answer_has_as_many_events_as_its_tokens_fill(
    traffic: Traffic, tokens: int, joined: float, streamed: bool, expected: int
) -> None:
    """At least one where it is streamed, none where it comes whole."""
    assert events(Request(0, 1, tokens, streamed), replace(traffic, tokens_per_event=joined)) == expected


def test_an_answer_lasts_as_long_as_its_tokens(traffic: Traffic) -> None:
    """Half a second until the first, then 50 a second, streamed or not."""
    assert duration_s(Request(0, 1, 100, is_streamed=False), traffic) == 2.5


def test_the_mean_request_is_the_mean_of_all(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """Half of the answers come in 50 events."""
    found = mean(trace, costs, traffic)
    assert found.cpu_us == 100 + 25 * 10
    assert (found.streamed, found.duration_s, found.events) == (0.5, 1.5, 25)
    assert (found.tokens_in, found.tokens_out) == (100, 50)
    assert found.inside_bytes == 100 * 4 + 1000
    assert found.outside_bytes == 25 * 200 + 25 * 4 + 1000


def test_a_hit_takes_its_own_time_and_no_events(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """Half of the requests being hits, half of everything else is left."""
    assert mean(trace, costs, replace(traffic, hit_share=0.5)).cpu_us == 0.5 * 350 + 0.5 * 20


def test_the_busiest_window_is_told_in_means() -> None:
    """Three of four requests in one of two seconds are one and a half times the mean."""
    requests = [Request(at_s, 1, 1, is_streamed=False) for at_s in (0.0, 1.1, 1.2, 1.3)]
    assert peak_to_mean(requests, 1.0) == 1.5
