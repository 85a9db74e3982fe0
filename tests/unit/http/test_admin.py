"""The admin routes' own ways: what is made, changed and ended, and what is said while the database is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from farthing.domain.errors import Unavailable
from farthing.store import Store, schema
from farthing.store.tenancy import Tenancy
from tests.servers.asgi import Answer, Client
from tests.unit.http.conftest import SECRETS


@pytest.fixture
def admin(client: Client) -> Client:
    """Shows the admin's key, which is of the tenant `acme`."""
    return client.with_key(SECRETS.admin)


async def patch(client: Client, path: str, body: dict[str, Any]) -> Answer:
    """A change."""
    return await client.post(path, body, method="PATCH")


async def test_a_key_works_from_its_making_to_its_end(client: Client, admin: Client) -> None:
    """On the worker that was asked, each change is in force when it is answered."""
    body = {
        "name": "app",
        "models": ["demo/small"],
        "expires_at": "2099-01-01",
        "requests_per_minute": 5,
        "user": "ada",
    }
    made = await admin.post("/admin/keys", body)
    assert made.status == 201
    path, app = f"/admin/keys/{made.json['key_id']}", client.with_key(made.json["secret"])
    assert (await app.get("/stats")).status == 200
    assert (made.json["requests_per_minute"], made.json["expires_at"]) == (5, "2099-01-01T00:00:00.000Z")
    changed = await patch(admin, path, {"models": None, "expires_at": None, "requests_per_minute": None, "name": "new"})
    expected = {"models": None, "expires_at": None, "requests_per_minute": None, "name": "new", "user": "ada"}
    assert {name: changed.json[name] for name in expected} == expected
    for is_blocked, state, status in ((True, "blocked", 401), (False, "active", 200)):
        assert (await patch(admin, path, {"is_blocked": is_blocked})).json["state"] == state
        assert (await app.get("/stats")).status == status
    assert (await admin.get(path, method="DELETE")).json["state"] == "revoked"
    assert (await app.get("/stats")).status == 401
    assert (await patch(admin, path, {"is_blocked": False})).status == 409


