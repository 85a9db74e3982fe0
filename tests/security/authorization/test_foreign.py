"""What belongs to others does not exist (S09, S10), and no answer tells a secret (S13, S43)."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from farthing.domain.secrets import digest
from farthing.http.policy import Policy
from farthing.http.routes import ROUTES
from farthing.store import Store
from farthing.store.schema import (
    budgets,
    experiments,
    keys,
    people,
    provider_credentials,
    response_cache,
    teams,
    tenants,
)
from tests.conformance.store.samples import answer as kept_answer
from tests.conformance.store.samples import exchange
from tests.conformance.store.trials import experiment
from tests.security.authorization.conftest import secret_of
from tests.security.authorization.test_matrix import path_of
from tests.servers.asgi import Client

MANY = 1000
REQUEST = "01a1fd92-2f90-7b74-92b4-ef6b0ff41e54"
UNKNOWN_REQUEST = "01a1fd92-2f90-7b74-92b4-ef6b0ff41e55"
RESULT = {"user_id": "ann", "assigned_strategy": "test", "cost": 0.1, "latency_ms": 1}
NOBODYS = {"model_id:path}", "month}"}
"""What paths take that belongs to no tenant."""
BY_ID: list[tuple[str, str, str, str, Any]] = [
    ("GET", "/admin/keys/{}", "member@other", "member@none", None),
    ("PATCH", "/admin/keys/{}", "member@other", "member@none", {"is_blocked": True}),
    ("DELETE", "/admin/keys/{}", "member@other", "member@none", None),
    ("GET", "/admin/people/{}", "person@other", "person@none", None),
    ("PATCH", "/admin/people/{}", "person@other", "person@none", {"is_blocked": True}),
    ("PATCH", "/admin/teams/other/{}", "blue", "none", {"name": "taken"}),
    ("PATCH", "/admin/teams/{}/blue", "other", "none", {"name": "taken"}),
    ("GET", "/admin/budgets/{}", "team-budget@other", "none", None),
    ("PATCH", "/admin/budgets/{}", "team-budget@other", "none", {"limit": 0}),
    ("DELETE", "/admin/budgets/{}", "team-budget@other", "none", None),
    ("DELETE", "/admin/credentials/{}/demo", "other", "none", None),
    ("GET", "/admin/invoices/{}/2026-11", "other", "none", None),
    ("GET", "/v1/requests/{}", REQUEST, UNKNOWN_REQUEST, None),
    ("DELETE", "/cache/{}", "answer-of-other", "none", None),
    ("GET", "/experiments/{}", "exp-1", "exp-0", None),
    ("PATCH", "/experiments/{}", "exp-1", "exp-0", {"traffic": 0.5}),
    ("POST", "/experiments/{}/stop", "exp-1", "exp-0", {}),
    ("GET", "/experiments/{}/results", "exp-1", "exp-0", None),
    ("POST", "/experiments/{}/results", "exp-1", "exp-0", RESULT),
]
"""Every route that takes an id: one of another tenant, one that nobody has, and a body."""
LISTS = ("/admin/keys", "/admin/people", "/admin/teams", "/admin/budgets", "/admin/tenants", "/v1/requests")


async def dump(store: Store) -> str:
    """Whatever the tables of tenancy hold, experiments and kept answers."""
    found = []
    async with store._engines.reading() as connection:
        owned = (keys, teams, tenants, people, budgets, provider_credentials, experiments, response_cache)
        for table in owned:
            found += [list(row) for row in await connection.execute(sa.select(table).order_by(*table.primary_key))]
    return json.dumps(found, default=str)


def test_every_route_with_an_id_is_in_the_list() -> None:
    """But those whose ids are no tenant's: models, months, files of the page, and what admins alone may touch."""
    listed = {(method, path.split("{")[0]) for method, path, *_ in BY_ID}
    for route in ROUTES:
        if (
            "{" in route.path
            and route.policy not in {Policy.PUBLIC, Policy.ADMIN}
            and route.path.split("{")[1] not in NOBODYS
        ):
            assert (route.methods, route.path.split("{")[0]) in listed | {("PATCH", "/admin/teams/")}


