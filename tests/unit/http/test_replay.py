"""What another policy would have cost, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.app.replaying import Replayer, policy_of, told
from farthing.background.clock import SystemClock
from farthing.ports.replay import Question
from farthing.store import Store
from tests.servers.asgi import Client
from tests.unit.app.lessons import teach
from tests.unit.http.conftest import SECRETS

REPLAY = "/v1/replay"


@pytest.fixture
async def admin(client: Client, store: Store, monkeypatch: pytest.MonkeyPatch) -> Client:
    """An admin with forty requests, whose replays are made in this process."""

    async def replay(replayer: Replayer, question: Question) -> dict[str, Any]:
        return await told(store, question, policy_of(question, replayer._settings))

    monkeypatch.setattr(Replayer, "__call__", replay)
    await teach(store, from_us=SystemClock().now_us() - 3_600_000_000)
    return client.with_key(SECRETS.admin)


async def test_a_replay_is_told_in_dollars(admin: Client) -> None:
    """What was paid is what the ledger says, of the last 30 days unless said otherwise."""
    found = (await admin.get(f"{REPLAY}?strategy=complexity")).json
    assert (found["requests"], found["strategy"], found["pool"], found["limit"]) == (40, "complexity", None, 10_000)
    assert found["cost"]["actual_cost"] == 40 * 300 / 10**9
    assert found["from"] < found["to"]
    assert (await admin.get(f"{REPLAY}?from=2020-01-01&to=2020-02-01")).json["requests"] == 0


async def test_a_pool_a_floor_and_prices_can_be_supposed(admin: Client) -> None:
    """By names as they are known here."""
    name = "demo/small"
    found = (await admin.get(f"{REPLAY}?strategy=complexity&pool={name}&floor=0.1&price={name}=0,0&limit=30")).json
    assert (found["pool"], found["floor"], found["limit"], found["is_cut"]) == ([name], 0.1, 30, True)
    assert found["cost"]["cost"] == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pool=nobody", "model_not_found"),
        ("price=nobody=1,2", "model_not_found"),
        ("price=small", "invalid_parameter"),
        ("price=small=1,-2", "invalid_parameter"),
        ("strategy=best", "invalid_parameter"),
        ("floor=2", "invalid_parameter"),
        ("limit=0", "invalid_parameter"),
        ("from=2026-01-01&to=2026-04-04", "invalid_parameter"),
    ],
)
async def test_what_cannot_be_supposed_is_refused(admin: Client, query: str, code: str) -> None:
    """Before anything is read."""
    refused = await admin.get(f"{REPLAY}?{query}")
    assert (refused.status, refused.json["error"]["code"]) == (400, code)


async def test_who_may_not_read_figures_of_a_tenant_is_refused(admin: Client) -> None:
    """A replay takes its time, and tells of everybody's requests: it is for auditors and admins."""
    assert (await admin.with_key(SECRETS.acme).get(REPLAY)).status == 403
