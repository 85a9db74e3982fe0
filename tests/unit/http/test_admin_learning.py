"""What was learned, over HTTP."""

from __future__ import annotations

import asyncio
from math import exp
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.app import training
from farthing.app.training import Trainer
from farthing.background.clock import SystemClock
from farthing.domain.routing.rules import Rule
from farthing.domain.scope import Scope
from farthing.insight.learning.retraining import Retraining, Tell
from farthing.ports.learning import Trained
from farthing.settings import Settings
from farthing.store import Store, open_store
from tests.conformance.store.samples import exchange
from tests.conformance.store.test_comparisons import pair
from tests.conformance.store.test_lessons import bought, gave_way, judge
from tests.servers.asgi import Client, running
from tests.unit.app.lessons import teach
from tests.unit.http.conftest import SECRETS

STATUS, RETRAIN, ROLLBACK = (f"/admin/learning/{name}" for name in ("status", "retrain", "rollback"))


@pytest.fixture
def goes_on(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Lets trainings, which are in this process, go on."""
    goes_on = asyncio.Event()
    goes_on.set()

    async def train(trainer: Trainer, tell: Tell) -> Trained:
        tell("testing", 0.5)
        await goes_on.wait()
        store = open_store(trainer._url, clock=SystemClock(), secret=trainer._secret)
        try:
            return await training.train(store, tell)
        finally:
            await store.aclose()

    monkeypatch.setattr(Trainer, "__call__", train)
    return goes_on


@pytest.fixture
async def admin(client: Client, store: Store, goes_on: asyncio.Event) -> Client:
    """An admin, who has rated answers of two models."""
    await teach(store, from_us=SystemClock().now_us() - 3_600_000_000)
    return client.with_key(SECRETS.admin)


async def test_a_dry_run_tells_what_would_come_of_it(admin: Client) -> None:
    """And changes nothing."""
    run = (await admin.post(RETRAIN, {})).json
    assert (run["outcome"], run["is_active"], run["is_kept"]) == ("dry_run", False, False)
    assert (run["labels"], run["prompts"], run["held_out"], run["compared_with"]) == (40, 20, 40, "mean")
    assert run["error_after"] < run["error_before"]
    assert run["models"]["small"]["labels"] == 20
    found = (await admin.get(STATUS)).json
    assert (found["active"], found["snapshots"], found["training"]) == (None, [], None)
    assert found["labels"] == {"total": 40, "models": {"large": 20, "small": 20}}
    assert (found["is_enough"], found["last"]["id"], found["pace"], found["checks"]) == (True, run["id"], None, [])


async def test_the_pace_of_spending_is_told(settings: Settings, store: Store) -> None:
    """From the start on, by what the database tells."""
    routing = settings.routing.model_copy(update={"pace_usd_per_request": 0.002})
    minutes_ago_us = SystemClock().now_us() - 300_000_000
    spent = [exchange(created_at_us=minutes_ago_us, strategy="hybrid", cost=3_000_000) for _ in range(20)]
    await store.ingest.write(spent)
    async with running(replace(settings, routing=routing)) as application:
        found = (await Client(application).get(STATUS)).json
    assert found["pace"] == {"target": 0.002, "spent": 0.003, "points_per_usd": pytest.approx(5 * exp(0.5))}


async def test_how_much_checks_count_is_told(settings: Settings, store: Store) -> None:
    """Of each model whose first answers somebody, or a judge, has said the worth of."""
    first = replace(gave_way(1), created_at_us=SystemClock().now_us())
    await bought(store, first)
    await judge(store, first, served=1.0, first=0.0)
    rule = Rule(name="support", scope=Scope("tag", "team=support"), cascade=True)
    async with running(replace(settings, rules=(rule,))) as application:
        found = (await Client(application).get(STATUS)).json
    assert found["checks"] == [{"model": "small", "check": "agreement", "weight": pytest.approx(0.52, abs=0.01)}]


async def test_what_is_learned_decides_and_can_be_taken_back(admin: Client) -> None:
    """Only by an admin; before the first there is nothing to go back to."""
    run = (await admin.post(f"{RETRAIN}?dry_run=false", {})).json
    assert (run["outcome"], run["is_active"], run["is_kept"]) == ("kept", True, True)
    found = (await admin.get(STATUS)).json
    assert (found["active"]["id"], [each["id"] for each in found["snapshots"]]) == (run["id"], [run["id"]])
    refused = await admin.post(ROLLBACK, {})
    assert (refused.status, refused.json["error"]["code"]) == (409, "no_earlier_snapshot")
    again = (await admin.post(f"{RETRAIN}?dry_run=false", {})).json
    assert (again["outcome"], again["reason"][:5]) == ("not_better", "Only ")


async def test_one_goes_back_to_what_was_learned_before(admin: Client, store: Store) -> None:
    """By name and moment."""
    first = (await admin.post(f"{RETRAIN}?dry_run=false", {})).json
    later_us = SystemClock().now_us() + 1_000_000
    turn = await store.runs.begin("later", at_us=later_us, summary={})
    assert turn is not None
    assert await store.runs.finish("later", turn, "kept", {}, b"not ours")
    back = await admin.post(ROLLBACK, {})
    assert (back.status, back.json["id"], back.json["is_active"]) == (200, first["id"], True)
    assert (await admin.get(STATUS)).json["active"]["id"] == first["id"]


async def test_a_long_training_is_followed(admin: Client, goes_on: asyncio.Event) -> None:
    """Who does not wait for its end looks again; nobody begins another meanwhile."""
    goes_on.clear()
    run = (await admin.post(f"{RETRAIN}?wait_s=0", {})).json
    assert (run["outcome"], run["dry_run"]) == ("running", True)
    assert (await admin.get(STATUS)).json["training"]["id"] == run["id"]
    refused = await admin.post(RETRAIN, {})
    assert (refused.status, refused.json["error"]["code"]) == (409, "training_under_way")
    goes_on.set()
    found: dict[str, Any] = {"training": run}
    for _ in range(500):
        if found["training"] is None:
            break
        await asyncio.sleep(0.02)
        found = (await admin.get(STATUS)).json
    assert (found["last"]["id"], found["last"]["outcome"]) == (run["id"], "dry_run")


async def test_the_end_of_the_gateway_is_told_to_who_waits(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """As to everybody whose answer was not complete."""

    async def given_up(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Retraining, "_run", given_up)
    answer = await admin.post(RETRAIN, {})
    assert (answer.status, answer.json["error"]["code"]) == (503, "shutting_down")


async def test_too_little_is_refused_in_words(client: Client) -> None:
    """What is missing, and how to come by it."""
    admin = client.with_key(SECRETS.admin)
    refused = await admin.post(RETRAIN, {})
    assert (refused.status, refused.json["error"]["code"]) == (409, "too_few_ratings")
    assert "there are: none" in refused.json["error"]["message"]
    found = (await admin.get(STATUS)).json
    assert (found["is_enough"], found["last"], found["labels"]) == (False, None, {"total": 0, "models": {}})


@pytest.mark.parametrize("query", ["dry_run=perhaps", "wait_s=61", "wait_s=-1", "dryrun=false"])
async def test_what_is_not_understood_is_refused(client: Client, query: str) -> None:
    """A misspelt wish must not be taken for one that was heeded."""
    assert (await client.with_key(SECRETS.admin).post(f"{RETRAIN}?{query}", {})).status == 400


@pytest.mark.parametrize("path", [STATUS, RETRAIN, ROLLBACK])
async def test_it_is_the_admins_alone(client: Client, path: str) -> None:
    """It concerns all tenants."""
    asked = client.with_key(SECRETS.acme)
    assert (await (asked.get(path) if path == STATUS else asked.post(path, {}))).status == 403


async def test_status_tells_what_the_judge_is_worth(client: Client, store: Store) -> None:
    """How far people agree, and what they would say on average; of a model that few have rated only the grades."""
    now_us = SystemClock().now_us()
    for number in range(25):
        request_id = f"019adb00-0000-7000-8000-{number:012}"
        await store.ingest.write([exchange(request_id=request_id, created_at_us=now_us)])
        await store.comparisons.keep(pair(number, request_id=request_id, created_at_us=now_us, served_quality=0.75))
        if number:
            await store.feedback.rate(request_id, 3, tenant=None, principal=None)
    await store.comparisons.keep(pair(99, served_model="large", served_quality=1.0))
    found = (await client.with_key(SECRETS.admin).get(STATUS)).json["judge"]
    assert found["model"] is None
    assert found["agreement"] == {"answers": 24, "share": 0.0, "interval": [0.0, 0.138], "kappa": 0.0}
    assert found["models"] == {
        "large": {"judged": 1, "rated": 0, "mean": 1.0, "corrected": None, "interval": None},
        "small": {"judged": 25, "rated": 24, "mean": 0.75, "corrected": 0.5, "interval": [0.5, 0.5]},
    }
