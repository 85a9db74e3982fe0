"""Each change that needs more than any key leaves one line: who, as what, did what to what; and never a value."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from farthing.http.policy import NEEDED
from farthing.http.routes import ROUTES
from farthing.http.trail import is_told, target_of
from farthing.telemetry import logs
from tests.servers.asgi import Answer, Client
from tests.unit.http.conftest import SECRETS

CANARY = "canary-5f1c"


class Trail(logging.Handler):
    """Everything that is told, as the log would show it."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[dict[str, Any]] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a line."""
        self.facts.append(vars(record)["facts"])
        self.lines.append(logs._Json().format(record))


@pytest.fixture
def trail() -> Iterator[Trail]:
    """What is told while the test runs."""
    handler, logger = Trail(), logging.getLogger("farthing.changes")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def admin(client: Client) -> Client:
    """Shows the admin's key, which is of the tenant `acme`."""
    return client.with_key(SECRETS.admin)


def told(answer: Answer, action: str, *fields: str, **target: str) -> dict[str, Any]:
    """The line of a change that the admin has made."""
    who = {"by": "key-admin", "role": "admin", "by_tenant": "acme"}
    return {"request_id": answer.headers["x-request-id"], **who, "action": action, **target, "fields": [*fields]}


async def test_a_keys_life_is_told(admin: Client, trail: Trail) -> None:
    """With its id, also where the answer alone has it; a secret never."""
    made = await admin.post("/admin/keys", {"name": CANARY, "user": "ada", "requests_per_minute": 5})
    key_id = made.json["key_id"]
    path = f"/admin/keys/{key_id}"
    changed = await admin.post(path, {"name": f"{CANARY}-2"}, method="PATCH")
    gone = await admin.get(path, method="DELETE")
    assert trail.facts == [
        told(made, "create_key", "name", "requests_per_minute", "user", key_id=key_id, tenant="acme"),
        told(changed, "change_key", "name", key_id=key_id, tenant="acme"),
        told(gone, "revoke_key", key_id=key_id, tenant="acme"),
    ]
    assert not [line for line in trail.lines if CANARY in line or made.json["secret"] in line]


async def test_tenants_teams_and_budgets_are_told(admin: Client, trail: Trail) -> None:
    """Each by the names that it is called by."""
    await admin.post("/admin/tenants", {"tenant": "bolt", "name": "Bolt"})
    await admin.post("/admin/tenants/bolt", {"is_blocked": True}, method="PATCH")
    await admin.post("/admin/teams", {"tenant": "bolt", "team": "x"})
    words = {"scope": "tenant", "tenant": "bolt", "window": "day", "limit": 1}
    budget = (await admin.post("/admin/budgets", words)).json["budget_id"]
    await admin.get(f"/admin/budgets/{budget}", method="DELETE")
    found = [{name: facts.get(name) for name in ("action", "tenant", "team", "budget_id")} for facts in trail.facts]
    assert found == [
        {"action": "create_tenant", "tenant": "bolt", "team": None, "budget_id": None},
        {"action": "change_tenant", "tenant": "bolt", "team": None, "budget_id": None},
        {"action": "create_team", "tenant": "bolt", "team": "x", "budget_id": None},
        {"action": "create_budget", "tenant": "bolt", "team": None, "budget_id": budget},
        {"action": "delete_budget", "tenant": None, "team": None, "budget_id": budget},
    ]


async def test_what_reads_or_fails_is_not_told(client: Client, admin: Client, trail: Trail) -> None:
    """Nor what any key may do, such as rating an answer."""
    assert (await admin.get("/admin/keys")).status == 200
    assert (await admin.post("/admin/keys", {"name": "k", "secret": CANARY})).status == 403
    assert (await client.with_key(SECRETS.acme).post("/admin/keys", {"name": "k"})).status == 403
    assert (await client.post("/admin/keys", {"name": "k"})).status == 401
    assert (await admin.get("/admin/keys/none", method="DELETE")).status == 404
    assert trail.facts == []


async def test_what_is_asked_for_in_the_address_is_a_field_too(admin: Client, trail: Trail) -> None:
    """Without its value, as those of a body."""
    assert (await admin.post("/admin/reprice", {"dry_run": True})).status == 200
    retrained = await admin.get("/admin/learning/retrain?dry_run=true&wait_s=0", method="POST")
    assert [(facts["action"], facts["fields"]) for facts in trail.facts] == [
        ("reprice", ["dry_run"]),
        *([("retrain", ["dry_run", "wait_s"])] if retrained.status < 300 else []),
    ]


def test_every_route_that_changes_something_is_told_or_anybodys() -> None:
    """Those that are not, by name: a new route is told unless it stands here."""
    quiet = {
        f"{method} {route.path}"
        for route in ROUTES
        for method in route.methods.split()
        if route.answer is not None and method not in {"GET", "HEAD", "WS"} and not is_told(route.policy, method)
    }
    assert quiet == {"POST /feedback", "POST /logout"}
    assert all(not is_told(policy, "GET") for policy in NEEDED)


def test_an_answer_that_tells_no_ids_is_no_trouble() -> None:
    """What stands in the address is enough; the change has been made."""
    assert target_of({"key_id": "a"}, b"[]") == {"key_id": "a"}
    assert target_of({}, b'{"team": "x", "secret": "s"}') == {"team": "x"}
