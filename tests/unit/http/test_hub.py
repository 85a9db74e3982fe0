"""Who watches the live figures, and when they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import FarthingError, RateLimited, Unauthenticated, Unavailable
from farthing.domain.keys import Caller
from farthing.http.hub import INTERVAL_S, MOST_ASKED, Caps, Hub, Leave, Watcher


class World:
    """What the hub looks at, and a line that keeps what it was sent."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.computed: list[str | None] = []
        self.pulses: dict[str, int] = {}
        self.is_away = False
        self.keys = object()
        self.hub = Hub(
            metrics=self.metrics,
            pulse=self.pulse,
            is_demo=lambda: False,
            keys=lambda: self.keys,
            frame=lambda text: text,
            caps=Caps(3, 2, 1),
            clock=self.clock,
        )

    async def metrics(self, view: str | None, _: float) -> Mapping[str, Any]:
        """Counts."""
        await asyncio.sleep(0)
        self.computed.append(view)
        if self.is_away:
            raise Unavailable("away")
        return {"total_decisions": len(self.computed)}

    async def pulse(self, _: int) -> Mapping[str, int]:
        """Today's requests."""
        if self.is_away:
            raise Unavailable("away")
        return dict(self.pulses)

    async def pass_by(self, seconds: float) -> None:
        """So much time, with its beats."""
        for _ in range(round(seconds / 0.5)):
            self.clock.advance(0.5)
            await self.hub.beat()


