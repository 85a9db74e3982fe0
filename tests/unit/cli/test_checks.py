"""What doctor says of things that are hard to break on purpose."""

import pytest

from farthing.background.clock import ManualClock
from farthing.cli import checks

NOW = 4_000_000_000.0


@pytest.mark.parametrize(
    ("now", "drift", "health", "detail"),
    [
        (NOW, None, "ok", "2096-10-02 07:06 UTC"),
        (NOW, 1.9, "ok", "2096-10-02 07:06 UTC"),
        (NOW, -2.5, "warning", "2096-10-02 07:06 UTC is -2.5 s off Redis's clock"),
        (0.0, None, "broken", "1970-01-01 00:00 UTC is before this program was installed"),
    ],
)
def test_the_clock_is_judged(now: float, drift: float | None, health: str, detail: str) -> None:
    """A clock may differ by two seconds from Redis's, and never lies before the installation."""
    found = checks._of_clock(now, drift)
    assert (found.health, found.detail) == (health, detail)
    assert bool(found.mend) is (health != "ok")


def test_old_prices_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the newest price that holds is months old, what is shown may be wrong."""
    monkeypatch.setattr(checks, "CLOCK", ManualClock(int(NOW * 1e6)))
    assert checks._of_prices().health == "warning"
    monkeypatch.setattr(checks, "CLOCK", ManualClock(0))
    assert checks._of_prices().detail.endswith("newest price of None")
