"""Experiments over HTTP: begun, changed, ended, fed and read, by whom they belong to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers.asgi import Answer, Client
from tests.unit.http.conftest import SECRETS

TRIAL = {"name": "Trial", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 100}
RESULT = {"user_id": "u", "assigned_strategy": "control", "provider": "p", "model": "m", "cost": 0.1, "latency_ms": 1}

NO_EXPERIMENTS: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "a\x00b"),
    ("name", "x" * 201),
    ("sample_size", 0),
    ("sample_size", -2),
    ("sample_size", 101),
    ("sample_size", 1.5),
    ("sample_size", True),
    ("sample_size", "100"),
    ("sample_size", None),
    ("sample_size", 10**12),
    ("sample_size", []),
    ("sample_size", {"a": 1}),
    ("control_strategy", "best"),
    ("control_strategy", "auto"),
    ("test_strategy", None),
    ("arms", [{"name": "a", "strategy": "hybrid"}]),
    ("traffic", 2),
    ("alpha", 0.9),
    ("policy", "lax"),
    ("description", "\x00"),
    ("scope", {"where": "route", "value": "/nowhere"}),
    ("scope", {"where": "route", "value": "/v1/embeddings"}),
    ("scope", {"where": "route", "value": "/v1/messages/count_tokens"}),
    ("scope", {"where": "tag", "value": "support"}),
    ("scope", {"where": "moon", "value": "x"}),
    ("namespace", {"name": "n", "start": 0.5, "end": 0.5}),
    ("unknown", 1),
]
"""Fields that spoil one."""
NO_VALUES = [
    *[("cost", raw) for raw in ("-1", "true", '"0.1"', "null", "1e9", "[]", "{}", "-0.0000001")],
    *[("latency_ms", raw) for raw in ("-1", "false", '"1"', "null", "1e300")],
    *[("quality_score", raw) for raw in ("0", "6", "true", '"5"', "[5]")],
]
"""In JSON."""
NO_RESULTS: list[tuple[str, Any]] = [
    ("user_id", ""),
    ("user_id", 7),
    ("user_id", "\x00"),
    ("request_id", "x" * 257),
    ("assigned_strategy", "hybrid2"),
    ("provider", "\x00"),
    ("tokens_in", -1),
    ("unknown", 1),
]
"""Fields that spoil one."""


async def begun(client: Client, **fields: Any) -> str:
    """The id of an experiment that this caller has begun."""
    answer = await client.post("/experiments", {**TRIAL, **fields})
    assert answer.status == 201, answer.body
    found: str = answer.json["id"]
    return found


async def told(client: Client, experiment: str) -> Any:
    """Its results."""
    answer = await client.get(f"/experiments/{experiment}/results")
    assert answer.status == 200, answer.body
    return answer.json


async def record(client: Client, experiment: str, **fields: Any) -> Answer:
    """A result from outside."""
    return await client.post(f"/experiments/{experiment}/results", {**RESULT, **fields})


async def test_an_experiment_is_told_as_it_was_begun(open_client: Client) -> None:
    """With what was left out; by both addresses, and in the list the newest first."""
    first = await begun(open_client)
    answer = await open_client.post(
        "/experiments/start",
        {
            **{name: value for name, value in TRIAL.items() if "strategy" not in name},
            "arms": [
                {"name": "today", "strategy": "demo/large", "share": 0.5},
                {"name": "a", "strategy": "hybrid"},
                {"name": "b", "strategy": "demo/small"},
            ],
            "hypothesis": "Small does as well.",
            "early_stop": True,
            "min_effect": 0.02,
            "policy": "strict",
            "margins": {"quality": 0.1},
            "traffic": 0.1,
            "namespace": {"name": "chat", "end": 0.5},
            "scope": {"where": "tag", "value": "team=support"},
        },
    )
    made = answer.json
    assert answer.status == 201
    assert [arm["share"] for arm in made["arms"]] == [0.5, 0.25, 0.25]
    assert (made["control_strategy"], made["test_strategy"]) == ("demo/large", "hybrid")
    assert made["margins"] == {"quality": 0.1, "errors": 0.01, "latency": 0.25}
    assert made["namespace"] == {"name": "chat", "start": 0.0, "end": 0.5}
    assert (made["status"], made["completed_at"], made["verdict"], made["doubt"]) == ("running", None, None, None)
    assert (await open_client.get(f"/experiments/{made['id']}")).json == made
    page = (await open_client.get("/experiments?limit=1")).json
    assert [row["id"] for row in page["data"]] == [made["id"]]
    rest = (await open_client.get(f"/experiments?limit=1&cursor={page['next_cursor']}")).json
    assert [row["id"] for row in rest["data"]] == [first]
    assert rest["next_cursor"] is None


async def test_what_cannot_be_an_experiment_is_refused(open_client: Client) -> None:
    """400, with the field's name."""
    for field, value in NO_EXPERIMENTS:
        answer = await open_client.post("/experiments", {**TRIAL, field: value})
        assert answer.status == 400, (field, value, answer.body)
        assert field in answer.json["error"]["param"]
    assert (await open_client.get("/experiments")).json["data"] == []


