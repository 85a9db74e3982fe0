"""farthing experiments asks a running gateway, and says what a product manager wants to know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from farthing.cli.experiments import bar
from tests.servers.application import Served
from tests.servers.command import Farthing

VERDICT: dict[str, Any] = {
    "code": "winner",
    "winner": "test",
    "reason": "Arm test costs 50.0% less.",
    "caveats": ["Not measured for test: quality."],
    "is_final": True,
    "rule": "planned",
}
TRIAL: dict[str, Any] = {
    "id": "e1",
    "name": "Small for support",
    "description": "",
    "hypothesis": "It does as well.",
    "arms": [
        {"name": "control", "strategy": "large", "share": 0.5},
        {"name": "test", "strategy": "hybrid", "share": 0.5},
    ],
    "sample_size": 1000,
    "status": "completed",
    "created_at": "2026-11-21T04:00:00Z",
    "completed_at": "2026-11-22T04:00:00Z",
    "early_stop": True,
    "planned_effect": 0.1,
    "min_effect": 0.02,
    "traffic": 0.5,
    "scope": {"where": "tag", "value": "team=support"},
    "results": 1003,
    "late": 3,
    "verdict": VERDICT,
    "doubt": None,
    "policy": "strict",
    "alpha": 0.01,
    "margins": {"quality": 0.2, "errors": 0.01, "latency": 0.25},
    "namespace": {"name": "chat", "start": 0.0, "end": 0.5},
    "salt": "s1",
    "promote": True,
    "promoted": "test",
    "rolled_back_at": None,
    "rolled_back_for": None,
    "aftermath": {"test": {"requests": 9800, "errors": 98}, "control": {"requests": 200, "errors": 2}},
}
BACK = {**TRIAL, "id": "e3", "promoted": None, "rolled_back_at": "2026-11-23T04:00:00Z", "rolled_back_for": "it fails"}
RUNNING = {**TRIAL, "status": "running", "results": 7, "late": 0, "verdict": None, "completed_at": None, "scope": None}
RUNNING |= {"early_stop": False, "min_effect": 0, "id": "e2", "promoted": None}
RUNNING |= {"policy": "default", "namespace": None, "salt": "e2"}
DOUBTED = {**RUNNING, "id": "e5", "doubt": {"code": "invalid", "winner": None, "reason": "Too many users in test."}}
COST: dict[str, Any] = {"role": "primary", "arm": "test", "against": "control", "diff": -0.0001, "rel": -0.5}
RESULTS: dict[str, Any] = {
    "status": "completed",
    "verdict": VERDICT,
    "metrics": {
        "experiment": {"n": 1000, "planned_n": 1000, "late": 3},
        "arms": {
            "control": {
                "strategy": "large",
                "results": 500,
                "users": 50,
                "avg_cost": 0.0000155,
                "avg_latency": 1500.4,
                "p95_latency": 2500.0,
                "avg_quality": 4.256,
                "error_rate": 0.0125,
            },
            "test": {
                "strategy": "hybrid",
                "results": 0,
                "users": 0,
                "avg_cost": None,
                "avg_latency": None,
                "p95_latency": None,
                "avg_quality": None,
                "error_rate": None,
            },
        },
        "comparisons": [
            {**COST, "ci": [-0.00015, -0.00005], "ci_anytime": [-0.0002, 0.0]},
            {"role": "guardrail", "name": "latency"},
        ],
    },
}
COLLECTING: dict[str, Any] = {
    "status": "running",
    "verdict": {
        "code": "collecting",
        "reason": "7 of 1,000 are in.",
        "caveats": [],
        "is_final": False,
        "rule": "planned",
    },
    "metrics": {
        **RESULTS["metrics"],
        "experiment": {"n": 7, "planned_n": 1000, "late": 0},
        "comparisons": [
            {**COST, "rel": None, "ci": None, "ci_anytime": [-0.0002, 0.0002]},
            {**COST, "ci_anytime": None},
        ],
    },
}
PLAN: dict[str, Any] = {
    "sample_size": 3140,
    "days_needed": 2.51,
    "based_on": {"users": 2210, "requests": 37500, "requests_a_day": 1250.0, "avg_cost": 0.000412, "sd_cost": 0.000823},
}
NO_PLAN = {"sample_size": None, "days_needed": None, "based_on": {"requests": 50, "users": 1}}


async def answer(request: web.Request) -> web.StreamResponse:
    """The gateway's part; what it was asked with comes back."""
    if request.path == "/experiments/plan":
        plan = NO_PLAN if request.query.get("model") == "unused" else PLAN
        return web.json_response({**plan, "query": dict(request.query)})
    if request.path == "/experiments/e%2F1/stop" or request.path_qs.endswith("/e%2F1/stop"):
        return web.json_response({**TRIAL, "id": "e/1", "status": "cancelled"})
    if request.path == "/experiments/e3/stop":
        return web.json_response(BACK)
    if request.method == "PATCH":
        body = await request.json()
        return web.json_response({**RUNNING, **body, "sent": body})
    if request.method == "POST":
        body = await request.json()
        if body["sample_size"] < 2:
            return web.json_response({"error": {"message": "`sample_size` is wrong."}}, status=400)
        return web.json_response({**TRIAL, "sent": body}, status=201)
    found: dict[str, Any] = {
        "/experiments": {"data": [TRIAL, RUNNING, DOUBTED], "next_cursor": None},
        "/experiments/e1": TRIAL,
        "/experiments/e2": RUNNING,
        "/experiments/e3": BACK,
        "/experiments/e4": {**RUNNING, "promote": False},
        "/experiments/e5": DOUBTED,
        "/experiments/e1/results": RESULTS,
        "/experiments/e2/results": COLLECTING,
    }
    return web.json_response(found[request.path])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where a gateway with these experiments answers."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    with Served(application) as served:
        yield served.url


