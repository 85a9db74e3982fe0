"""An experiment that promotes its winner, over HTTP: the default follows it, and comes back."""

from __future__ import annotations

from typing import Any

from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS
from tests.unit.http.test_experiments import TRIAL, begun, record, told

ARM = "x-farthing-experiment-arm"
MODELS = {"control_strategy": "demo/small", "test_strategy": "demo/large"}


async def won(client: Client, **fields: Any) -> str:
    """The id of an experiment that has found its test arm cheaper, known to all requests."""
    experiment = await begun(client, **{**MODELS, "sample_size": 40, "promote": True, **fields})
    for user in range(20):
        await record(client, experiment, user_id=f"c{user}", cost=0.0002)
        await record(client, experiment, user_id=f"t{user}", assigned_strategy="test", cost=0.0001)
    assert (await told(client, experiment))["winner"] == "test"
    # Whoever begins one reads all that has changed.
    await begun(client)
    return experiment


async def asked(client: Client, model: str, user: str) -> tuple[str, str | None]:
    """Who answers, and in which arm."""
    turns = [{"role": "user", "content": "Hi"}]
    answer = await client.post("/v1/chat/completions", {"model": model, "user": user, "messages": turns})
    assert answer.status == 200, answer.body
    return answer.json["model"], answer.headers.get(ARM)


async def test_a_promoted_winner_answers_for_the_default_until_it_is_stopped(client: Client) -> None:
    """Those of the tenant alone that leave the strategy open; after the stop all is as before."""
    acme, admin, other = (client.with_key(key) for key in (SECRETS.acme, SECRETS.admin, SECRETS.other))
    before = await asked(acme, "auto", "ann")
    assert before == ("demo/small", None)
    experiment = await won(admin, salt="kept")
    assert await asked(acme, "auto", "ann") == ("demo/large", "test")
    assert await asked(acme, "farthing/complexity", "ann") == before
    assert await asked(other, "auto", "ann") == before
    found = (await acme.get(f"/experiments/{experiment}")).json
    assert (found["promote"], found["promoted"], found["rolled_back_at"]) == (True, "test", None)
    await told(acme, experiment)
    found = (await acme.get(f"/experiments/{experiment}")).json
    (followed,) = found["aftermath"].items()
    assert (followed[0], followed[1]["requests"], followed[1]["errors"]) == ("test", 1, 0)
    assert (followed[1]["avg_cost"] > 0, followed[1]["avg_latency"] > 0, followed[1]["avg_quality"]) == (
        True,
        True,
        None,
    )
    assert (await acme.post(f"/experiments/{experiment}/stop", {})).status == 403
    stopped = (await admin.post(f"/experiments/{experiment}/stop", {})).json
    assert (stopped["status"], stopped["promoted"], stopped["verdict"]["winner"]) == ("completed", None, "test")
    assert (stopped["rolled_back_for"], stopped["rolled_back_at"] is None) == ("it was stopped by hand", False)
    assert await asked(acme, "auto", "ann") == before


async def test_a_winner_that_nobody_wanted_promoted_is_not(open_client: Client) -> None:
    """The default stays."""
    experiment = await won(open_client, promote=False)
    assert await asked(open_client, "auto", "ann") == ("demo/small", None)
    found = (await open_client.get(f"/experiments/{experiment}")).json
    assert [found[name] for name in ("promote", "promoted", "rolled_back_for", "aftermath")] == [
        False,
        None,
        None,
        None,
    ]


async def test_who_changes_the_default_needs_more_than_a_key(client: Client) -> None:
    """As for a scope."""
    answer = await client.with_key(SECRETS.acme).post("/experiments", {**TRIAL, "promote": True})
    assert (answer.status, answer.json["error"]["param"]) == (403, "promote")