async def test_a_strategy_that_there_is_not_is_answered_with_those_that_there_are(open_client: Client) -> None:
    """So that nobody has to look them up."""
    answer = await open_client.post("/experiments", {**TRIAL, "test_strategy": "best"})
    message = answer.json["error"]["message"]
    assert all(name in message for name in ("complexity", "learning", "hybrid", "/v1/models"))


async def test_nobody_sets_what_is_not_theirs(open_client: Client) -> None:
    """A status or an id in the body is forbidden, not passed over."""
    for field in ("id", "status", "verdict"):
        answer = await open_client.post("/experiments", {**TRIAL, field: "x"})
        assert (answer.status, answer.json["error"]["param"]) == (403, field)


async def test_an_experiment_can_be_ramped_and_ended(open_client: Client) -> None:
    """More users, other shares in a new phase, an end by hand, which is final."""
    path = f"/experiments/{await begun(open_client, traffic=0.1)}"
    ramped = await open_client.post(path, {"traffic": 0.5}, method="PATCH")
    assert (ramped.json["traffic"], ramped.json["phase"]) == (0.5, 0)
    moved = await open_client.post(path, {"shares": [0.2, 0.8]}, method="PATCH")
    assert ([arm["share"] for arm in moved.json["arms"]], moved.json["phase"]) == ([0.2, 0.8], 1)
    for body, status in (({}, 400), ({"traffic": 7}, 400), ({"shares": [1]}, 400), ({"sample_size": 4}, 403)):
        assert (await open_client.post(path, body, method="PATCH")).status == status
    stopped = await open_client.post(f"{path}/stop", {})
    assert (stopped.json["status"], stopped.json["verdict"]) == ("cancelled", None)
    assert stopped.json["completed_at"] is not None
    again = await open_client.post(f"{path}/stop", {})
    assert again.json == stopped.json
    assert (await open_client.post(path, {"traffic": 1}, method="PATCH")).status == 409


async def test_results_from_outside_are_kept_once(open_client: Client) -> None:
    """By their request's id; money to the nano-dollar, half of one to the even neighbour."""
    experiment = await begun(open_client)
    for cost, request_id, status in ((0.0000000025, "a", 201), (9.0, "a", 200), (0.3, None, 201)):
        more = {} if request_id is None else {"request_id": request_id}
        answer = await record(open_client, experiment, cost=cost, quality_score=4, user_id=f"u{cost}", **more)
        assert answer.status == status
        assert answer.json["recorded"] == ("counted" if status == 201 else "duplicate")
    found = await told(open_client, experiment)
    assert (found["control_count"], found["test_count"]) == (2, 0)
    assert found["control_avg_cost"] == pytest.approx(0.150000001, rel=1e-15)
    assert found["control_avg_quality"] == 4
    assert found["metrics"]["experiment"]["duplicates"] == 1