@pytest.mark.parametrize("name", ["org_admin@acme", "team_admin@acme"])
async def test_foreign_ids_are_as_unknown_as_any(client: Client, store: Store, name: str) -> None:
    """S10: the same status and the same bytes as for an id that was never given, and no effect."""
    await store.ingest.write([exchange(request_id=REQUEST, tenant="other")])
    await store.experiments.create(experiment(tenant="other"))
    await store.cache_level.put("answer-of-other", kept_answer(tenant="other"))
    caller = client.with_key(secret_of(name))
    before = await dump(store)
    for method, path, foreign, unknown, body in BY_ID:
        told = [
            await (
                caller.get(path.format(one), method=method)
                if body is None
                else caller.post(path.format(one), body, method=method)
            )
            for one in (foreign, unknown)
        ]
        is_above = path.startswith(("/admin/teams", "/admin/credentials", "/cache/")) and name.startswith("team_admin")
        expected = 403 if is_above else 404
        assert [one.status for one in told] == [expected, expected], (method, path)
        assert told[0].body == told[1].body
        assert "other" not in told[0].body.decode()
    assert await dump(store) == before


async def test_another_teams_are_unknown_to_a_team_admin(client: Client, store: Store) -> None:
    """Within the tenant, too: keys, people, and budgets that are not its team's."""
    caller = client.with_key(secret_of("team_admin@acme"))
    before = await dump(store)
    for path in ("/admin/keys/red@acme", "/admin/budgets/tenant-budget@acme"):
        unknown = await caller.get(path.replace("red", "none").replace("tenant-", "no-"))
        for method in ("GET", "PATCH", "DELETE"):
            is_write = method == "PATCH"
            answer = await (caller.post(path, {}, method=method) if is_write else caller.get(path, method=method))
            assert (answer.status, answer.body) == (404, unknown.body)
    assert await dump(store) == before


async def seed(store: Store) -> None:
    """A thousand tenants with a key, a team, a person, a budget and a request each."""
    names = [f"tenant-{number:04}" for number in range(MANY)]
    owned: list[dict[str, Any]] = [
        {"tenant": name, "name": name, "is_blocked": False, "created_at": 1} for name in names
    ]
    rows: list[tuple[sa.Table, list[dict[str, Any]]]] = [
        (tenants, owned),
        (teams, [{"tenant": name, "team": "t", "name": name, "created_at": 1} for name in names]),
        (
            people,
            [
                {**row, "person_id": row["tenant"], "issuer": "i", "subject": row["tenant"], "role": "member"}
                for row in owned
            ],
        ),
        (
            keys,
            [
                {**row, "key_id": row["tenant"], "digest": digest(secret_of(row["tenant"])), "hint": "…"}
                | {"is_admin": False, "role": "org_admin", "changed": 10**6}
                for row in owned
            ],
        ),
        (
            budgets,
            [
                {"budget_id": name, "tenant": name, "scope": "tenant", "subject": name, "period": "day"}
                | {"limit_nano": 1, "is_hard": True, "created_at": 1}
                for name in names
            ],
        ),
    ]
    async with store._engines.writing() as connection:
        for table, many in rows:
            await connection.execute(sa.insert(table), many)
    ids = (f"{REQUEST[:-4]}{number:04}" for number in range(MANY))
    await store.ingest.write([exchange(request_id=one, tenant=name) for one, name in zip(ids, names, strict=True)])


async def test_of_a_thousand_tenants_each_sees_itself(store: Store, client: Client) -> None:
    """S09: not one foreign row in any list, whatever the cursor says; an admin pages through all of them."""
    await seed(store)
    admin = client.with_key(secret_of("admin"))
    assert (await admin.post("/admin/keys", {"name": "wake up"})).status == 201
    theirs: dict[str, str] = {}
    for path in LISTS:
        first = (await admin.get(f"{path}?limit=3")).json
        theirs[path] = first["next_cursor"]
        seen = [row.get("tenant") for row in first["data"]]
        while cursor := first["next_cursor"]:
            first = (await admin.get(f"{path}?limit=1000&cursor={cursor}")).json
            seen += [row.get("tenant") for row in first["data"]]
        assert len({name for name in seen if name and name.startswith("tenant-")}) == MANY, path
    for number in random.Random(7).sample(range(MANY), 5):
        name = f"tenant-{number:04}"
        caller = client.with_key(secret_of(name))
        for path in LISTS:
            answer = await caller.get(f"{path}?limit=1000")
            assert [row["tenant"] for row in answer.json["data"]] == [name], path
            assert (await caller.get(f"{path}?cursor={theirs[path]}")).status == 400


