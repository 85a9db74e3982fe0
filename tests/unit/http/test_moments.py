"""Moments in JSON and in queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.errors import InvalidRequest
from farthing.http.moments import parse_moment, rfc3339

DAY_US = 1_795_219_200_000_000
"""21 November 2026."""
LAST_MS = 253_370_764_799_999
"""The last millisecond of the year 9998."""


def test_a_moment_is_shown_in_utc_with_milliseconds() -> None:
    """As RFC 3339 has it."""
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(DAY_US + 34_200_123_456) == "2026-11-21T09:30:00.123Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21", DAY_US),
        ("2026-11-21T09:30:00Z", DAY_US + 34_200_000_000),
        ("2026-11-21T09:30:00.5+00:00", DAY_US + 34_200_500_000),
        ("2026-11-21T09:30:00+02:00", DAY_US + 27_000_000_000),
        ("2026-11-21 09:30Z", DAY_US + 34_200_000_000),
        ("1970-01-01", 0),
    ],
)
def test_a_day_or_a_moment_with_its_zone_is_read(text: str, expected: int) -> None:
    """A day begins at midnight in UTC."""
    assert parse_moment(text, "from") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "NaN",
        "2026-11-21T09:30:00",
        "2026-13-01",
        "2026-02-30",
        "0000-01-01",
        "9999-01-01",
        "1969-12-31",
        "1764547200",
        "2026-11-21'; DROP TABLE requests",
        "2026-11",
        "99999-01-01",
    ],
)
def test_anything_else_is_refused_by_the_parameters_name(text: str) -> None:
    """No zone is guessed for a moment, and no year beyond reason taken."""
    with pytest.raises(InvalidRequest) as refused:
        parse_moment(text, "to")
    assert (refused.value.code, refused.value.param) == ("invalid_parameter", "to")


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_what_is_shown_can_be_read_back(moment_ms: int) -> None:
    """To the millisecond, in any century."""
    moment_us = moment_ms * 1000
    assert parse_moment(rfc3339(moment_us), "from") == moment_us
