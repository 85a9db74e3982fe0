"""What the page's benchmark makes of its visits."""

from __future__ import annotations

import pytest

from benchmarks.page.tables import Looked, over, told
from benchmarks.page.visits import Row, Seen, question, summed_up

QUICK = Seen(100.0, 200.0, 220.0, [("/v1/savings", 40.0), ("/health", 10.0)])
SLOW = Seen(120.0, 400.0, 420.0, [("/v1/savings", 80.0), ("/health", 310.0)])
REFUSED = Seen(600.0, None, None, [("/v1/requests user=nobody", None)])


def looked(**visits: list[Seen]) -> Looked:
    """A database at which the browser looked."""
    return Looked(database="sqlite", rows=10_000_000, seconds=143.4, visits=visits)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h:1/v1/usage?group_by=day&from=2026-11-01T00%3A00%3A00Z", "/v1/usage group_by=day"),
        ("http://h:1/v1/requests?limit=50&tag=feature%3Df1&cursor=x", "/v1/requests tag=feature=f1"),
        ("http://h:1/v1/requests/01a1fed5-fee0-7000-be79-adda5006dd4a", "/v1/requests/…"),
        ("http://h:1/experiments/01a1fed5-fee0-7000-be79-adda5006dd4a/results", "/experiments/…/results"),
    ],
)
def test_a_question_has_its_name_whatever_moments_and_ids_are_in_it(url: str, name: str) -> None:
    """So that answers to it can be put together."""
    assert question(url) == name


def test_visits_are_summed_up_by_their_medians() -> None:
    """With the answer that took longest; one that was refused took longer than all others."""
    assert summed_up([QUICK, SLOW, QUICK]) == Row(100.0, 200.0, 220.0, "/v1/savings", 40.0)
    assert summed_up([REFUSED]) == Row(600.0, None, None, "/v1/requests user=nobody", None)


def test_what_is_late_or_refused_is_over_its_goal() -> None:
    """Answers after 300 ms, and addresses that are painted after 500."""
    assert over(looked(overview=[QUICK])) == []
    assert over(looked(overview=[SLOW], nobody=[REFUSED])) == ["/health", "/v1/requests user=nobody", "nobody"]


def test_the_tables_tell_every_view_and_every_question() -> None:
    """And what is over its goal."""
    lines = [line.split() for line in told([looked(overview=[SLOW], nobody=[REFUSED])]).splitlines()]
    assert ["overview", "120", "400", "420", "/health", "310"] in lines
    assert ["nobody", "600", "-", "-", "/v1/requests", "user=nobody", "-"] in lines
    assert ["/v1/savings", "80"] in lines
    assert [
        "over",
        "the",
        "goal",
        "in",
        "sqlite",
        "1e7:",
        "/health,",
        "/v1/requests",
        "user=nobody,",
        "nobody",
    ] in lines
    assert ["Everything", "is", "within", "its", "goal."] in [
        line.split() for line in told([looked(overview=[QUICK])]).splitlines()
    ]
