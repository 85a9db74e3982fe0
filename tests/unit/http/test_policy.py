"""Who may use which route: walked over the registry, so that a new route cannot be forgotten."""

from __future__ import annotations

import pytest

from farthing.dashboard import load_page
from farthing.http.policy import NEEDED, Policy, Route
from farthing.http.routes import ROUTES
from tests.servers.asgi import Answer, Client
from tests.unit.http.conftest import SECRETS

PLACES = {
    "{model_id:path}": "demo/small",
    "{request_id}": "0",
    "{name}": min(load_page()),
    "{tenant}": "nowhere",
    "{team}": "none",
    "{person_id}": "nobody",
    "{key_id}": "nothing",
    "{budget_id}": "none",
}
WITH_BODY = {"POST", "PATCH"}
SIGN_ON = {"/login", "/login/callback", "/logout"}
"""Not there without an identity provider."""
SOCKET_PATHS = [route.path for route in ROUTES if route.methods == "WS"]
HTTP_ROUTES = [route for route in ROUTES if route.methods != "WS"]


def path_of(route: Route) -> str:
    """An address that the route answers."""
    path = route.path
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return f"{path}?prompt=x" if path in {"/recommendation", "/routing/decision"} else path


async def asked(client: Client, route: Route) -> list[Answer]:
    """The answers to a plain request by each of the route's methods."""
    path = path_of(route)
    return [
        await (client.post(path, {}, method=method) if method in WITH_BODY else client.get(path, method=method))
        for method in route.methods.split()
    ]


def test_every_route_names_its_policy() -> None:
    """The few public ones are these, and no address stands twice."""
    assert {route.path for route in ROUTES if route.policy is Policy.PUBLIC} == {
        "/",
        "/assets/{name}",
        "/livez",
        "/readyz",
        "/login",
        "/login/callback",
        "/logout",
    }
    assert len({(route.methods, route.path) for route in ROUTES}) == len(ROUTES)


async def test_without_a_key_only_public_routes_answer(client: Client) -> None:
    """Every other one is 401, with how to show a key."""
    for route in HTTP_ROUTES:
        for answer in await asked(client, route):
            if route.policy is Policy.PUBLIC:
                assert answer.status == (404 if route.path in SIGN_ON else 200), route
            else:
                assert answer.status == 401, route
                assert answer.headers["www-authenticate"] == 'Bearer realm="farthing"'


async def test_a_wrong_key_opens_nothing(client: Client) -> None:
    """As without one."""
    stranger = client.with_key("sk-wrong")
    for route in HTTP_ROUTES:
        for answer in await asked(stranger, route):
            assert (answer.status == 401) == (route.policy is not Policy.PUBLIC), route


async def test_admin_routes_are_closed_to_plain_keys(client: Client) -> None:
    """403 there, and nowhere else; what only an auditor may not do is open. An admin key is let in everywhere."""
    for route in HTTP_ROUTES:
        for answer in await asked(client.with_key(SECRETS.acme), route):
            assert (answer.status == 403) == (route.policy in NEEDED.keys() - {Policy.ASK}), route
            assert answer.status != 401, route
        for answer in await asked(client.with_key(SECRETS.admin), route):
            assert answer.status not in {401, 403}, route


@pytest.mark.parametrize("path", SOCKET_PATHS)
async def test_sockets_ask_for_a_key_as_well(client: Client, path: str) -> None:
    """Closed before they are accepted, which servers tell as 403."""
    for stranger in (client, client.with_key("sk-wrong")):
        async with stranger.socket(path) as socket:
            assert await socket.closed() == 1008
    async with client.with_key(SECRETS.acme).socket(path) as socket:
        await socket.accepted()


async def test_without_any_key_a_gateway_on_loopback_is_open(open_client: Client) -> None:
    """To admin routes, too, and whatever key somebody shows."""
    for route in HTTP_ROUTES:
        for client in (open_client, open_client.with_key("anything")):
            for answer in await asked(client, route):
                assert answer.status not in {401, 403}, route