async def test_a_tenant_a_team_and_their_keys(client: Client, admin: Client) -> None:
    """A blocked tenant's keys are refused at once, and let in again."""
    assert (await admin.post("/admin/tenants", {"tenant": "bolt", "name": "Bolt"})).status == 201
    assert (await admin.post("/admin/teams", {"tenant": "bolt", "team": "x", "tokens_per_minute": 7})).status == 201
    team = await patch(admin, "/admin/teams/bolt/x", {"name": "Ten", "tokens_per_minute": None})
    assert (team.json["name"], team.json["tokens_per_minute"]) == ("Ten", None)
    made = await admin.post("/admin/keys", {"name": "app", "tenant": "bolt", "team": "x", "role": "team_admin"})
    app = client.with_key(made.json["secret"])
    assert [row["team"] for row in (await app.get("/admin/teams")).json["data"]] == ["x"]
    for is_blocked, status in ((True, 401), (False, 200)):
        assert (await patch(admin, "/admin/tenants/bolt", {"is_blocked": is_blocked})).status == 200
        assert (await app.get("/stats")).status == status


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/admin/keys", {"name": "k", "tenant": "nowhere"}, 404, "tenant"),
        ("/admin/keys", {"name": "k", "team": "none"}, 404, "team"),
        ("/admin/keys", {"name": "k", "role": "team_admin"}, 400, "team"),
        ("/admin/keys", {"name": "k", "expires_at": "2020-01-01"}, 400, "expires_at"),
        ("/admin/teams", {"tenant": "nowhere", "team": "x"}, 404, "tenant"),
        ("/admin/teams", {"team": "a b"}, 400, "team"),
        ("/admin/tenants", {"tenant": "x", "plan": "gold"}, 400, "plan"),
        ("/admin/budgets", {"scope": "user", "window": "day", "limit": 1}, 400, "subject"),
        ("/admin/budgets", {"scope": "tag", "subject": "x", "window": "day", "limit": 1}, 400, "subject"),
        ("/admin/budgets", {"scope": "tenant", "subject": "x", "window": "day", "limit": 1}, 400, "subject"),
        ("/admin/budgets", {"scope": "team", "subject": "none", "window": "day", "limit": 1}, 404, "team"),
        ("/admin/budgets", {"scope": "key", "subject": "key-other", "window": "day", "limit": 1}, 404, "key_id"),
        (
            "/admin/budgets",
            {"scope": "user", "tenant": "x", "subject": "u", "window": "day", "limit": 1},
            404,
            "tenant",
        ),
        ("/admin/budgets", {"scope": "tenant", "window": "year", "limit": 1}, 400, "window"),
    ],
)
async def test_what_fits_nowhere_is_refused(
    admin: Client, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    """Naming the field; the admin's own tenant has no such team."""
    answer = await admin.post(path, body)
    assert (answer.status, answer.json["error"]["param"]) == (status, param)


async def test_a_budget_from_its_making_to_its_end(admin: Client) -> None:
    """Exact to the nano-dollar where it is sent as text; steps stand in rising order."""
    steps = [{"at_percent": 97, "action": "cache_only"}, {"at_percent": 90, "action": "cheaper"}]
    body = {"scope": "tenant", "window": "month", "limit": "0.000000001", "degrade": steps, "name": "house"}
    made = await admin.post("/admin/budgets", body)
    assert (made.status, made.json["limit"], made.json["spent"], made.json["subject"]) == (201, 1e-9, 0, "acme")
    assert made.json["degrade"] == steps[::-1]
    path = f"/admin/budgets/{made.json['budget_id']}"
    changed = await patch(admin, path, {"limit": 12.5, "degrade": None, "is_hard": False, "name": None})
    assert (changed.json["limit"], changed.json["degrade"], changed.json["is_hard"]) == (12.5, [], False)
    assert (await patch(admin, path, {"limit": None})).status == 400
    assert (await admin.get(path)).json == changed.json
    assert (await admin.get(path, method="DELETE")).json == {"budget_id": made.json["budget_id"], "deleted": True}
    assert (await admin.get(path)).status == 404


async def test_of_two_who_make_a_budget_at_once_one_is_told(admin: Client) -> None:
    """With 409 and the field that says which there is."""
    body = {"scope": "user", "subject": "ada", "window": "day", "limit": 1}
    made = await asyncio.gather(*(admin.post("/admin/budgets", body) for _ in range(3)))
    assert sorted(answer.status for answer in made) == [201, 409, 409]
    refused = next(answer for answer in made if answer.status == 409)
    assert (refused.json["error"]["code"], refused.json["error"]["param"]) == ("conflict", "scope")
    assert len((await admin.get("/admin/budgets")).json["data"]) == 1


async def test_a_role_of_a_newer_release_may_nothing(
    client: Client, admin: Client, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It neither asks nor manages; below an admin nobody changes it; the log says so once."""
    path = "/admin/keys/key-acme"
    made = await admin.post("/admin/keys", {"name": "org", "role": "org_admin"})
    mine, newer_key = client.with_key(made.json["secret"]), client.with_key(SECRETS.acme)
    async with store._engines.writing() as connection:
        newer = sa.update(schema.keys).where(schema.keys.c.key_id == "key-acme")
        await connection.execute(newer.values(role="owner"))
    assert (await patch(admin, path, {"name": "renamed"})).json["role"] == "owner"
    assert (await newer_key.get("/admin/keys")).status == 403
    assert (await newer_key.post("/complete", {"prompt": "a"})).status == 403
    assert (await patch(mine, path, {"is_blocked": True})).status == 403
    assert (await mine.get(path, method="DELETE")).status == 403
    assert len([line for line in caplog.messages if "'owner'" in line]) == 1


@pytest.mark.parametrize("scope", ["gateway", "total"])
async def test_a_budget_for_everybody_is_made_by_an_admin(admin: Client, scope: str) -> None:
    """It has no tenant and never resets where its window is everything."""
    answer = await admin.post("/admin/budgets", {"scope": scope, "window": "total", "limit": 5})
    if scope == "gateway":
        assert (answer.json["tenant"], answer.json["subject"], answer.json["resets_at"]) == (None, None, None)
    else:
        assert answer.status == 400


async def test_lists_go_on_where_they_stopped(admin: Client) -> None:
    """Each thing once, in order; a cursor of another list, or of none, is refused."""
    for number in range(3):
        await admin.post("/admin/keys", {"name": f"app {number}"})
    seen, cursor = [], ""
    while True:
        page = (await admin.get(f"/admin/keys?limit=2{cursor}")).json
        seen += [row["key_id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (len(seen), seen) == (7, sorted(set(seen)))
    for bad in (cursor[:-1], "&cursor=x", "&cursor=Zm9v", "&cursor=%C3%A4"):
        assert (await admin.get(f"/admin/keys?limit=2{bad}")).status == 400
    assert (await admin.get(f"/admin/tenants?limit=2{cursor}")).status == 400


async def test_without_a_key_to_seal_under_no_key_is_kept(admin: Client) -> None:
    """It says what is missing; what is kept already can be seen and forgotten."""
    answer = await admin.post("/admin/credentials", {"provider": "demo", "secret": "sk-theirs"}, method="PUT")
    assert (answer.status, answer.json["error"]["code"]) == (409, "no_encryption_key")
    assert (await admin.get("/admin/credentials")).json == {"data": [], "next_cursor": None}
    assert (await admin.get("/admin/credentials/acme/demo", method="DELETE")).status == 404


async def test_while_the_database_is_away_nothing_is_changed(
    admin: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with when to come back, whatever was asked for."""

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("The database cannot be used right now.", retry_after=2)

    for name in ("add_tenant", "tenants", "change_tenant"):
        monkeypatch.setattr(Tenancy, name, away)
    for answer in (
        await admin.get("/admin/tenants"),
        await admin.post("/admin/tenants", {"tenant": "x"}),
        await patch(admin, "/admin/tenants/acme", {"name": "x"}),
    ):
        assert (answer.status, answer.json["error"]["code"], answer.headers["retry-after"]) == (503, "unavailable", "2")
