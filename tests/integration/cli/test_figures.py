"""farthing spend, savings and why ask a running gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from tests.servers.application import Served
from tests.servers.command import Farthing

USAGE = {
    "rows": [
        {
            "group": "small",
            "requests": 1200,
            "tokens_in": 34567,
            "tokens_out": 890,
            "cost": 1.5,
            "baseline_cost": 4.25,
            "savings": 2.75,
        },
        {
            "group": None,
            "requests": 1,
            "tokens_in": 0,
            "tokens_out": 0,
            "cost": None,
            "baseline_cost": None,
            "savings": 0,
        },
    ],
    "total": {
        "requests": 1201,
        "tokens_in": 34567,
        "tokens_out": 890,
        "cost": 1.5,
        "baseline_cost": 4.25,
        "savings": 2.75,
    },
}
UNTOLD = {"forecast": None, "interval": None}
FORECAST = {
    "month": "2026-11",
    "spent": 1.5,
    "forecast": 2.25,
    "interval": [2.0, 3.5],
    "past": [{"month": "2026-10", "error_percent": 3.25}, {"month": "2026-09", "error_percent": -1.0}],
    "note": None,
    "budgets": [
        {"name": "Support", "scope": "team", "subject": "support", "limit": 10, "spent": 2.5, **UNTOLD},
        {"name": None, "scope": "gateway", "subject": None, "limit": 5, "spent": 1, "forecast": 2, "interval": [1, 3]},
    ],
}
SAVINGS = {
    "actual_cost": 1.5,
    "baseline_cost": 4.25,
    "saved": 2.75,
    "percent": 64.70588,
    "interval": [2.5, 3.0],
    "by_source": {"routing": 2.0, "answer_cache": 0.8, "overhead": -0.05},
    "measured": {"saved": 1.9, "percent": 60.04, "interval": [1.5, 2.25], "note": None},
}
REQUEST = {
    "request_id": "01a",
    "created_at": "2026-11-21T04:00:00Z",
    "status": "ok",
    "provider": "p",
    "model": "small",
    "strategy": "complexity",
    "confidence": "high",
    "reason": "Simple: 3 words.",
    "cost": 0.00012,
    "decision": {
        "candidates": [
            {"model": "large", "estimated_cost": 0.5, "reason": "costs 20 times as much"},
            {"model": "medium", "estimated_cost": None, "reason": "the next tier", "rank": 1},
            {"model": "small", "estimated_cost": 0.025, "reason": "cheapest of its tier", "rank": 0},
        ]
    },
}
EXPECTED = {
    "request_id": "01b",
    "cost": 0.00012,
    "decision": {
        "candidates": [
            {"model": "small", "estimated_cost": 0.025, "estimated_quality": 0.8125, "reason": "the best", "rank": 0},
            {
                "model": "mid",
                "estimated_quality": 0.75,
                "quality_interval": [0.6569, 0.8245],
                "reason": "dearer",
                "rank": 2,
            },
            {"model": "new", "estimated_cost": None, "estimated_quality": None, "reason": "not known", "rank": 1},
        ]
    },
}
CHECKED = {
    "request_id": "01c",
    "cost": 0.0000451234,
    "calls": [
        {
            "model": "small",
            "outcome": "unserved",
            "why": "the cheapest of the plan, to be checked",
            "error": None,
            "tokens_in": 1200,
            "tokens_out": 5,
            "cost": 0.000015001,
        },
        {
            "model": "large",
            "outcome": "failed",
            "why": "the answer before would not do",
            "error": "overloaded",
            "tokens_in": 0,
            "tokens_out": 0,
            "cost": None,
        },
    ],
}
KEY = "master-key-of-the-test"
AGE = {"prices": {"source": "genai-prices 0.2.3", "newest": "2026-11-01"}}


def refusal(status: int, message: str) -> web.Response:
    """An error as the gateway words it."""
    return web.json_response({"error": {"message": message}}, status=status)


async def answer(request: web.Request) -> web.StreamResponse:
    """The gateway's part; every answer repeats the query it got, so that tests see it."""
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return refusal(401, "No API key was sent.")
    found: dict[str, Any] = {
        "/v1/usage": {**USAGE, **AGE, "query": dict(request.query)},
        "/v1/forecast": FORECAST,
        "/v1/savings": {**SAVINGS, "query": dict(request.query)},
        "/v1/requests/01a": REQUEST,
        "/v1/requests/01b": EXPECTED,
        "/v1/requests/01c": CHECKED,
    }
    body = found.get(request.path)
    if body is None:
        return refusal(404, "There is no such request.")
    return web.json_response(body)


