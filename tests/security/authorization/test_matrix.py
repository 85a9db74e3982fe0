"""Every route and method for every kind of caller (S02, S07, S08, S11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from farthing.app import replaying, reporting, training
from farthing.http.application import build_application, check_listed
from farthing.http.desk import HOT
from farthing.http.live import live_metrics
from farthing.http.policy import Policy, Route
from farthing.http.routes import ROUTES
from tests.security.authorization.conftest import secret_of
from tests.servers.asgi import Answer, Client, Pairs, _scope

P = Policy
ADMINS = {P.KEY, P.ASK, P.AUDIT, P.TEAM_ADMIN, P.ORG_ADMIN, P.ADMIN}
MAY = {
    "member@acme": {P.KEY, P.ASK},
    "auditor@acme": {P.KEY, P.AUDIT},
    "team_admin@acme": {P.KEY, P.ASK, P.AUDIT, P.TEAM_ADMIN},
    "org_admin@acme": {P.KEY, P.ASK, P.AUDIT, P.TEAM_ADMIN, P.ORG_ADMIN},
    "admin": ADMINS,
}
"""The policies that each key is let in by; everybody is by PUBLIC."""
STRANGERS = {
    "nobody": "missing_api_key",
    "never made": "invalid_api_key",
    "expired": "key_expired",
    "blocked": "invalid_api_key",
    "revoked": "invalid_api_key",
    "of a blocked tenant": "invalid_api_key",
}
"""Who is not let in at all, and what is said to them."""

SAID = [{"role": "user", "content": "hi"}]
BODIES: dict[str, Any] = {
    "/v1/chat/completions": {"model": "demo/small", "messages": SAID},
    "/v1/messages": {"model": "demo/small", "max_tokens": 9, "messages": SAID},
    "/v1/messages/count_tokens": {"model": "demo/small", "messages": SAID},
    "/v1/responses": {"model": "demo/small", "input": "hi"},
    "/v1/embeddings": {"model": "demo/small", "input": "hi"},
    "/complete": {"prompt": "hi"},
}
QUERIES = {"/recommendation": "?prompt=x", "/routing/decision": "?prompt=x"}
HTTP = [route for route in ROUTES if route.methods != "WS"]
CELLS = [(route, method) for route in HTTP for method in route.methods.split()]


@pytest.fixture(autouse=True)
def _short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may start a process has started one, and what that makes of its order is no matter here."""
    for part in (replaying, reporting, training):
        monkeypatch.setattr(part, "_PROGRAM", "import sys; sys.stdin.buffer.read()")


def path_of(route: Route) -> str:
    """An address of the route that names nothing known."""
    path = route.path.replace(":path", "")
    for name in (
        "model_id",
        "request_id",
        "name",
        "tenant",
        "team",
        "person_id",
        "key_id",
        "budget_id",
        "provider",
        "experiment_id",
        "cache_key",
    ):
        path = path.replace(f"{{{name}}}", "none")
    path = path.replace("{month}", "2026-11")
    return path + QUERIES.get(path, "")


async def ask(client: Client, route: Route, method: str, headers: Pairs = ()) -> Answer:
    """A request to the route, whose body is one that would be good, or empty."""
    path = path_of(route)
    if method in {"POST", "PATCH", "PUT"}:
        return await client.post(path, BODIES.get(path, {}), headers, method=method)
    return await client.get(path, headers, method=method)


def code(answer: Answer) -> str | None:
    """Of an error, in the dialects that tell one."""
    error: dict[str, Any] = answer.json["error"]
    return error.get("code")


@pytest.mark.parametrize("name", MAY)
async def test_every_role_meets_every_route(client: Client, name: str) -> None:
    """403 where its policies do not reach, and never where they do; an auditor asks no models and rates none."""
    caller = client.with_key(secret_of(name))
    for route, method in CELLS:
        answer = await ask(caller, route, method)
        asks = route.path in HOT or route.path == "/feedback"
        is_in = route.policy is P.PUBLIC or (route.policy in MAY[name] and not (asks and name.startswith("auditor")))
        assert answer.status != 401, (name, method, route.path)
        assert (answer.status == 403) == (not is_in), (name, method, route.path, answer.body)


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_meet_every_route(client: Client, name: str) -> None:
    """401 everywhere but on public routes, whatever they ask for."""
    caller = client if name == "nobody" else client.with_key(secret_of(name))
    for route, method in CELLS:
        answer = await ask(caller, route, method)
        assert (answer.status == 401) == (route.policy is not P.PUBLIC), (name, method, route.path, answer.body)
        if answer.status == 401 and HOT.get(route.path) not in {"anthropic", "count_tokens"}:
            assert code(answer) == STRANGERS[name]


@pytest.mark.parametrize("name", [*MAY, *STRANGERS])
async def test_the_socket_is_for_keys(client: Client, name: str) -> None:
    """Every role may see its tenant's figures live, no stranger may."""
    caller = client if name == "nobody" else client.with_key(secret_of(name))
    for route in ROUTES:
        if route.methods == "WS":
            async with caller.socket(route.path) as socket:
                if name in MAY:
                    await socket.accepted()
                else:
                    assert await socket.closed() == 1008


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("authorization", "Bearer {}"),
        ("authorization", "bearer {}"),
        ("x-api-key", "{}"),
        ("x-goog-api-key", "{}"),
    ],
)
async def test_every_channel_leads_to_the_same_policies(client: Client, header: str, form: str) -> None:
    """S11: what a role may not do, it may not do however it shows its key."""
    for name in ("member@acme", "team_admin@acme", "expired", "blocked"):
        for route, method in CELLS:
            if route.policy is not P.PUBLIC:
                answer = await ask(client, route, method, [(header, form.format(secret_of(name)))])
                status = 401 if name in STRANGERS else 403
                is_in = route.policy in MAY.get(name, set())
                assert (answer.status == status) == (not is_in), (name, method, route.path)