async def test_a_team_admin_lists_its_team(client: Client) -> None:
    """Its keys, people and budgets, and itself among the teams."""
    caller = client.with_key(secret_of("team_admin@acme"))
    for path in ("/admin/keys", "/admin/people", "/admin/teams"):
        rows = (await caller.get(path)).json["data"]
        assert {(row["tenant"], row["team"]) for row in rows} == {("acme", "blue")}
    assert [row["budget_id"] for row in (await caller.get("/admin/budgets")).json["data"]] == ["team-budget@acme"]
    assert [row["tenant"] for row in (await caller.get("/admin/tenants")).json["data"]] == ["acme"]


async def test_no_answer_tells_a_secret(client: Client, store: Store) -> None:
    """S13 and S43: neither a secret, nor what is kept of it; of a secret the last four characters are shown."""
    admin = client.with_key(secret_of("admin"))
    made = (await admin.post("/admin/keys", {"name": "canary", "tenant": "acme"})).json
    secrets = [
        made["secret"],
        *(secret_of(f"{role}@acme") for role in ("member", "auditor", "org_admin")),
        secret_of("admin"),
    ]
    canaries = {form for secret in secrets for form in forms(secret)}
    bodies = [
        await admin.post(f"/admin/keys/{made['key_id']}", {"name": "still a canary"}, method="PATCH"),
        await admin.get(f"/admin/keys/{made['key_id']}"),
        await admin.get(f"/admin/keys/{made['key_id']}", method="DELETE"),
    ]
    bodies += [await admin.get(path_of(route)) for route in ROUTES if route.methods.startswith("GET")]
    bodies += [await admin.get(f"{path}?limit=1000") for path in LISTS]
    for answer in bodies:
        assert not [form for form in canaries if form in answer.body], answer.body[:200]
    shown = [row["hint"] for row in (await admin.get("/admin/keys?limit=1000")).json["data"]]
    assert all(hint.startswith("sk-farthing-…") and len(hint) == len("sk-farthing-…") + 4 for hint in shown)


def forms(secret: str) -> set[bytes]:
    """The secret, its beginning, and its digest in every common writing."""
    kept = digest(secret)
    return {
        secret.encode(),
        secret[:20].encode(),
        kept,
        kept.hex().encode(),
        b64encode(kept),
        b64encode(secret.encode()),
    }


async def test_what_is_kept_of_a_secret_is_no_key(client: Client) -> None:
    """S13: whoever reads the database cannot come in with it."""
    for form in forms(secret_of("admin")) - {secret_of("admin").encode()}:
        answer = await client.with_key(form.decode("latin-1")).get("/stats")
        assert answer.status in {400, 401}


TRICKS = (
    "'",
    '"',
    ";",
    "--",
    "/*",
    "*/",
    "\\",
    "%",
    "_",
    "(",
    ")",
    "=",
    "||",
    "UNION SELECT",
    "OR 1=1",
    "DROP TABLE keys",
)


MARK = "f4r7h1ng"
"""What a text that was sent is known by, wherever it turns up."""


@contextmanager
def statements() -> Iterator[list[str]]:
    """What every database of this process is asked meanwhile, with the values."""
    heard: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        heard.append(f"{statement} {parameters!r}")

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def test_sql_in_a_key_is_an_unknown_key(client: Client, store: Store) -> None:
    """S01: 300 texts that mean something to a database, in each channel: one answer, and no database hears of them."""
    before = await dump(store)
    dice = random.Random(300)
    said = set()
    with statements() as heard:
        await client.with_key(secret_of("admin")).get(f"/admin/keys/{MARK}")
        assert any(MARK in statement for statement in heard)
        heard.clear()
        for _ in range(300):
            text = f"{MARK} {' '.join(dice.choices(TRICKS, k=dice.randint(1, 6)))}"
            header = dice.choice(["authorization", "x-api-key", "x-goog-api-key"])
            path = dice.choice(["/stats", "/admin/keys", "/v1/models"])
            answer = await client.get(path, [(header, f"Bearer {text}" if header == "authorization" else text)])
            assert answer.status == 401
            said.add(answer.body)
    assert len(said) == 1
    assert [statement for statement in heard if MARK in statement] == []
    assert await dump(store) == before