async def test_a_value_that_is_none_is_refused_and_counted(open_client: Client) -> None:
    """400 with the field's name, and nothing is kept."""
    experiment = await begun(open_client)
    for field, raw in NO_VALUES:
        plain = json.dumps({name: value for name, value in RESULT.items() if name != field})
        body = f'{plain[:-1]}, "{field}": {raw}}}'.encode()
        answer = await open_client.post(f"/experiments/{experiment}/results", body)
        assert (answer.status, answer.json["error"]["param"]) == (400, field), (body, answer.body)
    facts = (await told(open_client, experiment))["metrics"]["experiment"]
    assert (facts["n"], facts["invalid_values"]) == (0, len(NO_VALUES))


async def test_a_result_of_nobody_is_refused(open_client: Client) -> None:
    """400 with the field's name; an unknown arm is answered with those that there are."""
    experiment = await begun(open_client)
    for field, value in NO_RESULTS:
        answer = await record(open_client, experiment, **{field: value})
        assert (answer.status, answer.json["error"]["param"]) == (400, field), answer.body
        assert field != "assigned_strategy" or "control, test" in answer.json["error"]["message"]


async def test_json_without_numbers_beyond_it(open_client: Client) -> None:
    """NaN and infinity are no JSON at all."""
    experiment = await begun(open_client)
    for raw in (b"NaN", b"Infinity", b"1e400"):
        body = b'{"user_id":"u","assigned_strategy":"control","latency_ms":1,"cost":' + raw + b"}"
        assert (await open_client.post(f"/experiments/{experiment}/results", body)).status == 400


async def test_a_winner_is_declared_at_the_planned_size(open_client: Client) -> None:
    """All of CONTRACT's fields; later results are late and change nothing; what has ended cannot be stopped."""
    experiment = await begun(open_client, sample_size=40)
    for user in range(20):
        await record(open_client, experiment, user_id=f"c{user}", cost=0.0002, latency_ms=500)
        await record(open_client, experiment, user_id=f"t{user}", assigned_strategy="test", cost=0.0001, latency_ms=450)
    found = await told(open_client, experiment)
    assert {"metrics", "series", "verdict"} == found.keys() - {
        *("experiment_id", "control_strategy", "test_strategy", "p_value", "is_significant", "winner"),
        *("confidence_level", "confidence_interval", "status", "reason"),
        *(f"{arm}_{name}" for arm in ("control", "test") for name in ("count", "avg_cost", "avg_latency")),
        *("control_avg_quality", "test_avg_quality"),
    }
    assert (found["winner"], found["is_significant"], found["status"]) == ("test", True, "completed")
    assert (found["control_count"], found["test_count"]) == (20, 20)
    assert (found["control_avg_cost"], found["test_avg_cost"]) == pytest.approx((0.0002, 0.0001), rel=1e-12)
    assert (found["control_avg_latency"], found["test_avg_latency"]) == pytest.approx((500, 450), rel=1e-12)
    assert 0 < found["p_value"] < 1e-10
    assert found["confidence_interval"] == pytest.approx([-0.0001, -0.0001], rel=1e-9)
    assert (await record(open_client, experiment, user_id="late", cost=9)).json["recorded"] == "late"
    later = await told(open_client, experiment)
    assert {name for name in found if later[name] != found[name]} <= {"metrics"}
    assert later["metrics"]["experiment"]["late"] == 1
    stopped = await open_client.post(f"/experiments/{experiment}/stop", {})
    assert (stopped.json["status"], stopped.json["verdict"]["winner"]) == ("completed", "test")


async def test_before_the_planned_size_nothing_is_decided(open_client: Client) -> None:
    """However clear it looks, and though nobody has sent anything."""
    experiment = await begun(open_client)
    assert (await told(open_client, experiment))["p_value"] is None
    for user in range(20):
        await record(open_client, experiment, user_id=f"c{user}", cost=0.0002)
        await record(open_client, experiment, user_id=f"t{user}", assigned_strategy="test", cost=0.0001)
    found = await told(open_client, experiment)
    assert (found["winner"], found["is_significant"], found["status"]) == (None, False, "running")


