"""What routing would save at another traffic, baseline or floor, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.app.replaying import Replayer
from farthing.ports.replay import Question
from farthing.store import Store
from tests.conformance.store.samples import NOON_US, exchange
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

ASKED = "/v1/savings/what-if?from=2025-12-01&to=2025-12-02&requests_per_month=1000000"
HALF = {
    "floor": 0.1,
    "requests": 4,
    "sentence": "Half of it.",
    "quality": None,
    "warnings": ["Nothing is learned yet."],
    "cost": {"actual_cost": 1_000, "cost": 500},
}


@pytest.fixture
async def caller(client: Client, store: Store) -> Client:
    """An admin; three requests that were routed, and one whose model was named."""
    rows = [
        exchange(created_at_us=NOON_US, cost=1_000, baseline_cost=4_000, arm="routed", experiment_id=None)
        for _ in range(3)
    ]
    await store.ingest.write([*rows, exchange(created_at_us=NOON_US, cost=5_000, baseline_cost=5_000)])
    return client.with_key(SECRETS.admin)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """What is asked of replays, which tell that half would have been paid."""
    questions: list[Question] = []

    async def replay(_: Replayer, question: Question) -> dict[str, Any]:
        questions.append(question)
        return HALF if question.floor else {**HALF, "cost": None}

    monkeypatch.setattr(Replayer, "__call__", replay)
    return questions


async def test_another_traffic_multiplies_what_is_counted(caller: Client) -> None:
    """All requests, as long as too few were held back; nothing is estimated."""
    told = (await caller.get(ASKED)).json
    assert (told["actual_cost"], told["baseline_cost"], told["saved"]) == pytest.approx((2.0, 4.25, 2.25))
    assert (told["method"], told["interval"], told["requests"], told["floor"]) == ("counted", None, 4, None)


async def test_another_floor_is_replayed(caller: Client, asked: list[Question]) -> None:
    """Of routed requests alone, what they cost changes as in the replay, whose doubts are told."""
    told = (await caller.get(f"{ASKED}&floor=0.1")).json
    assert (told["actual_cost"], told["baseline_cost"], told["saved"]) == pytest.approx((0.5, 4.0, 3.5))
    assert (told["method"], told["percent"], told["requests"]) == ("estimated", 87.5, 3)
    assert told["floor"] == {name: value for name, value in HALF.items() if name != "cost"}
    assert [(one.floor, one.strategy, one.tenant) for one in asked] == [(0.1, "hybrid", None)]


@pytest.mark.parametrize(
    ("query", "key", "status", "param"),
    [
        ("&floor=0", SECRETS.admin, 400, "floor"),
        ("&floor=2", SECRETS.admin, 400, "floor"),
        ("&floor=0.1", SECRETS.acme, 403, "floor"),
        ("&baseline=nobody", SECRETS.admin, 400, "baseline"),
    ],
)
@pytest.mark.usefixtures("asked")
async def test_what_nothing_is_known_of_is_refused(
    caller: Client, query: str, key: str, status: int, param: str
) -> None:
    """A floor that nothing can be replayed under, or by whom; a baseline without a price."""
    answer = await caller.with_key(key).get(f"{ASKED}{query}")
    assert (answer.status, answer.json["error"]["param"]) == (status, param)
