"""farthing replay asks a running gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from tests.servers.application import Served
from tests.servers.command import Farthing

WORTH = {"mean": 0.9, "low": 0.88, "high": 0.92}
QUALITY = {
    "was": WORTH,
    "would": {**WORTH, "mean": 0.89},
    "difference": {"mean": -0.01, "low": -0.03, "high": 0.01},
    "effective_sample_size": 412.5,
    "rated": 1446,
    "is_sure": True,
}
FOUND: dict[str, Any] = {
    "sentence": "These 1,200 requests would have cost less.",
    "cost": {"actual_cost": 4.5, "cost": 1.5, "saved": 3.0, "exact_share": 0.25},
    "quality": QUALITY,
    "models": [{"model": "small", "actual_requests": 300, "requests": 1200, "actual_cost": 0.5, "cost": 1.5}],
    "patterns": [
        {"pattern": "code", "requests": 1000, "actual_cost": 4.0, "cost": 1.25, "quality": QUALITY},
        {"pattern": "factual", "requests": 200, "actual_cost": 0.5, "cost": 0.25, "quality": None},
    ],
    "warnings": ["3 requests are left out: the question was not kept."],
}
NOTHING = {**FOUND, "cost": None, "quality": None, "warnings": []}


class Gateway:
    """Its part."""

    def __init__(self) -> None:
        self.found = FOUND
        self.asked: list[tuple[str, str]] = []
        self.application = web.Application()
        self.application.router.add_get("/v1/replay", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += request.query.items()
        return web.json_response(self.found)


@pytest.fixture
def gateway() -> Gateway:
    """What it is asked is kept."""
    return Gateway()


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    """Where it answers."""
    with Served(gateway.application) as served:
        yield served.url


def test_a_sentence_comes_first_then_tables_then_doubts(farthing: Farthing, url: str) -> None:
    """A quality that is not known is said to be so."""
    assert farthing("replay", FARTHING_URL=url).out.splitlines() == [
        "These 1,200 requests would have cost less.",
        "        was  would be  saved  counted  estimated",
        "cost  $4.50     $1.50  $3.00      25%        75%",
        "model  requests  would be       cost  would cost",
        "small       300     1,200  $0.500000       $1.50",
        "pattern  requests       cost  would cost  quality  would be        difference",
        "code        1,000      $4.00       $1.25    0.900     0.890  -0.030 to +0.010",
        "factual       200  $0.500000   $0.250000  unknown   unknown           unknown",
        "1,446 rated answers, taken to be rated by chance within a pattern, worth 412.5 of equal weight",
        "note: 3 requests are left out: the question was not kept.",
    ]


def test_what_is_asked_is_handed_on(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """As JSON where that is wanted."""
    policy = ("--strategy", "learning", "--pool", "a,b", "--floor", "0.1", "--price", "a=1,2", "--price", "b=3,4")
    said = farthing("replay", *policy, "--from", "2026-11-01", "--limit", "5", "--json", FARTHING_URL=url)
    assert json.loads(said.out) == FOUND
    assert gateway.asked == [
        ("strategy", "learning"),
        ("pool", "a,b"),
        ("floor", "0.1"),
        ("from", "2026-11-01"),
        ("limit", "5"),
        ("price", "a=1,2"),
        ("price", "b=3,4"),
    ]


def test_nothing_to_decide_is_one_sentence(farthing: Farthing, gateway: Gateway, url: str) -> None:
    """And no table."""
    gateway.found = NOTHING
    assert farthing("replay", FARTHING_URL=url).out == "These 1,200 requests would have cost less.\n"
