"""What a vendor says goes on to the caller where it arrives; only beginning, end and break wait for a task."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.gateway.delivery import StreamReply
from farthing.providers.response import Response
from tests.unit.gateway.rig import Rig, chat, drained, events

FIRST, SECOND, *REST = events(3)
TURNS = 10


class Client:
    """Keeps what it is given."""

    def __init__(self, *, keeps_up: bool = True) -> None:
        self.said: list[bytes] = []
        self._keeps_up = keeps_up

    def take(self, chunk: bytes) -> bool:
        """Keeps it; whether there may be more at once."""
        self.said.append(chunk)
        return self._keeps_up

    async def hear(self, reply: StreamReply) -> bytes:
        """All of it."""
        try:
            while await reply.pass_to(self.take):
                pass
        finally:
            await reply.aclose()
        return b"".join(self.said)


class Vendor:
    """A transport whose one answer comes when a test says it."""

    def __init__(self) -> None:
        self.response = Response(self, asyncio.get_running_loop())
        self.response.status = 200
        self.requests: list[Any] = []

    async def send(self, request: Any) -> Response:
        """The answer, so far."""
        self.requests.append(request)
        return self.response

    async def aclose(self) -> None:
        """Nothing to drop."""

    def resume(self) -> None:
        """Nothing was kept waiting."""

    def abandon(self) -> None:
        """Nobody wants the rest."""

    def say(self, *chunks: bytes) -> None:
        """These, each in a read of its own."""
        for chunk in chunks:
            self.response.hand_on(chunk)


async def begun(cache: bool, number: int = 1) -> tuple[Rig, Vendor, list[StreamReply]]:
    """So many callers of one stream that has said its first word."""
    rig, vendor = Rig([]), Vendor()
    snapshot = rig.snapshots.current
    rig.snapshots.swap(replace(snapshot, providers={"fake": replace(snapshot.providers["fake"], transport=vendor)}))
    vendor.say(FIRST)
    replies = [await rig.pipeline.run(rig.call(chat(stream=True), cache=cache)) for _ in range(number)]
    return rig, vendor, [reply for reply in replies if isinstance(reply, StreamReply)]


async def turns() -> None:
    """As many rounds of the loop as anything takes."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cache", [False, True])
async def test_an_event_is_said_where_it_arrives(cache: bool) -> None:
    """Without a turn of the loop, but for the end, before which the row is settled."""
    rig, vendor, [reply] = await begun(cache)
    client = Client()
    saying = asyncio.ensure_future(reply.pass_to(client.take))
    await turns()
    vendor.say(b": a comment\n\n", SECOND[:9], SECOND[9:], *REST[:-1])
    # What tells the usage is for callers alone who ask for it.
    assert client.said == [FIRST, SECOND, *REST[:-2]]
    vendor.say(REST[-1])
    assert rig.journal.settled == []
    assert await saying
    assert client.said[-1] == REST[-1]
    assert [row.status for row in rig.journal.settled] == ["ok"]
    vendor.response.finish()
    assert not await reply.pass_to(client.take)
    await rig.supervisor.stop()


async def test_who_cannot_follow_is_given_no_more() -> None:
    """Until it asks again, when it gets all that has come."""
    rig, vendor, [reply] = await begun(cache=True)
    client = Client(keeps_up=False)
    await reply.pass_to(client.take)
    saying = asyncio.ensure_future(reply.pass_to(client.take))
    await turns()
    vendor.say(SECOND, *REST)
    assert await saying
    assert client.said == [FIRST, SECOND]
    vendor.response.finish()
    assert await drained(reply) == b"".join([*REST[:-2], REST[-1]])
    await rig.supervisor.stop()


async def test_garbage_breaks_a_stream_after_what_was_said() -> None:
    """The caller is told at once, and the row says so."""
    rig, vendor, [reply] = await begun(cache=True)
    hearing = asyncio.ensure_future(Client().hear(reply))
    await turns()
    vendor.say(SECOND + b"data: {\n\n", *REST)
    said = await hearing
    assert said.startswith(FIRST + SECOND)
    assert b"no chat completion" in said[len(FIRST + SECOND) :]
    assert [row.status for row in rig.journal.settled] == ["error"]
    await rig.supervisor.stop()


async def test_nobody_is_settled_before_it_hears_the_end() -> None:
    """All of a shared stream arrives before anybody had a turn: the leader's row comes first all the same."""
    rig, vendor, replies = await begun(cache=True, number=3)
    hearing = [asyncio.ensure_future(Client().hear(reply)) for reply in replies]
    await turns()
    vendor.say(SECOND, *REST)
    vendor.response.finish()
    assert set(await asyncio.gather(*hearing)) == {b"".join([FIRST, SECOND, *REST[:-2], REST[-1]])}
    assert [row.status for row in rig.journal.settled] == ["ok", "cached", "cached"]
    await rig.supervisor.stop()


async def test_the_end_is_not_lost_with_whoever_was_reading() -> None:
    """The reader leaves when the end has arrived and was not told yet: the next one tells it."""
    rig, vendor, replies = await begun(cache=True, number=2)
    leader, follower = (asyncio.ensure_future(Client().hear(reply)) for reply in replies)
    await turns()
    vendor.say(SECOND, *REST)
    leader.cancel()
    await turns()
    vendor.response.finish()
    assert (await follower).endswith(REST[-1])
    assert leader.cancelled()
    assert [row.status for row in rig.journal.settled] == ["cancelled", "cached"]
    await rig.supervisor.stop()


async def test_a_stream_under_an_idempotency_key_is_passed_on_as_well() -> None:
    """To who asks first and to who asks again."""
    rig, vendor, _ = await begun(cache=False, number=0)
    vendor.say(SECOND, *REST)
    vendor.response.finish()
    async with rig.supervisor:
        for _ in range(2):
            reply = await rig.pipeline.run(rig.call(chat(stream=True), idempotency_key="a key"))
            assert isinstance(reply, StreamReply)
            assert await Client().hear(reply) == b"".join([FIRST, SECOND, *REST[:-2], REST[-1]])
    assert len(vendor.requests) == 1
