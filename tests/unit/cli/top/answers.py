"""A gateway's answers, as `farthing top` asks for them."""

from __future__ import annotations

from typing import Any

from farthing.cli.top.feed import Line, Questions, Watch
from farthing.cli.top.figures import Figures, figures_of

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202eevil\n"


def usage(group: str, requests: int, cost: float | None, saved: float | None, **more: Any) -> dict[str, Any]:
    """A row of the usage."""
    figures = {"requests": requests, "errors": 0, "cache_hits": 0, "cost": cost, "savings": saved}
    return {"group": group, **figures, "avg_latency_ms": 310.0, **more}


def request(second: int, **more: Any) -> dict[str, Any]:
    """A row of the ledger, so many seconds after noon."""
    row = {
        "request_id": f"01-{second}",
        "created_at": f"2026-11-21T12:00:{second:02}.000Z",
        "status": "ok",
        "requested_model": "auto",
        "model": "small",
        "cost": 0.0019,
        "savings": 0.0147,
        "latency_ms": 302.0,
        "upstream_ms": 300.0,
        "strategy": "hybrid",
    }
    return row | more


def trial(name: str, **more: Any) -> dict[str, Any]:
    """An experiment."""
    found = {
        "id": "01e",
        "name": name,
        "arms": [{"strategy": "large"}, {"strategy": "hybrid"}],
        "results": 42,
        "late": 2,
        "sample_size": 3140,
        "status": "running",
        "verdict": None,
        "doubt": None,
    }
    return found | more


HOURS = [
    usage("2026-11-20T23:00:00.000Z", 10, 4.0, 1.0, errors=1),
    usage("2026-11-21T11:00:00.000Z", 150, 2.0, 3.0, cache_hits=40, errors=1),
    usage("2026-11-21T12:00:00.000Z", 50, 0.5, 0.5, cache_hits=10),
]
TEAMS: dict[str, Any] = {
    "rows": [
        usage("support", 60, 3.0, 9.0),
        usage("search", 4, 1.0, None),
        usage("", 1, 0.0, 0.0) | {"group": None},
    ],
    "total": {"cost": 4.0},
}
"""Of which one row belongs to no team."""


def answers(**more: Any) -> dict[str, Any]:
    """All answers of a gateway that has something to do; keywords replace some."""
    known = {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}
    return {
        "metrics": {"generated_at": "2026-11-21T12:00:30.000Z", "age_seconds": 0.2, "demo": False},
        "savings": {"actual_cost": 6823.0, "saved": 4182.0, "percent": 38.0},
        "hours": {"rows": HOURS},
        "teams": TEAMS,
        "forecast": {"forecast": 10080.0, "interval": [9770.0, 10390.0]},
        "models": {
            "rows": [usage("small", 60, 1.0, 3.0), usage("gone", 4, 3.0, None, errors=1), usage("new", 1, None, None)]
        },
        "providers": {
            "models": {
                "idle": known | {"health": "open"},
                "small": known | {"health": "closed"},
                "new": {"input_usd_per_mtok": None, "output_usd_per_mtok": None, "health": "half-open"},
            }
        },
        "experiments": {"data": [trial("support"), trial("won", verdict={"winner": "test", "code": "winner"})]},
        "requests": {
            "data": [request(29), request(15, status="cached", cost=0.0, upstream_ms=301.5), request(0, status="error")]
        },
        "budgets": {
            "data": [
                {
                    "name": None,
                    "subject": None,
                    "tenant": None,
                    "scope": "gateway",
                    "window": "month",
                    "spent": 6823.0,
                    "limit": 10500.0,
                },
                {
                    "name": "tiny",
                    "subject": None,
                    "tenant": None,
                    "scope": "gateway",
                    "window": "day",
                    "spent": 0.0,
                    "limit": 0.0,
                },
            ]
        },
    } | more


def nothing() -> dict[str, Any]:
    """All answers of a gateway that nobody has asked anything."""
    none: dict[str, Any] = {"rows": []}
    return answers(
        savings={"actual_cost": 0.0, "saved": 0.0, "percent": 0.0},
        hours=none,
        teams=none | {"total": {"cost": 0.0}},
        forecast={"forecast": None, "interval": None},
        models=none,
        providers={"models": {}},
        experiments={"data": []},
        requests={"data": []},
        budgets={"data": []},
    )


class Told(Questions):
    """Answers with what the test says, in turn; an error is raised."""

    def __init__(self, *replies: dict[str, Any] | Exception) -> None:
        self._replies = list(replies)

    def figures(self) -> Figures:
        """The next ones; the last stay."""
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return figures_of(reply)


class Pipe:
    """A socket that tells what the test says: messages, and errors in their place."""

    def __init__(self, *replies: str | Exception) -> None:
        self._replies = list(replies)
        self.is_closed = False

    def recv(self, timeout: float | None = None) -> str:
        """The next one; afterwards there is none in time."""
        reply = self._replies.pop(0) if self._replies else TimeoutError(timeout)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        """Notes it."""
        self.is_closed = True


class Seconds:
    """A time that goes on only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds so far."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Goes on."""
        self.now += seconds


def watching(*replies: dict[str, Any] | Exception, socket: Pipe | None = None) -> Watch:
    """A watch over these answers, with a socket that is open, or whose attempts all fail."""
    seconds = Seconds()

    def connect() -> Pipe:
        if socket is None:
            raise ConnectionRefusedError
        return socket

    return Watch(Told(*replies), Line(connect, now=seconds, sleep=seconds.sleep), now=seconds)
