"""Requests of ours in an experiment, as its results tell of them."""

from __future__ import annotations

from tests.servers.asgi import Client
from tests.unit.http.test_experiments import begun, told


async def test_what_the_cache_answered_stands_beside_the_results(open_client: Client) -> None:
    """As a number and as a share of the arm's requests; an arm that nobody has asked has none."""
    experiment = await begun(open_client)
    asked = [{"prompt": prompt, "experiment_id": experiment, "user_id": "ann"} for prompt in ("Hi", "Hi", "Hi", "Ho")]
    (arm,) = {(await open_client.post("/complete", body)).json["experiment_assignment"] for body in asked}
    arms = (await told(open_client, experiment))["metrics"]["arms"]
    assert (arms[arm]["results"], arms[arm]["hits"], arms[arm]["hit_rate"]) == (2, 2, 0.5)
    other = arms[{"control": "test", "test": "control"}[arm]]
    assert (other["results"], other["hits"], other["hit_rate"]) == (0, 0, None)
