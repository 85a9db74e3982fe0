"""When `farthing top` asks anew: told by a socket that comes back, and never too often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from websockets.exceptions import ConnectionClosedError

from farthing.cli.client import Denied, Gateway
from farthing.cli.terminal import CommandError
from farthing.cli.top.feed import Line, Questions, Watch
from tests.unit.cli.top.answers import Pipe, Seconds, Told, answers, nothing


def test_a_line_tells_of_messages() -> None:
    """Whatever they say; silence is no news."""
    line = Line(lambda: Pipe("{}"))
    assert (line.is_open, line.heard(0.1), line.is_open) == (False, True, True)
    assert line.heard(0.1) is False


def test_a_line_that_breaks_comes_back() -> None:
    """The break is news, for nothing is told from then on; the next attempt comes half a second later."""
    seconds, pipes = Seconds(), [Pipe(ConnectionClosedError(None, None)), Pipe("{}")]
    line = Line(lambda: pipes.pop(0), now=seconds, sleep=seconds.sleep)
    assert (line.heard(0.25), line.is_open) == (True, False)
    assert [line.heard(0.25) for _ in range(3)] == [False, False, True]
    assert line.is_open


def test_failed_attempts_come_less_and_less_often() -> None:
    """Each counts as news, so that what cannot be told is asked; five seconds lie between them at most."""
    seconds, tried = Seconds(), []

    def refuse() -> Pipe:
        tried.append(seconds.now)
        raise TimeoutError

    line = Line(refuse, now=seconds, sleep=seconds.sleep)
    news = [line.heard(0.5) for _ in range(40)]
    assert tried == [0.0, 0.5, 1.5, 3.5, 7.5, 12.5]
    assert sum(news) == len(tried)


def test_a_line_is_closed_with_its_socket() -> None:
    """And one that was never opened needs no closing."""
    pipe = Pipe("{}")
    line = Line(lambda: pipe)
    line.close()
    assert not pipe.is_closed
    line.heard(0.1)
    line.close()
    assert pipe.is_closed


def test_many_messages_are_one_look() -> None:
    """At most one in two seconds, however much is told meanwhile, and none where nothing was."""
    seconds = Seconds()
    line = Line(lambda: Pipe(*["{}"] * 5), now=seconds, sleep=seconds.sleep)
    watch = Watch(Told(nothing(), answers()), line, now=seconds)
    assert [watch.turn(0.1) for _ in range(4)] == [False] * 4
    assert watch.figures.requests == []
    seconds.now = 2.0
    assert watch.turn(0.1)
    assert len(watch.figures.requests) == 3
    seconds.now = 4.0
    assert watch.turn(0.1) is False


class Answering(Gateway):
    """Answers each question as it would be, and counts them by path."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> dict[str, Any]:
        """The answer; nobody may see budgets."""
        self.asked[path] += 1
        if path == "/admin/budgets":
            raise Denied("not for you")
        names = {"hour": "hours", "model": "models", "team": "teams"}
        last = path.rpartition("/")[2]
        name = names[str((query or {})["group_by"])] if last == "usage" else last
        found: dict[str, Any] = answers()[name]
        return found


def test_what_changes_seldom_is_asked_seldom() -> None:
    """The forecast once a minute, budgets never again once they are denied, all else each time."""
    seconds, gateway = Seconds(), Answering()
    questions = Questions(gateway, now=seconds)
    for seconds.now in (0.0, 30.0):
        questions.figures()
    seconds.now = 60.0
    figures = questions.figures()
    assert figures.forecast is not None
    assert figures.budget is None
    assert (gateway.asked["/v1/forecast"], gateway.asked["/admin/budgets"], gateway.asked["/v1/savings"]) == (2, 1, 3)
    assert [team.name for team in figures.teams] == ["support", "search"]


def test_what_was_known_last_stays_while_nobody_answers() -> None:
    """With the reason, until there is an answer again."""
    seconds = Seconds()
    line = Line(lambda: Pipe("{}", "{}", "{}"), now=seconds, sleep=seconds.sleep)
    watch = Watch(Told(answers(), CommandError("nobody there"), answers()), line, now=seconds)
    for trouble in ("nobody there", None):
        seconds.now += 2.0
        assert watch.turn(0.1)
        assert (len(watch.figures.requests), watch.trouble) == (3, trouble)