def test_a_plan_is_told_in_sentences(farthing: Farthing, url: str) -> None:
    """How many, how long, and what that rests on; what cannot be planned says what to do."""
    said = farthing("experiments", "plan", "--effect", "0.1", FARTHING_URL=url)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "3,140 results find a difference of 10.0% in 80% of cases.",
        "At 1,250 requests a day that takes about 3 days.",
        "A request costs $0.000412 on average and varies by $0.000823, in 37,500 requests of 2,210 users.",
    ]
    said = farthing("experiments", "plan", "--arms", "3", FARTHING_URL=url)
    assert said.out.splitlines()[0] == "3,140 results over 3 arms find a difference of 10.0% in 80% of cases."
    said = farthing("experiments", "plan", "--model", "unused", FARTHING_URL=url)
    assert (said.status, said.out) == (1, "")
    assert "has 50 requests of 1 users in 30 days: too few or too alike to plan from" in said.err


def test_what_is_planned_for_reaches_the_gateway(farthing: Farthing, url: str) -> None:
    """Every option, in its words."""
    options = ["--effect", "0.25", "--power", "0.9", "--share", "0.2", "--alpha", "0.01", "--traffic", "0.5"]
    more = ["--early-stop", "--days", "7", "--model", "large", "--strategy", "hybrid", "--route", "/complete", "--json"]
    said = farthing("experiments", "plan", *options, *more, "--arms", "4", FARTHING_URL=url)
    assert json.loads(said.out)["query"] == {
        "effect": "0.25",
        "power": "0.9",
        "arms": "4",
        "share": "0.2",
        "alpha": "0.01",
        "traffic": "0.5",
        "early_stop": "true",
        "days": "7",
        "model": "large",
        "strategy": "hybrid",
        "route": "/complete",
    }


@pytest.mark.parametrize("command", ["start", "create"])
def test_an_experiment_is_started(farthing: Farthing, url: str, command: str) -> None:
    """Its id is all that is printed; what was not said is not sent."""
    options = ["Small", "--size", "1000", "--control", "large", "--test", "hybrid"]
    said = farthing("experiments", command, *options, FARTHING_URL=url)
    assert (said.status, said.out) == (0, "e1\n")
    said = farthing("experiments", command, *options, "--json", FARTHING_URL=url)
    plain = {"name": "Small", "sample_size": 1000, "control_strategy": "large", "test_strategy": "hybrid"}
    assert json.loads(said.out)["sent"] == plain


