"""Two clocks, one interface."""

from farthing.background.clock import ManualClock, SystemClock
from farthing.ports import Clock

MIDNIGHT = 1_764_547_200_000_000


def test_the_machines_clock_counts_microseconds_since_1970() -> None:
    """It shows this decade, and its monotonic side never goes back."""
    clock: Clock = SystemClock()
    assert 1_700_000_000_000_000 < clock.now_us() < 4_000_000_000_000_000
    assert clock.monotonic() <= clock.monotonic()


def test_the_manual_clock_stands_still_until_turned() -> None:
    """Time passes on both scales together."""
    clock = ManualClock()
    assert (clock.now_us(), clock.monotonic()) == (MIDNIGHT, 0.0)
    clock.advance(1.5)
    assert (clock.now_us(), clock.monotonic()) == (MIDNIGHT + 1_500_000, 1.5)


def test_setting_the_wall_clock_lets_no_time_pass() -> None:
    """As when an operator corrects the time of a machine."""
    clock: Clock = ManualClock(7)
    assert isinstance(clock, ManualClock)
    clock.advance(1)
    clock.set(3)
    assert (clock.now_us(), clock.monotonic()) == (3, 1.0)
