"""Windows begin at midnight UTC, and money is written exactly."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.budget import Window, dollars, span


def us(text: str) -> int:
    """Microseconds since 1970 of a moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("window", "moment", "start", "end"),
    [
        ("day", "2026-11-21T13:00:00", "2026-11-21", "2026-11-22"),
        ("day", "2026-11-21T00:00:00", "2026-11-21", "2026-11-22"),
        ("day", "2026-11-21T23:59:59.999999", "2026-11-21", "2026-11-22"),
        ("day", "2024-02-29T12:00:00", "2024-02-29", "2024-03-01"),
        ("week", "2026-11-21T13:00:00", "2026-11-16", "2026-11-23"),
        ("week", "2026-11-16T00:00:00", "2026-11-16", "2026-11-23"),
        ("week", "2026-11-15T23:59:59.999999", "2026-11-09", "2026-11-16"),
        ("week", "1970-01-01T00:00:00", "1969-12-29", "1970-01-05"),
        ("month", "2026-11-30T23:59:59.999999", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-01T00:00:00", "2026-12-01", "2027-01-01"),
        ("month", "2024-02-29T23:00:00", "2024-02-01", "2024-03-01"),
        ("month", "2026-03-29T02:30:00", "2026-03-01", "2026-04-01"),
    ],
)
def test_a_window_spans_whole_days_in_utc(window: Window, moment: str, start: str, end: str) -> None:
    """Days, weeks from Monday and calendar months, leap days and the turn of the year included."""
    found = span(window, us(moment))
    assert (found.start_us, found.end_us) == (us(start), us(end))
    assert found.holds(us(moment))


def test_a_total_never_resets() -> None:
    """One window holds every moment."""
    assert span("total", us("2026-11-21")).end_us is None
    assert span("total", us("2026-11-21")).holds(us("2999-01-01"))


@given(
    window=st.sampled_from(["day", "week", "month"]),
    moment=st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_windows_meet_without_gap_or_overlap(window: Window, moment: datetime) -> None:
    """The moment a window ends is the moment the next one starts, and belongs to that one alone."""
    found = span(window, us(moment.isoformat()))
    assert found.end_us is not None
    assert not found.holds(found.end_us)
    assert found.holds(found.end_us - 1)
    assert span(window, found.end_us).start_us == found.end_us
    assert span(window, found.start_us) == found
    assert not found.holds(found.start_us - 1)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (12_500_000, "$0.0125"),
        (1_000_000_000, "$1.00"),
        (1_100_000_000, "$1.10"),
        (1, "$0.000000001"),
        (-2_050_000_000, "-$2.05"),
    ],
)
def test_money_reads_as_people_write_it(nano: int, text: str) -> None:
    """Two decimals at least, and no digit lost."""
    assert dollars(nano) == text


@given(st.integers(min_value=-(10**19), max_value=10**19))
def test_money_is_written_exactly(nano: int) -> None:
    """The text is the amount, to the nano-dollar."""
    assert Decimal(dollars(nano).replace("$", "")).scaleb(9) == nano