async def test_what_is_no_channel_opens_nothing(client: Client) -> None:
    """S11: a key in the address, in a cookie or in a header of another name is none."""
    secret = secret_of("admin")
    for headers in ([("api-key", secret)], [("cookie", f"key={secret}")], [("x-key", secret)]):
        assert (await client.get("/admin/keys", headers)).status == 401
    for place in (f"/admin/keys?key={secret}", f"/admin/keys?api_key={secret}", f"/admin/keys/{secret}"):
        assert (await client.get(place)).status == 401


async def test_two_keys_are_one_too_many(client: Client) -> None:
    """S11: a weak key beside a strong one gets neither's rights."""
    for header in ("x-api-key", "x-goog-api-key", "authorization"):
        answer = await client.with_key(secret_of("member@acme")).get("/admin/keys", [(header, secret_of("admin"))])
        assert (answer.status, code(answer)) == (400, "conflicting_credentials")


HOSTS = [
    *(
        "",
        "localhost/",
        "localhost/v1/models",
        "localhost?x",
        "localhost#x",
        "a@localhost",
        "localhost:x",
        "local host",
    ),
    *("localhost\t", " localhost", "localhost:80:80", "localhost,evil", "http://localhost", "[::1", "localhost\\x"),
    *("%6cocalhost/..", "localhost\r\nx: y", "läcalhost", "x" * 65_536, "localhost:99999999"),
]


async def test_a_host_never_moves_a_request_to_another_policy(client: Client) -> None:
    """S02: who asks is decided by the route object, and a Host that is none is 400 before that."""
    closed = [cell for cell in CELLS if cell[0].policy in {P.ADMIN, P.ORG_ADMIN, P.AUDIT}]
    for host in HOSTS:
        for route, method in closed:
            headers = [("host", host), ("authorization", f"Bearer {secret_of('member@acme')}")]
            answer = await client.send(_scope("http", path_of(route), headers, method=method), b"")
            assert answer.status == 400, (host, route.path)
            assert code(answer) == "invalid_host"


PATHS = [
    *("//admin/keys", "/admin//keys", "/v1/../admin/keys", "/./admin/keys", "/ADMIN/keys", "/Admin/Keys"),
    *("/admin/keys/", "/admin/keys;x", "/admin/keys%2f", "/admin%2fkeys", "/%2e%2e/admin/keys", "/admin/keys\x00"),
    *("http://localhost/admin/keys", "\\admin\\keys", "/v1/models/../../admin/keys", "/assets/../admin/keys"),
]


@pytest.mark.parametrize("name", ["nobody", "member@acme"])
async def test_a_path_by_another_spelling_is_no_way_in(client: Client, name: str) -> None:
    """S02: whatever is not the route's own path is nobody's, or asks for the same rights."""
    caller = client if name == "nobody" else client.with_key(secret_of(name))
    for path in PATHS:
        answer = await caller.get(path)
        assert answer.status in {401, 403, 404}, path
        assert b"sk-farthing" not in answer.body


async def test_no_header_names_another_path(client: Client) -> None:
    """S02: the answer is that of the path, and a closed path stays closed."""
    member = client.with_key(secret_of("member@acme"))
    for header in ("x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-forwarded-path"):
        assert "admin" not in (await member.get("/v1/models", [(header, "/admin/keys")])).body.decode()
        assert (await member.get("/admin/keys", [(header, "/v1/models")])).status == 403


def rebuilt(client: Client) -> FastAPI:
    """The application behind the routes that are not hot, made anew."""
    services = client.application._rest._services  # type: ignore[attr-defined]
    return build_application(ROUTES, services=services, page={})


def behind_the_registry(app: FastAPI) -> Iterator[Any]:
    """Ways to serve something that nobody has listed."""
    yield lambda: app.get("/secret")(dict)
    yield lambda: app.add_api_route("/secret", dict)
    yield lambda: app.router.add_api_route("/secret", dict)


async def test_a_route_without_a_policy_cannot_be_made(client: Client) -> None:
    """S07: FastAPI's own ways to add one fail where they are used."""
    app = rebuilt(client)
    for add in behind_the_registry(app):
        with pytest.raises(TypeError, match=r"/secret has no policy: list it in farthing\.http\.routes"):
            add()


async def test_what_is_served_is_what_is_listed(client: Client) -> None:
    """S07: Starlette's own ways are found when the application is built, and so is a route with another guard."""
    ways: dict[str, Callable[[FastAPI], object]] = {
        "/mounted": lambda app: app.mount("/mounted", FastAPI()),
        "/plain": lambda app: app.router.add_route("/plain", lambda _: PlainTextResponse("")),
        "/listen": lambda app: app.add_api_websocket_route("/listen", live_metrics),
    }
    for path, add in ways.items():
        app = rebuilt(client)
        check_listed(app.routes, ROUTES)
        add(app)
        with pytest.raises(TypeError, match=f"{path} has no policy"):
            check_listed(app.routes, ROUTES)
    app = rebuilt(client)
    weaker = [Route("GET", route.path, P.KEY, route.answer) if route.path == "/metrics" else route for route in ROUTES]
    with pytest.raises(TypeError, match="/metrics has no policy"):
        check_listed(app.routes, weaker)


def test_few_routes_are_public() -> None:
    """S07: these, and no others."""
    public = {route.path for route in ROUTES if route.policy is P.PUBLIC}
    assert public - {"/login", "/login/callback", "/logout"} == {"/", "/assets/{name}", "/livez", "/readyz"}