def test_all_that_is_fixed_at_the_start_can_be_said(farthing: Farthing, url: str) -> None:
    """Arms with and without a share, also of a model with an @ in its name."""
    arms = ["--arm", "today=large", "--arm", "a=hybrid@0.25", "--arm", "b=models/x@home", "--arm", "c=y@z@.5"]
    rules = ["--early-stop", "--effect", "0.2", "--min-effect", "0.02", "--strict", "--traffic", "0.5"]
    texts = ["--hypothesis", "h", "--description", "d", "--scope", "tag:team=support", "--promote"]
    margins = ["--alpha", "0.01", "--margin", "quality=.5", "--margin", "errors=0.02", "--salt", "s"]
    place = ["--namespace", "team:chat:0-0.5"]
    more = [*arms, *rules, *texts, *margins, *place]
    said = farthing("experiments", "start", "x", "--size", "99", *more, "--json", FARTHING_URL=url)
    assert json.loads(said.out)["sent"] == {
        "name": "x",
        "sample_size": 99,
        "arms": [
            {"name": "today", "strategy": "large"},
            {"name": "a", "strategy": "hybrid", "share": 0.25},
            {"name": "b", "strategy": "models/x@home"},
            {"name": "c", "strategy": "y@z", "share": 0.5},
        ],
        "hypothesis": "h",
        "description": "d",
        "early_stop": True,
        "planned_effect": 0.2,
        "min_effect": 0.02,
        "policy": "strict",
        "traffic": 0.5,
        "alpha": 0.01,
        "margins": {"quality": 0.5, "errors": 0.02},
        "namespace": {"name": "team:chat", "start": 0.0, "end": 0.5},
        "salt": "s",
        "scope": {"where": "tag", "value": "team=support"},
        "promote": True,
    }
    plain = ["Small", "--size", "10", "--namespace", "chat", "--json"]
    said = farthing("experiments", "start", *plain, FARTHING_URL=url)
    assert json.loads(said.out)["sent"]["namespace"] == {"name": "chat"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arm", "hybrid"], '"hybrid" is no arm'),
        (["--arm", "=hybrid"], '"=hybrid" is no arm'),
        (["--scope", "moon:x"], '"moon:x" is no scope'),
        (["--scope", "key:"], '"key:" is no scope'),
        (["--margin", "cost=0.1"], '"cost=0.1" is no margin'),
        (["--margin", "errors"], '"errors" is no margin'),
        (["--namespace", "chat:half"], '"chat:half" is no namespace'),
        (["--size", "1"], "`sample_size` is wrong."),
    ],
)
def test_what_cannot_be_started_is_one_line(farthing: Farthing, url: str, options: list[str], message: str) -> None:
    """Refused here or by the gateway, in its own words."""
    said = farthing("experiments", "start", "x", "--size", "10", *options, FARTHING_URL=url)
    assert (said.status, said.out) == (1, "")
    assert message in said.err


def test_experiments_are_a_table(farthing: Farthing, url: str) -> None:
    """With how far they have come, and what of them came."""
    assert farthing("experiments", "list", FARTHING_URL=url).out.splitlines() == [
        "id  name               arms                   results  status     verdict",
        "e1  Small for support  large / hybrid  1,000 of 1,000  completed  test",
        "e2  Small for support  large / hybrid      7 of 1,000  running",
        "e5  Small for support  large / hybrid      7 of 1,000  running    invalid",
    ]
    assert json.loads(farthing("experiments", "list", "--json", FARTHING_URL=url).out)["experiments"][0] == TRIAL


def test_an_experiment_is_shown_as_it_was_set_up(farthing: Farthing, url: str) -> None:
    """What was not said is left out."""
    assert farthing("experiments", "show", "e1", FARTHING_URL=url).out.splitlines() == [
        "id            e1",
        "name          Small for support",
        "hypothesis    It does as well.",
        "status        completed",
        "results       1,000 of 1,000",
        "early stop    from half the size on",
        "planned for   a difference of 10.0%",
        "acts from     a difference of 2.0%",
        "alpha         0.01",
        "margins       quality 0.2, errors 0.01, latency 0.25",
        "policy        strict: no winner while a guardrail is unclear",
        "traffic       50% of users",
        "namespace     chat:0-0.5",
        "salt          s1",
        "who           tag team=support",
        "created       2026-11-21T04:00:00Z",
        "completed     2026-11-22T04:00:00Z",
        "verdict       Arm test costs 50.0% less.",
        "promotes      test, but for 2% of users; test failed 98 of 9,800; control failed 2 of 200",
        "",
        "arm      strategy  share",
        "control  large     50.0%",
        "test     hybrid    50.0%",
    ]
    shown = farthing("experiments", "show", "e2", FARTHING_URL=url).out
    assert "who           requests that name it\n" in shown
    assert "promotes      the winner, if there is one\n" in shown
    assert not any(word in shown for word in ("completed", "verdict", "acts from", "description", "policy", "salt"))
    assert "verdict       Too many users in test.\n" in farthing("experiments", "show", "e5", FARTHING_URL=url).out
    assert json.loads(farthing("experiments", "show", "e1", "--json", FARTHING_URL=url).out) == TRIAL