@pytest.fixture
def url() -> Iterator[str]:
    """Where a gateway with these figures answers."""
    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    with Served(application) as served:
        yield served.url


def test_spending_is_a_table_with_its_total(farthing: Farthing, url: str) -> None:
    """Thousands are grouped, what has no name is called none, and an unknown cost is not zero."""
    said = farthing("spend", FARTHING_URL=url, FARTHING_MASTER_KEY=KEY)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "model  requests  tokens in  tokens out     cost  baseline  saved",
        "small     1,200     34,567         890    $1.50     $4.25  $2.75",
        "none          1          0           0  unknown   unknown  $0.00",
        "total     1,201     34,567         890    $1.50     $4.25  $2.75",
        "",
        "2026-11  spent  at its end          between   limit",
        "all      $1.50       $2.25  $2.00 and $3.50",
        "Support  $2.50     unknown          unknown  $10.00",
        "gateway  $1.00       $2.00  $1.00 and $3.00   $5.00",
        "On this day of 2026-10 the forecast was 3.2 % too high.",
        "prices: genai-prices 0.2.3, the newest of 2026-11-01",
    ]
    told = json.loads(farthing("spend", "--json", FARTHING_URL=url, FARTHING_MASTER_KEY=KEY).out)
    assert told == {**USAGE, **AGE, "query": {"group_by": "model"}, "forecast": FORECAST}


def test_spending_can_be_cut_otherwise(farthing: Farthing, url: str) -> None:
    """Grouping and range reach the gateway, and JSON is its answer."""
    options = ["--by", "team", "--from", "2026-11-01", "--to", "2026-11-30", "--url", f"{url}/", "--json"]
    said = farthing("spend", *options, FARTHING_MASTER_KEY=KEY)
    query = {"from": "2026-11-01", "to": "2026-11-30", "group_by": "team"}
    assert json.loads(said.out) == {**USAGE, **AGE, "query": query}


def test_savings_show_their_sources(farthing: Farthing, url: str) -> None:
    """What was paid, what it would have been, the interval, and each source with its own cost taken off."""
    said = farthing("savings", "--url", url, FARTHING_MASTER_KEY=KEY)
    assert said.out.splitlines() == [
        "savings                                     USD",
        "at the baseline                           $4.25",
        "paid                                      $1.50",
        "saved                            $2.75 (64.7 %)",
        "between                         $2.50 and $3.00",
        "by routing                                $2.00",
        "by answer cache                       $0.800000",
        "by overhead                          -$0.050000",
        "measured by what was held back   $1.90 (60.0 %)",
        "between                         $1.50 and $2.25",
    ]
    assert json.loads(farthing("savings", "--json", "--url", url, FARTHING_MASTER_KEY=KEY).out)["saved"] == 2.75


NOTHING = {
    "/v1/usage": {"rows": [], "total": {}},
    "/v1/savings": {**SAVINGS, "actual_cost": 0.0, "baseline_cost": 0.0},
    "/v1/forecast": {},
    "/experiments": {"data": [], "next_cursor": None},
}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["spend"], "nothing was asked in this time, so nothing was spent\n"),
        (["savings"], "nothing was asked in this time, so nothing was spent or saved\n"),
        (["experiments", "list"], "no experiment yet: `farthing experiments plan` tells how many results one needs\n"),
    ],
)
def test_where_there_is_nothing_it_is_said(farthing: Farthing, command: list[str], told: str) -> None:
    """In place of an empty table."""

    async def none(request: web.Request) -> web.Response:
        return web.json_response(NOTHING[request.path])

    application = web.Application()
    application.router.add_get("/{path:.*}", none)
    with Served(application) as served:
        assert farthing(*command, "--url", served.url).out == told


