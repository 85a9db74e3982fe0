"""What `farthing top` makes of a gateway's answers."""

from __future__ import annotations

import pytest

from farthing.cli.top.figures import Budget, Day, Forecast, Month, figures_of
from farthing.cli.top.sections import month
from tests.unit.cli.top.answers import answers, nothing, request, trial


def test_today_begins_at_midnight() -> None:
    """Yesterday's last hour is among the last 24, and not of today."""
    figures = figures_of(answers())
    assert figures.today == Day(requests=200, spent=2.5, saved=3.5, hit_rate=0.25, error_rate=0.005)
    assert figures.hours == [0.0] * 10 + [4.0] + [0.0] * 11 + [2.0, 0.5]
    assert figures.month == Month(paid=6823.0, saved=4182.0, percent=38.0)


def test_models_that_cost_most_come_first() -> None:
    """Then those that were not asked; one that the configuration no longer names has no known state."""
    models = figures_of(answers()).models
    assert [(model.name, model.requests, model.share, model.health) for model in models] == [
        ("gone", 4, 0.75, "unknown"),
        ("small", 60, 0.25, "healthy"),
        ("new", 1, 0.0, "trying"),
        ("idle", 0, 0.0, "away"),
    ]
    assert (models[0].error_rate, models[0].saved, models[2].cost) == (0.25, None, None)


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [([], 0.0), ([30], 1.0), ([20, 10], 0.1), ([29, 28, 27, 0], 4 / 30)],
)
def test_the_rate_is_of_what_is_known(seconds: list[int], rate: float) -> None:
    """Where the rows do not reach back a minute, it is over the time that they cover, of a second at least."""
    rows = [request(second) for second in seconds]
    assert figures_of(answers(requests={"data": rows})).requests_per_s == pytest.approx(rate)


def test_the_rate_of_a_minute_forgets_what_is_older() -> None:
    """Two of the last minute, whatever was before it."""
    rows = [request(29), request(1), request(0, created_at="2026-11-21T11:00:00.000Z")]
    assert figures_of(answers(requests={"data": rows})).requests_per_s == 2 / 60


def test_what_is_added_is_counted_where_an_answer_came() -> None:
    """Neither a failure nor a row without times is looked at."""
    rows = [request(29), request(2, status="error", upstream_ms=0.0), request(1, upstream_ms=None)]
    assert figures_of(answers(requests={"data": rows})).added_ms == 2.0
    assert figures_of(answers(requests={"data": rows[1:]})).added_ms is None


def test_the_budget_shown_is_the_one_nearest_to_its_end() -> None:
    """One without a limit over zero has no share that could be shown."""
    assert figures_of(answers()).budget == Budget(name="gateway", window="month", spent=6823.0, limit=10500.0)
    assert figures_of(nothing()).budget is None


def test_a_forecast_may_have_no_interval() -> None:
    """Nor need there be one at all."""
    assert figures_of(answers()).forecast == Forecast(expected=10080.0, interval=(9770.0, 10390.0))
    bare = figures_of(answers(forecast={"forecast": 5.0, "interval": None}))
    assert month(bare)[1] == ("Forecast", "$5.00 at the end of the month")
    assert figures_of(nothing()).forecast is None


def test_teams_have_their_share_of_all_that_was_spent() -> None:
    """What belongs to no team is not shown, and counts in the whole."""
    assert [(team.name, team.requests, team.share) for team in figures_of(answers()).teams] == [
        ("support", 60, 0.75),
        ("search", 4, 0.25),
    ]


def test_a_doubt_stands_where_a_verdict_would() -> None:
    """A winner by its name, all else by its code; late results do not count."""
    doubted = trial("odd", doubt={"winner": None, "code": "sample_ratio_mismatch"})
    found = figures_of(answers(experiments={"data": [trial("new"), doubted]})).experiments
    assert [one.verdict for one in found] == [None, "sample ratio mismatch"]
    assert (found[0].results, found[0].arms) == (40, ["large", "hybrid"])
