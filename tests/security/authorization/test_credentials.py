"""Tenants' own keys for providers: whose they are, who brings them, and that nobody sees them again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.app.brought import build_vault
from farthing.domain.secrecy import Secret
from farthing.providers.vault import CannotOpen
from farthing.settings import Settings
from farthing.store import Store
from tests.security.authorization.conftest import secret_of
from tests.security.authorization.test_foreign import dump
from tests.security.authorization.test_grants import refused
from tests.servers.asgi import Answer, Client

THEIRS = "sk-a-key-of-acme-for-demo"


async def put(client: Client, **body: object) -> Answer:
    """Brings a key for the demo's provider."""
    return await client.post("/admin/credentials", {"provider": "demo", "secret": THEIRS, **body}, method="PUT")


async def test_a_key_is_kept_sealed_for_its_tenant_alone(client: Client, store: Store, settings: Settings) -> None:
    """Shown by its last four characters, replaced by the next one, and good for no other tenant or address."""
    org_admin = client.with_key(secret_of("org_admin@acme"))
    first, second = await put(org_admin), await put(org_admin, secret=f"{THEIRS}-2")
    assert (first.status, first.json["hint"], second.json["hint"]) == (200, "…demo", "…mo-2")
    assert (await org_admin.get("/admin/credentials")).json["data"] == [second.json]
    assert (second.json["tenant"], second.json["provider"]) == ("acme", "demo")
    [kept] = await store.credentials.list()
    vault = build_vault(settings)
    assert vault is not None
    assert vault.open(kept.sealed, kept.bond) == Secret(f"{THEIRS}-2")
    for elsewhere in (replace(kept.bond, tenant="other"), replace(kept.bond, origin="https://evil.example:443")):
        with pytest.raises(CannotOpen):
            vault.open(kept.sealed, elsewhere)
    for answer in (first, second, await org_admin.get("/admin/credentials")):
        assert THEIRS.encode() not in answer.body
    assert (await org_admin.get("/admin/credentials/acme/demo", method="DELETE")).json == {
        "tenant": "acme",
        "provider": "demo",
        "deleted": True,
    }
    assert await store.credentials.list() == []


async def test_a_key_is_brought_by_those_above_teams(client: Client, store: Store) -> None:
    """An auditor sees that it is there, a team admin not even that, and another tenant nothing."""
    assert (await put(client.with_key(secret_of("admin")), tenant="acme")).status == 200
    before = await dump(store)
    seen = {"auditor@acme": 1, "org_admin@acme": 1, "team_admin@acme": 0, "org_admin@other": 0, "admin": 1}
    for name, number in seen.items():
        answer = await client.with_key(secret_of(name)).get("/admin/credentials")
        assert (answer.status, len(answer.json["data"])) == (200, number), name
    for name in ("auditor@acme", "team_admin@acme", "member@acme"):
        assert (await put(client.with_key(secret_of(name)))).status == 403
    refused(await put(client.with_key(secret_of("org_admin@other")), tenant="acme"), 404, "not_found", "tenant")
    assert await dump(store) == before


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"provider": "nowhere"}, 404, "provider"),
        ({"tenant": "nowhere"}, 404, "tenant"),
        ({"secret": ""}, 400, "secret"),
        ({"secret": "two words"}, 400, "secret"),
        ({"secret": "a\nb"}, 400, "secret"),
        ({"secret": "schlüssel"}, 400, "secret"),
        ({"secret": "x" * 4097}, 400, "secret"),
        ({"secret": None}, 400, "secret"),
    ],
)
async def test_what_is_no_key_is_not_kept(
    client: Client, store: Store, body: dict[str, object], status: int, param: str
) -> None:
    """It names the field, and does not repeat what was sent."""
    answer = await put(client.with_key(secret_of("admin")), **body)
    assert (answer.status, answer.json["error"]["param"]) == (status, param)
    assert str(body.get("secret") or THEIRS).encode() not in answer.body
    assert await store.credentials.list() == []


async def test_keys_are_listed_in_portions(client: Client) -> None:
    """By tenant, each once."""
    admin = client.with_key(secret_of("admin"))
    for tenant in ("other", "acme", "shut"):
        assert (await put(admin, tenant=tenant)).status == 200
    first = (await admin.get("/admin/credentials?limit=2")).json
    rest = (await admin.get(f"/admin/credentials?limit=2&cursor={first['next_cursor']}")).json
    assert [row["tenant"] for row in (*first["data"], *rest["data"])] == ["acme", "other", "shut"]
    assert rest["next_cursor"] is None
