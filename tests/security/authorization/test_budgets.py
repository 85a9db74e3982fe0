"""Whom a budget bounds as a whole, cannot loosen it."""

from __future__ import annotations

import pytest

from farthing.store import Store
from tests.security.authorization.conftest import secret_of
from tests.security.authorization.test_foreign import dump
from tests.servers.asgi import Client

LOOSER = (
    {"limit": 1001},
    {"is_hard": False},
    {"degrade": None, "limit": 1},
    {"degrade": [{"at_percent": 90, "action": "cheaper"}]},
)
STEPS = [{"at_percent": 80, "action": "cheaper"}]


@pytest.mark.parametrize(
    ("bound", "above", "whose"),
    [
        ("team_admin@acme", "org_admin@acme", {"scope": "team", "subject": "blue"}),
        ("org_admin@acme", "admin", {"scope": "tenant"}),
    ],
)
async def test_a_budget_is_loosened_from_above(
    client: Client, store: Store, bound: str, above: str, whose: dict[str, str]
) -> None:
    """A team's by its tenant's admin, a tenant's by whoever runs the gateway; those below may make and tighten it."""
    below, higher = (client.with_key(secret_of(name)) for name in (bound, above))
    made = await below.post("/admin/budgets", {**whose, "window": "month", "limit": 1000, "degrade": STEPS})
    assert made.status == 201
    path = f"/admin/budgets/{made.json['budget_id']}"
    before = await dump(store)
    for changes in LOOSER:
        assert (await below.post(path, changes, method="PATCH")).status == 403, changes
    assert (await below.get(path, method="DELETE")).status == 403
    assert await dump(store) == before
    tighter = await below.post(path, {"limit": 999, "name": "ours"}, method="PATCH")
    assert (tighter.status, tighter.json["limit"], tighter.json["degrade"]) == (200, 999, STEPS)
    for changes in LOOSER:
        assert (await higher.post(path, changes, method="PATCH")).status == 200
    assert (await higher.get(path, method="DELETE")).status == 200


async def test_a_keys_budget_is_its_managers(client: Client) -> None:
    """A team admin raises and ends that of its team's keys."""
    caller = client.with_key(secret_of("team_admin@acme"))
    body = {"scope": "key", "subject": "member@acme", "window": "day", "limit": 1}
    path = f"/admin/budgets/{(await caller.post('/admin/budgets', body)).json['budget_id']}"
    assert (await caller.post(path, {"limit": 2}, method="PATCH")).json["limit"] == 2
    assert (await caller.get(path, method="DELETE")).status == 200
