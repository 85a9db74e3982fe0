"""farthing learning asks a running gateway, and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from farthing.cli import learning
from tests.servers.application import Served
from tests.servers.command import Farthing

FIGURES = {"labels": 412, "quality": 0.914, "held_out": 80, "error_before": 0.1871, "error_after": 0.17}
RUN: dict[str, Any] = {
    "id": "r1",
    "created_at": "2026-11-21T10:00:00.000Z",
    "outcome": "dry_run",
    "is_active": False,
    "is_kept": False,
    "labels": 1446,
    "error_before": 0.377,
    "error_after": None,
    "models": {"large": FIGURES},
    "reason": "The error is lower.",
}
ACTIVE = {**RUN, "id": "r2", "outcome": "kept", "is_active": True, "is_kept": True}
OLDER = {**ACTIVE, "id": "r0", "is_active": False}
NOTHING: dict[str, Any] = {
    "active": None,
    "unused": None,
    "prior": {"is_in_force": True, "weight": 0.15, "most": 0.5},
    "labels": {"total": 0, "models": {}},
    "is_enough": False,
    "training": None,
    "last": None,
    "snapshots": [],
    "judge": {"model": None, "agreement": None, "models": {}},
    "promises": [],
}
MUCH = {
    **NOTHING,
    "active": ACTIVE,
    "unused": "it reads embeddings",
    "prior": {"is_in_force": True, "weight": 0.15, "most": 0.5},
    "labels": {"total": 1446, "models": {"large": 412, "small": 1034}},
    "is_enough": True,
    "last": {**RUN, "reason": None, "outcome": "failed"},
    "snapshots": [ACTIVE, OLDER],
    "judge": {
        "model": "large",
        "agreement": {"answers": 120, "share": 0.8, "interval": [0.72, 0.86], "kappa": 0.55},
        "models": {
            "large": {"judged": 12, "rated": 3, "mean": 0.9, "corrected": None, "interval": None},
            "small": {"judged": 1500, "rated": 117, "mean": 0.7, "corrected": 0.61, "interval": [0.55, 0.67]},
        },
    },
    "promises": [
        {"rule": "support", "points": 0.02, "since": "2026-11-21T10:00:00.000Z", "reason": "It holds."},
        {"rule": "sales", "points": 0.1, "since": None, "reason": "The baseline answers."},
    ],
}
JUDGED = [
    "model  judged  rated  grade            corrected",
    "large      12      3   0.90              unknown",
    "small   1,500    117   0.70  0.61 (0.55 to 0.67)",
]
TABLE = [
    "model  ratings  quality  error before  error after",
    "large      412     0.91         0.187        0.170",
    "all      1,446                  0.377      unknown",
]


class Gateway:
    """Its part: a training that goes on for two looks and then ends so."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = NOTHING
        self.ends = RUN
        self.looks = 0
        self.asked: list[str] = []
        self.application = web.Application()
        self.application.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if request.path.endswith("/rollback"):
            return web.json_response(OLDER)
        running = {**RUN, "outcome": "running", "phase": "testing", "progress": 0.25, "models": {}}
        if request.path.endswith("/retrain"):
            self.looks = 2
            return web.json_response(running)
        if not self.looks:
            return web.json_response(self.status)
        self.looks -= 1
        told = {"training": running} if self.looks else {"last": self.ends}
        return web.json_response({**NOTHING, **told})


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Looked at without waiting."""
    monkeypatch.setattr(learning, "_LOOK_S", 0.0)
    return Gateway()


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    """Where it answers."""
    with Served(gateway.application) as served:
        yield served.url


def test_status_says_what_decides(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """And from what, and what can be gone back to; before anything is learned it says that."""
    said = farthing("learning", "status", FARTHING_URL=url)
    assert said.out.splitlines() == [
        "nothing learned yet: models are chosen by complexity, which the prior moves with weight 0.15",
        "rated answers: none (too few to learn from)",
    ]
    gateway.status = MUCH
    said = farthing("learning", "status", FARTHING_URL=url)
    assert said.out.splitlines() == [
        "in force since 2026-11-21T10:00:00.000Z: r2",
        "but not used: it reads embeddings",
        *TABLE,
        "rated answers: 412 of large, 1,034 of small",
        "kept: r0 of 2026-11-21T10:00:00.000Z",
        "last training, 2026-11-21T10:00:00.000Z: failed.",
        "judge large: agrees with people on 80% (72% to 86%) of 120 answers, kappa 0.55",
        *JUDGED,
        "promise of support, 0.02 points since 2026-11-21T10:00:00.000Z: It holds.",
        "promise of sales, 0.1 points: The baseline answers.",
    ]
    assert json.loads(farthing("learning", "status", "--json", FARTHING_URL=url).out) == MUCH


def test_status_says_what_the_judge_is_worth(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """As far as that can be told."""
    alike = MUCH["judge"]["agreement"]
    for agreement, line in (
        (None, "judge large: too few answers are rated by people to compare"),
        ({**alike, "kappa": None}, "judge large: agrees with people on 80% (72% to 86%) of 120 answers"),
    ):
        gateway.status = {**NOTHING, "judge": {"model": "large", "agreement": agreement, "models": {}}}
        assert farthing("learning", "status", FARTHING_URL=url).out.splitlines()[-1] == line


def test_a_training_is_followed_to_its_end(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """Nothing is changed unless it is asked for."""
    said = farthing("learning", "retrain", FARTHING_URL=url)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        *TABLE,
        "The error is lower. (nothing was changed; --apply takes it over where it is better)",
    ]
    assert gateway.asked[0] == "/admin/learning/retrain?dry_run=true&wait_s=0"
    said = farthing("learning", "retrain", "--apply", "--json", FARTHING_URL=url)
    assert json.loads(said.out) == RUN
    assert "/admin/learning/retrain?dry_run=false&wait_s=0" in gateway.asked


def test_who_watches_sees_how_far_it_is(
    farthing: Farthing, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a bar that goes away."""
    capsys.readouterr()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    said = farthing("learning", "retrain", FARTHING_URL=url)
    assert "learning from rated answers" in said.err
    assert " 25%" in said.err
    assert said.err.endswith("\x1b[2K")


def test_a_training_that_failed_says_so(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """By its status too; and so does one that nobody knows any more."""
    gateway.ends = {**RUN, "outcome": "failed", "reason": "It broke.", "models": {}}
    said = farthing("learning", "retrain", FARTHING_URL=url)
    assert (said.status, said.out) == (1, "It broke. (nothing was changed)\n")
    gateway.ends = ACTIVE
    said = farthing("learning", "retrain", FARTHING_URL=url)
    assert (said.status, said.out) == (1, "")
    assert "while others began" in said.err


def test_rollback_says_what_is_in_force(farthing: Farthing, url: str) -> None:
    """By name and moment."""
    said = farthing("learning", "rollback", FARTHING_URL=url)
    assert (said.status, said.out) == (0, "in force again: r0 of 2026-11-21T10:00:00.000Z\n")
    assert json.loads(farthing("learning", "rollback", "--json", FARTHING_URL=url).out) == OLDER
