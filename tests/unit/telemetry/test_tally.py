"""Running sums over finished requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farthing.telemetry.tally import BOUNDS_US, Distribution


@given(st.lists(st.integers(0, 400_000_000) | st.sampled_from(BOUNDS_US)))
def test_each_duration_falls_into_the_first_bucket_that_holds_it(durations: list[int]) -> None:
    """Bounds belong to their bucket, and what is above the last one falls into a bucket of its own."""
    distribution = Distribution()
    for duration in durations:
        distribution.observe(duration)
    below = (-1, *BOUNDS_US)
    above = (*BOUNDS_US, 10**12)
    assert distribution.counts == [
        sum(low < duration <= high for duration in durations) for low, high in zip(below, above, strict=True)
    ]
    assert distribution.total_us == sum(durations)