async def test_the_winner_of_several_arms_stands_beside_control(open_client: Client) -> None:
    """In the short fields; all arms are in `metrics`."""
    arms = [{"name": name, "strategy": "hybrid"} for name in ("control", "a", "b")]
    experiment = await begun(open_client, control_strategy=None, test_strategy=None, arms=arms, sample_size=90)
    for user in range(30):
        for arm, cost in (("control", 0.3), ("a", 0.3 + user % 3 / 100), ("b", 0.1)):
            await record(open_client, experiment, user_id=f"{arm}{user}", assigned_strategy=arm, cost=cost)
    found = await told(open_client, experiment)
    assert (found["winner"], found["test_avg_cost"]) == ("b", pytest.approx(0.1))
    assert list(found["metrics"]["arms"]) == ["control", "a", "b"]


async def test_experiments_belong_to_their_tenant(client: Client) -> None:
    """Others find none, whatever they try; an admin finds all."""
    acme, other, admin = (client.with_key(key) for key in (SECRETS.acme, SECRETS.other, SECRETS.admin))
    experiment = await begun(acme)
    path = f"/experiments/{experiment}"
    assert [row["id"] for row in (await acme.get("/experiments")).json["data"]] == [experiment]
    assert (await other.get("/experiments")).json["data"] == []
    tried = [
        await other.get(path),
        await other.get(f"{path}/results"),
        await other.post(f"{path}/stop", {}),
        await other.post(path, {"traffic": 0}, method="PATCH"),
        await record(other, experiment),
        await record(other, experiment, cost=-1),
        await acme.get("/experiments/none"),
        await acme.get("/experiments/none/results"),
        await record(acme, "none"),
    ]
    assert {(answer.status, answer.json["error"]["code"]) for answer in tried} == {(404, "experiment_not_found")}
    assert (await admin.get(path)).status == 200
    assert (await told(acme, experiment))["metrics"]["experiment"]["invalid_values"] == 0


async def test_what_moves_others_requests_needs_more_than_a_key(client: Client) -> None:
    """A scope does; and nobody but an admin begins one for another tenant."""
    acme, admin = client.with_key(SECRETS.acme), client.with_key(SECRETS.admin)
    scope = {"where": "route", "value": "/complete"}
    for fields in ({"scope": scope}, {"tenant": "other"}):
        assert (await acme.post("/experiments", {**TRIAL, **fields})).status == 403
    experiment = await begun(admin, scope=scope)
    assert (await acme.post(f"/experiments/{experiment}/stop", {})).status == 403
    assert (await admin.post("/experiments", {**TRIAL, "tenant": "nobody"})).status == 404
    theirs = await begun(admin, tenant="other")
    assert (await client.with_key(SECRETS.other).get(f"/experiments/{theirs}")).status == 200


async def test_a_scope_is_of_a_key_that_there_is(client: Client) -> None:
    """Of the experiment's tenant; what else is sent, the key itself say, is neither kept nor told again."""
    admin = client.with_key(SECRETS.admin)
    mine = {"where": "key", "value": "key-acme"}
    made = await begun(admin, scope=mine)
    assert (await admin.get(f"/experiments/{made}")).json["scope"] == mine
    for wrong in ("key-other", SECRETS.acme):
        answer = await admin.post("/experiments", {**TRIAL, "scope": {"where": "key", "value": wrong}})
        assert (answer.status, answer.json["error"]["param"]) == (400, "scope.value")
        assert wrong.encode() not in answer.body


async def test_a_model_that_the_key_may_not_ask_for_is_no_arm(client: Client) -> None:
    """Its name is answered like one that there is not."""
    small = client.with_key(SECRETS.small_only)
    answer = await small.post("/experiments", {**TRIAL, "test_strategy": "demo/large"})
    assert (answer.status, answer.json["error"]["param"]) == (400, "test_strategy")
    await begun(small, test_strategy="demo/small")
