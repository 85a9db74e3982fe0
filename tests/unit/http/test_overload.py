"""More than a worker can serve: it notices by itself, refuses in the caller's words, and forgets when it is well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.errors import Overloaded
from farthing.domain.keys import LOCAL_CALLER, Caller, Key
from farthing.domain.secrets import digest
from farthing.http.desk import Desk
from farthing.http.hot import DataPlane
from farthing.http.overload import CALM_TICK_S, MOST_CREDENTIALS, NOBODY, Overload
from farthing.providers.fake import answer
from tests.servers.asgi import Client
from tests.unit.gateway.rig import KEY, Rig, chat, completion
from tests.unit.http.lanes import Line, request

QUESTION = json.dumps(chat()).encode()
LATE_S = 0.05
UNDER_WAY = 1000


class Watched:
    """An overload's watch on a loop in virtual time, and a rig that answers whole."""

    def __init__(self, *, late_s: float = LATE_S, cpu: float = 1.0) -> None:
        """`cpu` is the share of a core that the worker uses."""
        self.rig = Rig(lambda _: answer(completion()))
        self.under_way = UNDER_WAY
        self.by_tenant = {"acme": UNDER_WAY, NOBODY: UNDER_WAY}
        self.overload = Overload(
            late_s=late_s,
            snapshots=self.rig.snapshots,
            clock=self.rig.clock,
            under_way=lambda: self.under_way,
            by_tenant=lambda: self.by_tenant,
            cpu_s=lambda: cpu * self.rig.clock.monotonic(),
        )
        self.desk = Desk(
            pipeline=self.rig.pipeline,
            snapshots=self.rig.snapshots,
            clock=self.rig.clock,
            new_id=lambda: "the-id",
            spawn=self.rig.supervisor.spawn,
            max_body_bytes=10_000,
            overload=self.overload,
        )

    def turn(self, late_s: float) -> None:
        """The loop comes to the timer, this much later than wanted."""
        clock, overload = self.rig.clock, self.overload
        clock.advance(overload._due + late_s - clock.monotonic())
        overload.stop()
        overload._look()

    async def ask(self, path: str = "/v1/chat/completions", *, key: str | None = KEY) -> Any:
        """Asks by the usual way."""
        return await Client(DataPlane(self.desk), key=key).post(path, chat())


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Overloaded at this moment, with far too much under way."""
    watched = Watched()
    overload = watched.overload
    assert overload._valve is not None
    for place in range(4):
        overload._valve.tick(place / 8, 0.1, place / 8, UNDER_WAY)
    overload.asks_from, overload.is_active = -1.0, True
    yield watched
    await watched.rig.supervisor.stop()


async def test_a_loop_that_is_late_has_requests_ask_and_lets_them_be_when_it_is_well() -> None:
    """After a fifth of a second of it some are refused; a second without a refusal ends it."""
    watched = Watched()
    overload = watched.overload
    overload.start()
    assert overload.asks_from == CALM_TICK_S + LATE_S
    watched.turn(0.1)
    assert overload.asks_from == -inf
    for _ in range(3):
        watched.turn(0.1)
    with pytest.raises(Overloaded):
        overload.check(KEY, watched.rig.clock.monotonic())
    assert overload.late_s == pytest.approx(0.1)
    for _ in range(60):
        watched.turn(0.0)
    assert watched.rig.clock.monotonic() < overload.asks_from < inf
    watched.turn(2.0)
    watched.turn(0.0)
    watched.turn(0.0)
    assert overload.late_s == pytest.approx(2.0)
    overload.stop()


async def test_a_long_turn_is_noticed_while_it_lasts() -> None:
    """By the requests that are taken in in it, for the timer comes when it has ended."""
    watched = Watched()
    watched.overload.start()
    watched.overload.stop()
    clock, refused = watched.rig.clock, 0
    clock.advance(CALM_TICK_S)
    for _ in range(40):
        clock.advance(0.01)
        refused += (await watched.ask()).status == 503
    # Late by 0.05 s after the fifth, and for 0.2 s after the 26th, when it was last looked at 0.02 s before.
    assert refused == 40 - 27


async def test_a_loop_that_is_in_time_never_asks() -> None:
    """A little late is in time; and with 0 for the setting any lateness is."""
    little, off = Watched(), Watched(late_s=0.0)
    for watched, late_s in ((little, 0.04), (off, 1.0)):
        watched.overload.start()
        for _ in range(20):
            watched.turn(late_s)
            assert watched.rig.clock.monotonic() < watched.overload.asks_from
            assert (await watched.ask()).status == 200
        watched.overload.stop()
    assert off.overload.late_s == pytest.approx(1.0)
    off.overload.check(KEY, 100.0)
    off.overload.stop()


async def test_a_watch_that_never_began_ends() -> None:
    """Where the start failed before."""
    Watched().overload.stop()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions", "server_error"),
        ("/v1/responses", "server_error"),
        ("/v1/messages", "overloaded_error"),
        ("/complete", "server_error"),
    ],
)
async def test_a_refusal_is_in_the_words_of_the_caller_and_leaves_no_record(
    watched: Watched, path: str, kind: str
) -> None:
    """503 with the time to wait; nothing was begun, so nothing is recorded."""
    said = await watched.ask(path)
    assert (said.status, said.headers["retry-after"], said.headers["x-request-id"]) == (503, "5", "the-id")
    assert said.json["error"]["type"] == kind
    assert "asked for more than it can do" in said.json["error"]["message"]
    assert watched.rig.journal.settled == []
    assert watched.overload.shed == {"capacity": 1, "share": 0}


async def test_both_ways_refuse_with_the_same_words(watched: Watched) -> None:
    """And the connection stays, for the next try."""
    line = Line(watched.rig, overload=watched.overload)
    line.say(request(QUESTION))
    said = await line.hear(b"}}")
    usual = await watched.ask()
    lines = [f"{name}: {value}" for name, value in usual.headers.items()]
    assert said.decode().split("\r\n") == ["HTTP/1.1 503 Service Unavailable", *lines, "", usual.body.decode()]
    line.say(request(QUESTION)[:-5])
    line.say(QUESTION[-5:])
    assert await line.hear(b"}}") == said
    line.state.default_headers = [(b"date", b"today")]
    line.say(request(QUESTION))
    assert await line.hear(b"}}") == said.replace(b"\r\n", b"\r\ndate: today\r\n", 1)
    line.state.default_headers = []
    watched.under_way = 0
    line.say(request(QUESTION))
    assert completion() in await line.hear(completion())
    assert not line.pipe.is_closed


async def test_who_asks_for_little_is_let_in_while_who_asks_for_much_is_not(watched: Watched) -> None:
    """Tenants are told apart by their keys; those without a known key are one."""
    keys = dict(watched.rig.snapshots.current.keys)
    keys[digest("sk-quiet")] = Key(caller=Caller(tenant="quiet", key_id="k2"), name="quiet", hint="…")
    watched.rig.snapshots.swap(replace(watched.rig.snapshots.current, keys=keys))
    overload = watched.overload
    valve = overload._valve
    assert valve is not None
    watched.under_way = 0
    for _ in range(100):
        overload.check(KEY, 0.5)
    overload.check("sk-quiet", 0.5)
    watched.under_way = UNDER_WAY - 100
    for place in range(4, 8):
        valve.tick(place / 8, 0.001, place / 8, UNDER_WAY)
    assert (await watched.ask(key="sk-quiet")).status == 200
    assert (await watched.ask()).status == 503
    assert (await watched.ask(key="sk-wrong")).status == (await watched.ask(key=None)).status == 401
    assert overload.shed == {"capacity": 0, "share": 1}


async def test_an_open_gateway_has_one_tenant(watched: Watched) -> None:
    """Whatever they send for a key, what its callers have under way is one and the same tenant's."""
    watched.rig.snapshots.swap(replace(watched.rig.snapshots.current, keys={}, is_open=True))
    assert {watched.overload._tenant(credential) for credential in (None, "", "sk-any")} == {LOCAL_CALLER.tenant}


async def test_credentials_are_not_gathered_without_end(watched: Watched) -> None:
    """Whoever tries out keys does not fill the memory."""
    watched.under_way = 0
    for place in range(MOST_CREDENTIALS + 2):
        watched.overload.check(f"sk-{place}", 0.5)
    assert len(watched.overload._tenants) == 2
