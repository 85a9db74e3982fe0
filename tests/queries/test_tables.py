"""The tables of the queries' benchmark."""

from benchmarks.micro.figures import Figure
from benchmarks.queries.questions import Question, Took, ask
from benchmarks.queries.tables import Filled, figures, over, told
from farthing.domain.errors import Unavailable

GOALS = {"stats": 50.0, "asked again": 10.0, "a session": 50.0, "an experiment": None}


def filled(rows: int, *, stats_ms: float) -> Filled:
    """A database in which one question was given up."""
    took = {
        "stats": Took(1.0, stats_ms),
        "asked again": Took(0.5, 11.0),
        "a session": None,
        "an experiment": Took(4.0, 900.0),
    }
    return Filled(database="sqlite", rows=rows, sums=12_345, mib=1024.4, seconds=7.4, took=took, calibration_us=500.0)


def test_what_is_late_or_given_up_is_over_its_goal() -> None:
    """By the wall's time; what just keeps to it is not, nor is what has no goal."""
    assert over(GOALS, filled(10_000, stats_ms=50.0)) == ["asked again", "a session"]
    assert over(GOALS, filled(10_000, stats_ms=50.1)) == ["stats", "asked again", "a session"]


def test_the_tables_tell_every_database() -> None:
    """Both times of each question, what filling took, and what is over."""
    text = told(GOALS, [filled(10_000, stats_ms=2.25), filled(10_000_000, stats_ms=60.0)], {})
    lines = [line.split() for line in text.splitlines()]
    assert ["goal", "sqlite", "1e4", "sqlite", "1e7"] in lines
    assert ["stats", "50", "2.25", "60.00"] in lines
    assert ["stats", "1.00", "1.00"] in lines
    assert ["an", "experiment", "900.00", "900.00"] in lines
    assert ["a", "session", "50", "given", "up", "given", "up"] in lines
    assert ["sqlite", "1e7", "12,345", "1,024", "7"] in lines
    assert "over the goal in sqlite 1e7: stats, asked again, a session" in text


def test_what_became_dearer_shows_as_a_ratio() -> None:
    """Beside what the same took when it was stored, each by the pace of its own machine; what is new has none."""
    now = [filled(10_000, stats_ms=2.25), filled(10_000_000, stats_ms=60.0)]
    found = figures(now)
    assert found["sqlite 1e4: stats"] == Figure(min_us=1000.0, median_us=2250.0, calibration_us=500.0)
    assert "sqlite 1e4: a session" not in found
    stored = {
        "sqlite 1e4: stats": Figure(min_us=1000.0, median_us=1.0, calibration_us=1000.0),
        "sqlite 1e7: an experiment": Figure(min_us=4000.0, median_us=1.0, calibration_us=500.0),
    }
    compared = told(GOALS, now, stored).partition("over what was stored before")[2].splitlines()
    lines = [line.split() for line in compared]
    assert ["stats", "2.00"] in lines
    assert ["an", "experiment", "1.00"] in lines
    assert ["asked", "again"] in lines


async def test_a_question_that_the_database_gives_up_has_no_time() -> None:
    """It is told as such."""

    async def give_up() -> None:
        raise Unavailable("too long")

    assert await ask(Question("slow", give_up), None) is None