def test_what_became_of_a_promotion_is_shown(farthing: Farthing, url: str) -> None:
    """Since when it is over and why; nothing where none was asked for."""
    shown = farthing("experiments", "show", "e3", FARTHING_URL=url).out
    assert "promotes      no more since 2026-11-23T04:00:00Z: it fails\n" in shown
    assert "promotes" not in farthing("experiments", "show", "e4", FARTHING_URL=url).out
    said = farthing("experiments", "stop", "e3", FARTHING_URL=url).out
    assert said == "experiment e3 is completed, and its winner is not the default any more\n"


def test_an_experiment_is_stopped(farthing: Farthing, url: str) -> None:
    """Whatever its id is made of."""
    assert farthing("experiments", "stop", "e/1", FARTHING_URL=url).out == "experiment e/1 is cancelled\n"
    assert json.loads(farthing("experiments", "stop", "e/1", "--json", FARTHING_URL=url).out)["status"] == "cancelled"


def test_more_users_are_let_in(farthing: Farthing, url: str) -> None:
    """The share is sent, and told as the gateway has it."""
    assert (
        farthing("experiments", "ramp", "e2", "0.25", FARTHING_URL=url).out
        == "25% of users take part in experiment e2\n"
    )
    said = farthing("experiments", "ramp", "e2", "0.25", "--json", FARTHING_URL=url)
    assert json.loads(said.out)["sent"] == {"traffic": 0.25}


def test_a_phase_is_begun_by_other_shares(farthing: Farthing, url: str) -> None:
    """With traffic or without; what is no share, and nothing at all, is refused here."""
    said = farthing("experiments", "ramp", "e2", "--shares", "0.8,.2", "--json", FARTHING_URL=url)
    assert json.loads(said.out)["sent"] == {"shares": [0.8, 0.2]}
    said = farthing("experiments", "ramp", "e2", "0.25", "--shares", "0.8,0.2", FARTHING_URL=url)
    assert said.out == "25% of users take part in experiment e2, 50.0% of them in control, 50.0% of them in test\n"
    for options in ([], ["--shares", "80%,20%"], ["--shares", "0.8,"]):
        said = farthing("experiments", "ramp", "e2", *options, FARTHING_URL=url)
        assert (said.status, said.out) == (1, "")
        assert "the arms" in said.err or "each arm" in said.err


def test_results_begin_with_the_verdict(farthing: Farthing, url: str) -> None:
    """In a sentence, with what speaks against it, then the figures and an interval."""
    assert farthing("experiments", "results", "e1", FARTHING_URL=url).out.splitlines() == [
        "winner: Arm test costs 50.0% less.",
        "  but: Not measured for test: quality.",
        "1,000 of 1,000 results, 3 late; completed",
        "",
        "arm      strategy  results  users        cost   latency       p95  quality  errors",
        "control  large         500     50  $0.0000155  1,500 ms  2,500 ms     4.26    1.2%",
        "test     hybrid          0      0",
        "",
        "test against control: -$0.000100 (-50.0%) a request",
        "  =============o==============------------|  from -$0.000150 to -$0.0000500, at the end",
    ]
    assert json.loads(farthing("experiments", "results", "e1", "--json", FARTHING_URL=url).out) == RESULTS


def test_results_so_far_have_the_interval_that_may_be_looked_at(farthing: Farthing, url: str) -> None:
    """An arm that nothing is known of has none."""
    lines = farthing("experiments", "results", "e2", FARTHING_URL=url).out.splitlines()
    assert lines[:2] == ["collecting: 7 of 1,000 are in.", "7 of 1,000 results; running"]
    assert lines[-2:] == [
        "test against control: -$0.000100 a request",
        "  ==========o=========|====================  from -$0.000200 to $0.000200, so far",
    ]


@pytest.mark.parametrize(
    ("low", "middle", "high", "drawn"),
    [
        (0.0, 0.0, 0.0, "-" * 20 + "|" + "-" * 20),
        (1.0, 1.0, 1.0, "|" + "-" * 39 + "o"),
        (-1.0, 0.0, 1.0, "=" * 20 + "o" + "=" * 20),
        (1.0, 2.0, 4.0, "|" + "-" * 9 + "=" * 10 + "o" + "=" * 20),
    ],
)
def test_an_interval_is_drawn_beside_nothing(low: float, middle: float, high: float, drawn: str) -> None:
    """As wide as it is beside its distance from no difference."""
    assert bar(low, middle, high) == drawn