def test_why_lists_candidates_in_their_order(farthing: Farthing, url: str) -> None:
    """The request, its reason, and every candidate from the one that was asked first to those that lost."""
    said = farthing("why", "01a", "--url", url, FARTHING_MASTER_KEY=KEY)
    assert said.out.splitlines() == [
        "request id    01a",
        "created at    2026-11-21T04:00:00Z",
        "status        ok",
        "model         small",
        "provider      p",
        "strategy      complexity",
        "confidence    high",
        "reason        Simple: 3 words.",
        "cost          $0.000120",
        "",
        "place  model   estimated cost  reason",
        "1      small        $0.025000  cheapest of its tier",
        "2      medium         unknown  the next tier",
        "lost   large        $0.500000  costs 20 times as much",
    ]
    assert json.loads(farthing("why", "01a", "--json", "--url", url, FARTHING_MASTER_KEY=KEY).out) == REQUEST


def test_why_lists_every_call(farthing: Farthing, url: str) -> None:
    """With its tokens, its cost to the nano-dollar, what came of it and why it was made."""
    said = farthing("why", "01c", "--url", url, FARTHING_MASTER_KEY=KEY)
    assert said.out.splitlines()[-3:] == [
        "asked  tokens in  tokens out          cost  came of it  why",
        "small      1,200           5  $0.000015001  unserved    the cheapest of the plan, to be checked",
        "large          0           0       unknown  overloaded  the answer before would not do",
    ]
    assert json.loads(farthing("why", "01c", "--json", "--url", url, FARTHING_MASTER_KEY=KEY).out) == CHECKED


def test_why_shows_what_is_expected_of_candidates(farthing: Farthing, url: str) -> None:
    """A column more, where anything is expected of any, with its interval where that was kept."""
    said = farthing("why", "01b", "--url", url, FARTHING_MASTER_KEY=KEY)
    assert said.out.splitlines()[-4:] == [
        "place  model  estimated cost     expected quality  reason",
        "1      small       $0.025000                 0.81  the best",
        "2      new           unknown              unknown  not known",
        "3      mid           unknown  0.75 (0.66 to 0.82)  dearer",
    ]


def test_what_the_gateway_refuses_is_told_in_its_words(farthing: Farthing, url: str) -> None:
    """An unknown request and a missing key are one line each, with what to do."""
    said = farthing("why", "../x?y", "--url", url, FARTHING_MASTER_KEY=KEY)
    assert (said.status, said.out, said.err) == (1, "", "farthing: There is no such request.\n")
    said = farthing("why", "01a", "--url", url)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"farthing: the gateway at {url} wants an admin key: set FARTHING_MASTER_KEY (No API key was sent.)\n"
    )


def test_another_programs_answer_is_not_taken_for_figures(farthing: Farthing) -> None:
    """Something else on the port is named for what it is."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>", status=502)

    application = web.Application()
    application.router.add_get("/{path:.*}", page)
    with Served(application) as served:
        said = farthing("spend", "--url", served.url)
    assert said.err == f"farthing: what answers at {served.url} is no Farthing gateway (HTTP 502)\n"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "http://127.0.0.1:9",
            (
                "no gateway answers at http://127.0.0.1:9 (Connection refused): "
                "start one with `farthing serve`, or name it with --url"
            ),
        ),
        ("gateway", '"gateway" is no address of a gateway: expected http://host:port'),
        ("ftp://x", '"ftp://x" is no address of a gateway: expected http://host:port'),
    ],
)
def test_an_address_where_nobody_answers_is_one_line(farthing: Farthing, address: str, message: str) -> None:
    """What was tried, why it failed, and what to do."""
    said = farthing("savings", "--url", address)
    assert (said.status, said.out, said.err) == (1, "", f"farthing: {message}\n")