class Seen:
    """One who watches."""

    def __init__(self, world: World, view: str | None = None, *, is_looked_up: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.code = 0
        self.asked = 0
        self.error: FarthingError | None = None
        self.view = view
        self.ends_us: int | None = None
        self.watcher = Watcher(line=self, view=view, admit=self.admit, is_looked_up=is_looked_up)
        self.world = world

    def push(self, frame: bytes) -> None:
        """A message."""
        self.messages.append(msgspec.json.decode(frame))

    def end(self, code: int) -> None:
        """The end."""
        self.code = code

    async def admit(self) -> Leave:
        """May they stay?"""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Leave(self.view, self.ends_us)

    @property
    def sequences(self) -> list[int]:
        """The numbers of what came."""
        return [message["sequence"] for message in self.messages]


@pytest.fixture
def world() -> World:
    """Where nobody watches yet."""
    return World()


async def test_nobody_watching_costs_nothing(world: World) -> None:
    """No figures are computed."""
    await world.pass_by(60)
    assert world.computed == []


async def test_one_computation_serves_all(world: World) -> None:
    """Those who come at once get one message, and then all get the same every five seconds."""
    many = [Seen(world) for _ in range(100)]
    with ExitStack() as stack:
        for seen in many:
            stack.enter_context(world.hub.joined(seen.watcher))
        await asyncio.gather(*(world.hub.welcome(seen.watcher, None) for seen in many))
        assert (len(world.computed), world.hub.watching) == (1, 100)
        await world.pass_by(2 * INTERVAL_S)
    assert len(world.computed) == 3
    assert all(seen.messages == many[0].messages and len(seen.messages) == 3 for seen in many)
    assert many[0].sequences == sorted(set(many[0].sequences))
    assert world.hub.watching == 0


async def test_a_change_is_told_at_most_once_a_second(world: World) -> None:
    """To those alone whom it concerns: its tenant, and who sees everybody's."""
    acme, other, admin = Seen(world, "acme"), Seen(world, "other"), Seen(world)
    with ExitStack() as stack:
        for seen in (acme, other, admin):
            stack.enter_context(world.hub.joined(seen.watcher))
            await world.hub.welcome(seen.watcher, None)
        for _ in range(8):
            world.pulses["acme"] = world.pulses.get("acme", 0) + 1
            await world.pass_by(0.5)
    assert [len(seen.messages) for seen in (acme, other, admin)] == [5, 1, 5]


async def test_an_event_is_told_to_those_who_may_see_its_tenant(world: World) -> None:
    """Once to each who is there, and it moves no sequence number."""
    acme, other, admin = Seen(world, "acme"), Seen(world, "other"), Seen(world)
    world.hub.tell("acme", {"type": "nobody hears"})
    with ExitStack() as stack:
        for seen in (acme, other, admin):
            stack.enter_context(world.hub.joined(seen.watcher))
        world.hub.tell("acme", {"type": "x"})
        await world.hub.welcome(acme.watcher, None)
    assert [seen.messages[:1] for seen in (acme, other, admin)] == [[{"type": "x"}], [], [{"type": "x"}]]
    assert acme.messages[1]["total_decisions"] == 1


async def test_who_comes_back_goes_on(world: World) -> None:
    """Nothing comes twice, numbers rise, and a number that cannot be is passed over."""
    first = Seen(world)
    with world.hub.joined(first.watcher):
        await world.hub.welcome(first.watcher, None)
        again, ahead, wrong = Seen(world), Seen(world), Seen(world)
        last = first.sequences[-1]
        with ExitStack() as stack:
            for seen, number in ((again, last), (ahead, last + 2000), (wrong, last * 2)):
                stack.enter_context(world.hub.joined(seen.watcher))
                await world.hub.welcome(seen.watcher, number)
            assert [len(seen.messages) for seen in (again, ahead, wrong)] == [0, 0, 1]
            await world.pass_by(INTERVAL_S)
            assert again.sequences[0] > last
            assert ahead.sequences[0] > last + 2000


async def test_the_database_away_is_told_in_place_of_figures(world: World) -> None:
    """Until there are some again."""
    world.is_away = True
    seen = Seen(world)
    with world.hub.joined(seen.watcher):
        await world.hub.welcome(seen.watcher, None)
        assert seen.messages[0]["error"] == {"message": "away"}
        world.is_away = False
        await world.pass_by(INTERVAL_S)
        assert seen.messages[-1]["total_decisions"] > 0


@pytest.mark.parametrize(
    ("error", "code"), [(Unauthenticated("revoked"), 1008), (Unavailable("away"), 1013)], ids=["revoked", "away"]
)
async def test_who_may_not_stay_is_let_go_at_the_next_beat(world: World, error: FarthingError, code: int) -> None:
    """A key and a session alike."""
    for is_looked_up in (False, True):
        seen = Seen(world, is_looked_up=is_looked_up)
        with world.hub.joined(seen.watcher):
            await world.pass_by(0.5)
            seen.error, world.keys = error, object()
            await world.pass_by(1.0)
        assert seen.code == code


async def test_a_key_is_looked_at_when_keys_have_changed(world: World) -> None:
    """However long somebody watches; and once after they came, should one have changed meanwhile."""
    seen = Seen(world)
    with world.hub.joined(seen.watcher):
        await world.pass_by(60)
        assert seen.asked == 1
        world.keys = object()
        await world.pass_by(60)
        assert seen.asked == 2


async def test_a_key_that_expires_is_looked_at_then(world: World) -> None:
    """No change of any key tells of it."""
    seen = Seen(world)
    seen.ends_us = world.clock.now_us() + 10_000_000
    with world.hub.joined(seen.watcher):
        await world.pass_by(9.5)
        seen.error = Unauthenticated("expired")
        assert (seen.asked, seen.code) == (1, 0)
        await world.pass_by(0.5)
    assert seen.code == 1008


async def test_who_may_see_other_figures_now_has_to_come_again(world: World) -> None:
    """A role that was taken away does not keep everybody's figures."""
    seen = Seen(world, None)
    with world.hub.joined(seen.watcher):
        await world.pass_by(0.5)
        seen.view, world.keys = "acme", object()
        await world.pass_by(0.5)
    assert seen.code == 1013


async def test_sessions_are_asked_in_turn(world: World) -> None:
    """So many in a beat and no more, each as often as the others."""
    many = [Seen(world, is_looked_up=True) for _ in range(MOST_ASKED * 2)]
    with ExitStack() as stack:
        for seen in many:
            stack.enter_context(world.hub.joined(seen.watcher))
        asked = []
        for _ in range(7):
            await world.pass_by(0.5)
            asked.append(sum(seen.asked for seen in many))
    assert max(later - earlier for earlier, later in pairwise(asked)) <= MOST_ASKED
    assert min(seen.asked for seen in many) >= 2


def test_each_place_is_counted(world: World) -> None:
    """By key or person, by address and in all; a place that is left is free again."""
    seat = world.hub.seat
    ann, bob, cec = (Caller(tenant="acme", key_id=name) for name in ("ann", "bob", "cec"))
    with seat("a", ann):
        with pytest.raises(RateLimited, match="your 1 live"), seat("b", ann):
            pass
        with seat("a", bob):
            with pytest.raises(RateLimited, match="your address's 2"), seat("a", cec):
                pass
            with (
                seat("b", cec),
                pytest.raises(RateLimited, match="this gateway's 3"),
                seat("c", Caller(tenant="x")),
            ):
                pass
    with seat("a", ann), seat("a", bob):
        pass
