"""Windows begin at midnight UTC, and money is written exactly."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.budget import (
    DAY_US,
    Budget,
    Standing,
    Step,
    Window,
    alike,
    charged,
    dollars,
    nano_dollars,
    span,
    subjects,
)
from farthing.domain.keys import Caller
from tests.unit.money.samples import exchange


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


@pytest.mark.parametrize(
    ("text", "nano"),
    [("0", 0), ("12.50", 12_500_000_000), ("0.000000001", 1), ("9223372036.854775807", 2**63 - 1)],
)
def test_amounts_are_read_exactly(text: str, nano: int) -> None:
    """Up to what the database holds."""
    assert nano_dollars(text) == nano


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-1",
            "+1",
            "1e3",
            "1e308",
            "nan",
            "NaN",
            "inf",
            "1.",
            ".5",
            "1.0000000001",
            "1,5",
            " 1",
            "1\n",
            "٣",
            "$1",
        ),
        *("9223372036.854775808", "10000000000", "99999999999"),
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Nothing is rounded, and nothing is taken for zero."""
    with pytest.raises(ValueError, match=r"expected an amount|the largest amount is 9223372036\.854775807"):
        nano_dollars(text)


def test_steps_are_in_force_from_their_percent_on() -> None:
    """The last one that was come to."""
    steps = (Step(90, "cheaper"), Step(97, "cache_only"))
    budget = Budget(id="b", tenant="t", scope="tenant", subject="t", window="day", limit=1_000, degrade=steps)
    stages = [budget.stage(spent) for spent in (0, 899, 900, 969, 970, 2_000)]
    assert stages == [None, None, "cheaper", "cheaper", "cache_only", "cache_only"]


def test_a_request_counts_for_everybody_it_is_of() -> None:
    """As its row will, in which long names are cut."""
    caller = Caller(tenant="acme", key_id="k1", team="support")
    found = subjects(caller, "u" * 300, {"a": "1", "b": "2"})
    assert sorted(found) == sorted(
        [
            ("gateway", "", ""),
            ("tenant", "acme", "acme"),
            ("team", "acme", "support"),
            ("key", "acme", "k1"),
            ("user", "acme", "u" * 200),
            ("tag", "acme", "a=1"),
            ("tag", "acme", "b=2"),
        ]
    )
    assert subjects(Caller(tenant="acme"), None, {}) == [("gateway", "", ""), ("tenant", "acme", "acme")]


def test_a_row_counts_for_its_model_as_well() -> None:
    """Where one was asked."""
    row = exchange(1, tenant="acme")
    assert ("model", "acme", "demo/small") in charged(row)
    assert not any(scope == "model" for scope, *_ in charged(replace(row, model=None)))


def test_rows_that_count_alike_are_summed() -> None:
    """The same payer, model, tags and day; what costs nothing, or nobody knows how much, is left out."""
    one = replace(exchange(1, tenant="acme"), cost=5, tags={})
    others = [replace(one, tags={"a": "1"}), replace(one, created_at_us=one.created_at_us + DAY_US)]
    others += [replace(one, **{name: "other"}) for name in ("tenant", "key_id", "team", "user", "model")]
    free = [replace(one, cost=0), replace(one, cost=None)]
    assert alike([one, *others, *free, replace(one, cost=7)]) == [(one, 12), *[(other, 5) for other in others]]


def test_what_is_free_is_never_negative() -> None:
    """A limit that was lowered may be overspent."""
    assert Standing(limit=10, spent=3, leased=4).free == 3
    assert Standing(limit=10, spent=8, leased=4).free == 0


TIGHT = Budget(id="b", tenant="t", scope="team", subject="x", window="day", limit=10, degrade=(Step(90, "cheaper"),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"limit": 9, "name": "new"}, True),
        ({"limit": 11}, False),
        ({"is_hard": False}, False),
        ({"degrade": ()}, False),
        ({"degrade": (Step(90, "cheaper"), Step(95, "cache_only"))}, False),
    ],
)
def test_a_budget_is_within_another_that_lets_as_much_pass(changes: dict[str, object], expected: bool) -> None:
    """Other steps may let more pass somewhere, unless there were none."""
    assert replace(TIGHT, **changes).is_within(TIGHT) is expected
    assert TIGHT.is_within(replace(TIGHT, degrade=(), is_hard=False))
