"""Nobody grants what they do not have (S04), and nobody sets what is not theirs to set (S05, B47)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from farthing.background.clock import SystemClock
from farthing.domain.keys import Caller
from farthing.domain.limits import Limits
from farthing.store import Store
from farthing.store.schema import budgets, keys, people, provider_credentials, teams, tenants
from tests.security.authorization.conftest import HOUR_US, add_key, secret_of
from tests.servers.asgi import Answer, Client

SOON = "2099-01-01"
NARROW = "a narrow team admin"
OWN = {
    "models": ["demo/small"],
    "requests_per_minute": 60,
    "tokens_per_minute": 1000,
    "concurrent_requests": 2,
    "max_cost_usd": 0.25,
}
WIDER: dict[str, list[Any]] = {
    "role": ["org_admin", "auditor", "admin"],
    "tenant": ["other", "house"],
    "team": ["red"],
    "models": [None, ["demo/large"], ["demo/small", "auto"]],
    "expires_at": [None, SOON],
    "requests_per_minute": [None, 61, 10**12],
    "tokens_per_minute": [None, 1001],
    "concurrent_requests": [None, 3],
    "max_cost_usd": [None, 0.250000001, "1"],
}
"""For every field that bounds a key, values beyond those of the narrow team admin."""
FIXED = {"role", "tenant", "team"}
"""Fields that are decided when a key is made."""


@pytest.fixture
async def narrow(client: Client, store: Store) -> Client:
    """A team admin with a bound in every field, for which the gateway has had time to look."""
    caller = Caller(
        tenant="acme",
        key_id=NARROW,
        team="blue",
        role="team_admin",
        allowed_models=frozenset({"demo/small"}),
        limits=Limits(requests_per_minute=60, tokens_per_minute=1000, concurrent_requests=2),
        max_cost=250_000_000,
    )
    await add_key(store, NARROW, caller, expires_at_us=SystemClock().now_us() + HOUR_US)
    # Whoever writes brings this worker up to date.
    admin = client.with_key(secret_of("admin"))
    assert (await admin.post("/admin/keys", {"name": "wake up"})).status == 201
    return client.with_key(secret_of(NARROW))


async def ends(client: Client) -> str:
    """When the narrow key itself ends."""
    end: str = (await client.get(f"/admin/keys/{NARROW}")).json["expires_at"]
    return end


def refused(answer: Answer, status: int, code: str, param: str | None) -> None:
    """Whether an error says exactly this."""
    error = answer.json["error"]
    assert (answer.status, error["code"], error["param"]) == (status, code, param), answer.body


async def rows(store: Store) -> str:
    """Whatever the tables of tenancy hold."""
    found = []
    async with store._engines.reading() as connection:
        for table in (keys, teams, tenants, people, budgets, provider_credentials):
            found += [list(row) for row in await connection.execute(sa.select(table).order_by(*table.primary_key))]
    return json.dumps(found, default=str)


async def test_a_key_within_its_makers_bounds_is_made(narrow: Client) -> None:
    """What the maker has may be given on, and its team is the default."""
    made = await narrow.post("/admin/keys", {"name": "child", **OWN, "expires_at": await ends(narrow)})
    assert made.status == 201
    assert (made.json["team"], made.json["tenant"], made.json["role"]) == ("blue", "acme", "member")
    assert made.json["created_by"] == NARROW


async def test_no_field_is_made_wider_than_its_makers(narrow: Client, store: Store) -> None:
    """403 naming the field, and nothing is kept."""
    fields = {**OWN, "expires_at": await ends(narrow)}
    before = await rows(store)
    for name, values in WIDER.items():
        for value in values:
            answer = await narrow.post("/admin/keys", {"name": "child", **fields, name: value})
            refused(answer, 403, "forbidden", name)
    assert await rows(store) == before


async def test_no_field_is_changed_to_be_wider_than_the_changers(narrow: Client, store: Store) -> None:
    """The same at every update, also where a wider key stays as it is in other fields."""
    end = await ends(narrow)
    made = await narrow.post("/admin/keys", {"name": "child", **OWN, "expires_at": end})
    before = await rows(store)
    for name, values in WIDER.items():
        for value in values:
            answer = await narrow.post(f"/admin/keys/{made.json['key_id']}", {name: value}, method="PATCH")
            refused(answer, 403, "forbidden_field" if name in FIXED else "forbidden", name)
    assert await rows(store) == before
    wide = await narrow.post("/admin/keys/member@acme", {"is_blocked": True}, method="PATCH")
    assert (wide.status, wide.json["state"], wide.json["models"]) == (200, "blocked", None)
    refused(
        await narrow.post("/admin/keys/member@acme", {"models": ["auto"]}, method="PATCH"), 403, "forbidden", "models"
    )


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_higher_ranks_key_is_not_touched(narrow: Client, store: Store, method: str) -> None:
    """A team admin changes neither the auditor nor the org admin that are of the same team."""
    before = await rows(store)
    for name in ("auditor@acme", "org_admin@acme"):
        answer = await narrow.post(f"/admin/keys/{name}", {}, method=method)
        refused(answer, 403, "forbidden", None)
    assert await rows(store) == before


async def test_people_are_raised_no_higher_than_whoever_raises_them(client: Client, store: Store) -> None:
    """Nor moved to another team by somebody who manages one."""
    team_admin, org_admin = (client.with_key(secret_of(name)) for name in ("team_admin@acme", "org_admin@acme"))
    before = await rows(store)
    for role in ("org_admin", "auditor", "admin"):
        answer = await team_admin.post("/admin/people/person@acme", {"role": role}, method="PATCH")
        refused(answer, 403, "forbidden", "role")
    refused(
        await team_admin.post("/admin/people/person@acme", {"team": "red"}, method="PATCH"), 403, "forbidden", "team"
    )
    refused(
        await org_admin.post("/admin/people/person@acme", {"role": "admin"}, method="PATCH"), 403, "forbidden", "role"
    )
    assert await rows(store) == before
    raised = await org_admin.post("/admin/people/person@acme", {"role": "org_admin", "team": "red"}, method="PATCH")
    assert (raised.status, raised.json["role"], raised.json["team"]) == (200, "org_admin", "red")
    refused(
        await team_admin.post("/admin/people/person@acme", {"is_blocked": True}, method="PATCH"),
        404,
        "not_found",
        "person_id",
    )


BASES: dict[tuple[str, str], tuple[sa.Table, dict[str, Any]]] = {
    ("POST", "/admin/keys"): (keys, {"name": "new"}),
    ("PATCH", "/admin/keys/member@acme"): (keys, {}),
    ("POST", "/admin/tenants"): (tenants, {"tenant": "new"}),
    ("PATCH", "/admin/tenants/acme"): (tenants, {}),
    ("POST", "/admin/teams"): (teams, {"team": "new"}),
    ("PATCH", "/admin/teams/acme/blue"): (teams, {}),
    ("PATCH", "/admin/people/person@acme"): (people, {}),
    ("POST", "/admin/budgets"): (
        budgets,
        {"scope": "team", "subject": "red", "tenant": "acme", "window": "day", "limit": 1},
    ),
    ("PATCH", "/admin/budgets/team-budget@acme"): (budgets, {}),
    ("PUT", "/admin/credentials"): (provider_credentials, {"provider": "demo", "secret": "x"}),
}
"""Every write with its table and a body that is good so far."""
FREE = {
    ("POST", "/admin/keys"): {"name", "tenant", "team", "role", "expires_at"},
    ("PATCH", "/admin/keys/member@acme"): {"name", "is_blocked", "expires_at"},
    ("POST", "/admin/tenants"): {"tenant", "name", "plan"},
    ("PATCH", "/admin/tenants/acme"): {"name", "plan", "is_blocked"},
    ("POST", "/admin/teams"): {"team", "tenant", "name"},
    ("PATCH", "/admin/teams/acme/blue"): {"name"},
    ("PATCH", "/admin/people/person@acme"): {"role", "team", "is_blocked"},
    ("POST", "/admin/budgets"): {"tenant", "scope", "subject", "is_hard", "name", "degrade"},
    ("PATCH", "/admin/budgets/team-budget@acme"): {"is_hard", "name", "degrade"},
    ("PUT", "/admin/credentials"): {"provider", "tenant"},
}
"""The columns that the write sets by their own name, beside limits."""
FIGURES = {"requests_per_minute", "tokens_per_minute", "concurrent_requests"}
FOREIGN = ("__class__", "__proto__", "metadata", "user_role", "permissions", "allowed_routes", "Name", "name ", "id")


async def test_every_other_column_is_refused(client: Client, store: Store) -> None:
    """S05: with an admin key as well; 403 for a field that there is, 400 for one that there is not."""
    admin = client.with_key(secret_of("admin"))
    before = await rows(store)
    for (method, path), (table, body) in BASES.items():
        columns = {column.name for column in table.columns} - FREE[method, path] - FIGURES
        for name in columns - ({"tenant"} if table is budgets and method == "POST" else set()):
            answer = await admin.post(path, {**body, name: "x"}, method=method)
            assert answer.status in {400, 403}, (method, path, name, answer.body)
            assert answer.json["error"]["code"] in {"forbidden_field", "invalid_value"}
            assert answer.json["error"]["param"] == name
        for name in FOREIGN:
            refused(await admin.post(path, {**body, name: "x"}, method=method), 400, "invalid_value", name)
    assert await rows(store) == before


BAD_VALUES: dict[str, list[Any]] = {
    "name": ["", " a", "a\u202eb", "a\u200bb", "a\x00b", "a\nb", "x" * 201, "x" * 10_240, 1, [], None],
    "role": ["root", "", "Admin", 1, None, ["admin"]],
    "models": [[], ["a b"], ["x" * 257], [1], "demo/small", ["../\x00"]],
    "expires_at": [
        "0d",
        "-1d",
        "99999y",
        "1 month",
        "2020-01-01",
        "0000-01-01",
        "9999-01-01",
        "NaN",
        1,
        "2099-01-01T00:00",
    ],
    "requests_per_minute": [0, -1, 1.5, "1", True, 10**13, 2**63],
    "max_cost_usd": [-1, "1e3", True, [], 10**13, 1e-10, "NaN"],
    "tenant": ["", "a\u202eb", 1],
}
BAD_AMOUNTS = [
    -1,
    "-1",
    -0.0,
    "-0.0",
    1e308,
    "1e3",
    "NaN",
    "",
    "1,5",
    9_300_000_000,
    "9223372036.854775808",
    True,
    None,
    [],
    0.000_000_000_1,
]


async def test_values_that_make_no_sense_are_refused(client: Client, store: Store) -> None:
    """B47: 400 naming the field, and nothing is kept."""
    admin = client.with_key(secret_of("admin"))
    before = await rows(store)
    for name, values in BAD_VALUES.items():
        for value in values:
            answer = await admin.post("/admin/keys", {"name": "new", name: value})
            error = answer.json["error"]
            assert answer.status == 400, (name, value, answer.body)
            assert error["param"].split(".")[0] == name
            assert error["code"] in {"invalid_value", "invalid_parameter"}
    for amount in BAD_AMOUNTS:
        body = {"scope": "team", "subject": "red", "tenant": "acme", "window": "day", "limit": amount}
        refused(await admin.post("/admin/budgets", body), 400, "invalid_value", "limit")
    for name, value in (("name", None), ("is_blocked", None)):
        refused(await admin.post("/admin/keys/member@acme", {name: value}, method="PATCH"), 400, "invalid_value", name)
        refused(await admin.post("/admin/tenants/acme", {name: value}, method="PATCH"), 400, "invalid_value", name)
    assert await rows(store) == before


async def test_what_is_there_is_not_made_twice(client: Client, store: Store) -> None:
    """B47: 409 for a key's name, a tenant, a team and a budget."""
    admin = client.with_key(secret_of("admin"))
    before = await rows(store)
    for path, body, param in (
        ("/admin/keys", {"name": "member@acme", "tenant": "acme"}, "name"),
        ("/admin/tenants", {"tenant": "acme"}, "tenant"),
        ("/admin/teams", {"tenant": "acme", "team": "blue"}, "team"),
        (
            "/admin/budgets",
            {"scope": "team", "tenant": "acme", "subject": "blue", "window": "day", "limit": 5},
            "scope",
        ),
    ):
        refused(await admin.post(path, body), 409, "conflict", param)
    refused(await admin.post("/admin/keys/red@acme", {"name": "member@acme"}, method="PATCH"), 409, "conflict", "name")
    assert await rows(store) == before
