"""The live figures over a WebSocket."""

from __future__ import annotations

import pytest

from farthing.domain.errors import Unavailable
from farthing.http import hub
from farthing.store import Store
from farthing.store.queries import Queries
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

PATH = "/metrics/live"
PING = '{"action": "ping"}'


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """New figures come at once."""
    monkeypatch.setattr(hub, "INTERVAL_S", 0.0)


async def test_the_first_figures_come_at_once(open_client: Client) -> None:
    """The same object as over HTTP, with its moment and number."""
    async with open_client.socket(PATH) as socket:
        figures = await (await socket.accepted()).json()
    over_http = (await open_client.get("/routing/metrics")).json
    assert figures.pop("timestamp") > over_http["generated_at"][:10]
    assert figures.pop("sequence") > 0
    assert figures.pop("age_seconds") <= over_http.pop("age_seconds")
    assert figures == over_http


@pytest.mark.usefixtures("quick")
async def test_the_sequence_rises(open_client: Client) -> None:
    """With each message of figures."""
    async with open_client.socket(PATH) as socket:
        await socket.accepted()
        seen = [(await socket.json())["sequence"] for _ in range(3)]
    assert seen == sorted(set(seen))


async def test_a_ping_is_answered_at_once(open_client: Client) -> None:
    """Before the next figures are due, as often as it comes."""
    async with open_client.socket(PATH) as socket:
        await (await socket.accepted()).json()
        for _ in range(5):
            socket.say(PING)
            answer = await socket.json()
            assert answer["type"] == "pong"
            assert answer["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("hello", None),
        ("", None),
        ("[]", None),
        ('{"action": "subscribe"}', None),
        ('{"action": "ping", "action": "ping"}', None),
        ("[" * 1024, None),
        ('{"action": "ping"}' + " " * 1024, None),
        (None, b'{"action": "ping"}'),
    ],
)
async def test_the_third_mistake_ends_the_talk(open_client: Client, text: str | None, data: bytes | None) -> None:
    """Each is told what would do."""
    async with open_client.socket(PATH) as socket:
        await (await socket.accepted()).json()
        for _ in range(3):
            socket.say(text, data)
            answer = await socket.json()
            assert (answer["type"], set(answer["error"])) == ("error", {"message"})
            assert '{"action": "ping"}' in answer["error"]["message"]
        assert await socket.closed() == 1008


@pytest.mark.usefixtures("quick")
async def test_mistakes_add_up_over_the_whole_talk(open_client: Client) -> None:
    """However slowly they are made."""
    async with open_client.socket(PATH) as socket:
        await (await socket.accepted()).json()
        for _ in range(3):
            socket.say("hello")
            while "sequence" in (answer := await socket.json()):
                pass
            assert answer["type"] == "error"
        message = await socket.next()
        while message["type"] == "websocket.send":
            message = await socket.next()
        assert message["code"] == 1008


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost.evil.example", "http://localhost:1", "localhost", "http://[", ""],
)
async def test_a_page_of_another_origin_is_not_let_in(open_client: Client, origin: str) -> None:
    """A browser says where a page is from; the open gateway on this machine must not serve them all."""
    async with open_client.socket(PATH, [("origin", origin)]) as socket:
        assert await socket.closed() == 1008


@pytest.mark.parametrize("origin", ["http://localhost", "https://localhost"])
async def test_our_own_page_is_let_in(open_client: Client, origin: str) -> None:
    """With TLS before us or without."""
    async with open_client.socket(PATH, [("origin", origin)]) as socket:
        await socket.accepted()


async def test_a_host_that_is_none_is_not_let_in(open_client: Client) -> None:
    """As over HTTP."""
    async with open_client.socket(PATH, [("host", "other")]) as socket:
        assert await socket.closed() == 1008


@pytest.mark.usefixtures("quick")
async def test_a_key_that_is_revoked_meanwhile_ends_it(client: Client, store: Store) -> None:
    """No further figures are sent."""
    async with client.with_key(SECRETS.acme).socket(PATH) as socket:
        await (await socket.accepted()).json()
        await store.keys.revoke("key-acme", revoked_at_us=1)
        message = await socket.next()
        while message["type"] == "websocket.send":
            message = await socket.next()
        assert message["code"] == 1008


@pytest.mark.usefixtures("quick")
async def test_figures_that_cannot_be_had_are_told_in_their_place(
    open_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket stays, and shows figures again when there are some."""
    away = True

    async def routing_metrics(*_: object) -> dict[str, int]:
        if away:
            raise Unavailable("The database does not answer.")
        return {"total_decisions": 3}

    monkeypatch.setattr(Queries, "routing_metrics", routing_metrics)
    async with open_client.socket(PATH) as socket:
        answer = await (await socket.accepted()).json()
        assert answer["error"] == {"message": "The database does not answer."}
        assert answer["sequence"] > 0
        away = False
        while "error" in answer:
            answer = await socket.json()
        assert answer["total_decisions"] == 3


async def test_plain_keys_see_their_own_tenants_figures(client: Client) -> None:
    """An admin's sees everybody's."""
    said = {"model": "demo/small", "messages": [{"role": "user", "content": "Hi"}]}
    for key in (SECRETS.acme, SECRETS.other, SECRETS.other):
        assert (await client.with_key(key).post("/v1/chat/completions", said)).status == 200
    await client.with_key(SECRETS.admin).get("/stats")
    seen = {}
    for key in (SECRETS.acme, SECRETS.other, SECRETS.admin):
        async with client.with_key(key).socket(PATH) as socket:
            seen[key] = (await (await socket.accepted()).json())["provider_usage"]["demo"]["requests"]
    assert seen == {SECRETS.acme: 1, SECRETS.other: 2, SECRETS.admin: 3}
