"""Whoever waits for a connection is taken in at once, however long the loop's turns are."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, cast

import pytest
import uvloop

from farthing.cli.door import MOST_AT_ONCE, Door, most_callers

WAITING = 40


class Echo(asyncio.Protocol):
    """Says back what it hears."""

    made: ClassVar[list[asyncio.Transport]] = []

    def __init__(self, **named: Any) -> None:
        assert named == {"config": "given"}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is taken in."""
        self.transport = cast("asyncio.Transport", transport)
        self.made.append(self.transport)

    def data_received(self, data: bytes) -> None:
        """What a client says."""
        self.transport.write(data)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listens at a port of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * WAITING) as listener:
        Echo.made.clear()
        yield listener


def turns_until_in(listener: socket.socket, door: Any, number: int) -> int:
    """In how many turns of a loop so many who wait are taken in; each of them is heard, too."""
    turns = 0

    async def serve() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: door(config="given"), sock=listener)

        async with asyncio.timeout(20):
            while len(Echo.made) < number:
                await asyncio.sleep(0)
                turns += 1
            for client in clients:
                assert await loop.sock_recv(client, 5) == b"hello"
        server.close()
        for transport in Echo.made:
            transport.abort()
        await asyncio.sleep(0.01)

    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(number)]
        for client in clients:
            client.sendall(b"hello")
            client.setblocking(False)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    return turns


def test_all_who_wait_are_taken_in_together(listener: socket.socket) -> None:
    """In a few turns, where the loop alone takes one for each."""
    assert turns_until_in(listener, Door([listener], Echo), WAITING) < 10


def test_without_a_door_each_takes_a_turn(listener: socket.socket) -> None:
    """The reason why there is one: where this fails, it is no longer needed."""
    assert turns_until_in(listener, Echo, WAITING) >= WAITING


async def test_no_more_than_a_batch_is_taken_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who are in already have their turn; a client that has left in between harms nobody."""

    class Listener:
        """Somebody always waits."""

        accepted = 0

        def setblocking(self, _: bool) -> None:
            """As a socket's."""

        def accept(self) -> tuple[socket.socket, str]:
            """One more, who has left."""
            self.accepted += 1
            return socket.socket(), ""

    async def connect(_new: object, _connection: socket.socket) -> None:
        raise OSError

    listener = Listener()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "connect_accepted_socket", connect)
    door = Door([listener], Echo)  # type: ignore[list-item]
    door(config="given")
    door(config="given")
    for _ in range(10):
        await asyncio.sleep(0)
    assert listener.accepted == MOST_AT_ONCE


def test_who_finds_no_room_is_let_go_and_told_of_once(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """Three may be in, seven more wait: each of them hears the end, and when one leaves, the next is let in."""
    most, open_now = 3, Echo.made
    door = Door([listener], Echo, connections=open_now, most=most)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: door(config="given"), sock=listener):
            try:
                ends = await asyncio.gather(*(talk() for _ in range(most + 7)))
                assert sorted(ends) == [b""] * 7 + [b"hello"] * most
                open_now.pop().abort()
                assert await talk() == b"hello"
            finally:
                for transport in open_now:
                    transport.abort()

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"hello")
        try:
            return await reader.read(5)
        except ConnectionResetError:
            return b""
        finally:
            writer.transport.abort()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
    assert [record.getMessage()[:22] for record in caplog.records] == ["3 connections are open"]


@pytest.mark.parametrize(("files", "callers"), [(256, 96), (65_536, 32_736), (10, 1)])
def test_callers_leave_files_for_providers(monkeypatch: pytest.MonkeyPatch, files: int, callers: int) -> None:
    """Half of what may be open, less what the gateway itself needs."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    assert most_callers() == callers
