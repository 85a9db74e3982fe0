"""The live figures over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from tests.servers.gateway import running

SECONDS = 20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where a demo's live figures are."""
    with running("") as gateway:
        yield f"{gateway.url.replace('http', 'ws')}/metrics/live"


async def drain(socket: ClientConnection) -> None:
    """Reads to the end."""
    async for _ in socket:
        pass


async def test_figures_come_at_once_and_a_ping_is_answered(url: str) -> None:
    """Well before the next figures are due."""
    async with connect(url, open_timeout=SECONDS) as socket:
        assert json.loads(await socket.recv())["sequence"] > 0
        await socket.send('{"action": "ping"}')
        assert json.loads(await socket.recv())["type"] == "pong"


async def test_a_foreign_page_is_refused_before_the_handshake(url: str) -> None:
    """A browser's script from elsewhere sees 403."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, origin="http://evil.example", open_timeout=SECONDS)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(("message", "code"), [(b"\xff\xfe", 1007), ("x" * 1025, 1009)], ids=["no UTF-8", "over 1 KiB"])
async def test_frames_that_must_not_be_end_the_socket(url: str, message: str | bytes, code: int) -> None:
    """With the code that the protocol has for it."""
    async with connect(url, open_timeout=SECONDS) as socket:
        await socket.recv()
        await socket.send(message, text=True)
        with pytest.raises(ConnectionClosedError):
            await drain(socket)
        assert socket.close_code == code


async def test_three_mistakes_end_it(url: str) -> None:
    """Each answered, then 1008."""
    async with connect(url, open_timeout=SECONDS) as socket:
        await socket.recv()
        for _ in range(3):
            await socket.send(b"binary")
            assert json.loads(await socket.recv())["type"] == "error"
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1008
