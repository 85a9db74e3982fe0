"""The live figures' WebSocket before strangers and bad frames (rows B48, S47 and S48)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

import pytest
import websockets
from websockets.asyncio.client import connect

from tests.security.fuzzing import MASTER
from tests.security.refusals import refused, resident_mib
from tests.security.wire import Answer, Pairs, Wire, request
from tests.servers.gateway import Gateway

PATH = "/metrics/live"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE: Pairs = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY),
)


@pytest.fixture(scope="module")
def locked(settings: str, started: Callable[[Gateway], Gateway]) -> Gateway:
    """A gateway that asks for a key."""
    return started(Gateway(settings, environment={"THERE_KEY": "k", "FARTHING_MASTER_KEY": MASTER}))


def shake(port: int, headers: Pairs, host: str | None = None, path: str = PATH) -> Answer:
    """A handshake and what is said to it."""
    with Wire(port) as wire:
        return wire.exchange(request("GET", path, (("host", host or wire.host), *headers)), "GET")


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "http://evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", "http://localhost", ""),
        *("file://", "http://127.0.0.1@evil.example", "http://[", "127.0.0.1"),
    ],
)
def test_a_page_of_another_origin_is_refused(gateway: Gateway, origin: str) -> None:
    """403 in the envelope, before anything is said."""
    refused(shake(gateway.port, (*UPGRADE, ("origin", origin))), 403, "forbidden")


def test_a_socket_needs_a_key_like_any_request(locked: Gateway) -> None:
    """401 without one and with a wrong one, 400 with two, 400 for a Host that is none."""
    refused(shake(locked.port, UPGRADE), 401, "missing_api_key")
    wrong = shake(locked.port, (*UPGRADE, ("authorization", "Bearer nobody")))
    refused(wrong, 401, "invalid_api_key")
    assert wrong.headers["www-authenticate"] == 'Bearer realm="farthing"'
    two = (("authorization", f"Bearer {MASTER}"), ("x-api-key", "another"))
    refused(shake(locked.port, (*UPGRADE, *two)), 400, "conflicting_credentials")
    refused(shake(locked.port, UPGRADE, host="a@b"), 400, "invalid_host")
    assert shake(locked.port, (*UPGRADE, two[0])).status == 101


@pytest.mark.parametrize(
    "headers",
    [UPGRADE[:3], (*UPGRADE[:2], UPGRADE[3]), (*UPGRADE[:2], ("sec-websocket-version", "8"), UPGRADE[3])],
    ids=["no key", "no version", "old version"],
)
def test_a_handshake_that_is_not_whole_is_refused(gateway: Gateway, headers: Pairs) -> None:
    """400 in the envelope."""
    refused(shake(gateway.port, headers), 400, "bad_request")


async def closing(gateway: Gateway, *messages: str | bytes, raw: bytes | None = None) -> tuple[int, list[str]]:
    """How the gateway closes a socket that says this, and the errors it told before."""
    said = []
    async with connect(f"ws://127.0.0.1:{gateway.port}{PATH}", proxy=None) as socket:
        await socket.recv()
        # The gateway need not wait for the end of what it refuses.
        with contextlib.suppress(websockets.ConnectionClosed):
            for message in messages:
                await socket.send(message)
        if raw is not None:
            socket.transport.write(raw)
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                said.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))
        return socket.close_code or 0, [frame["error"]["message"] for frame in said if frame.get("type") == "error"]


async def test_three_messages_that_mean_nothing_are_enough(gateway: Gateway) -> None:
    """Each is told so in a frame; then 1008."""
    code, told = await closing(gateway, "{", '{"action":"subscribe","tenant":"other"}', "[]")
    assert (code, len(told)) == (1008, 3)


async def test_frames_that_are_wrong_end_the_socket(gateway: Gateway) -> None:
    """Text that is no UTF-8 with 1007, over a KiB with 1009, whole or in parts, and an unmasked frame with 1002."""
    assert (await closing(gateway, raw=b"\x81\x82\x00\x00\x00\x00\xff\xfe"))[0] == 1007
    assert (await closing(gateway, "x" * 1025))[0] == 1009
    assert (await closing(gateway, raw=b"\x01\xfe\x02\x58" + bytes(604) + b"\x00\xfe\x02\x58" + bytes(604)))[0] == 1009
    assert (await closing(gateway, raw=b"\x81\x02hi"))[0] == 1002


async def test_a_frame_that_bursts_is_not_unpacked(gateway: Gateway) -> None:
    """S47: 64 MiB in 64 KiB: 1009, and the memory stays."""
    await closing(gateway, "x" * 1025)
    before = resident_mib(gateway)
    assert (await closing(gateway, "\0" * 64 * 1024 * 1024))[0] == 1009
    assert resident_mib(gateway) - before < 8


def test_nothing_is_packed(gateway: Gateway) -> None:
    """S47: the extension that a client offers is not taken."""
    offer = ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")
    answer = shake(gateway.port, (*UPGRADE, offer))
    assert answer.status == 101
    assert "sec-websocket-extensions" not in answer.headers


@pytest.mark.parametrize("path", ["/nowhere", "/metrics/live/", "/v1/chat/completions", "/routing/metrics"])
def test_a_socket_to_nowhere_is_told_so(gateway: Gateway, path: str) -> None:
    """404 in the envelope, as for a request."""
    refused(shake(gateway.port, UPGRADE, path=path), 404, "unknown_url")


@pytest.mark.parametrize("number", ["", "-1", "1.5", "x", "%D9%A3", "9" * 17])
def test_a_sequence_that_is_none_is_refused(gateway: Gateway, number: str) -> None:
    """400 at the handshake, naming it."""
    refused(shake(gateway.port, UPGRADE, path=f"{PATH}?sequence={number}"), 400, "invalid_request", param="sequence")


@pytest.mark.parametrize(
    "frame",
    [b"\x81\x82\x00\x00\x00\x00{}", b"\x82\x80\x00\x00\x00\x00", b"\x89\x80\x00\x00\x00\x00"],
    ids=["text", "binary", "ping"],
)
async def test_a_flood_is_not_heard_to_its_end(gateway: Gateway, frame: bytes) -> None:
    """A megabyte of small frames at once: 1008, and hardly any memory, for it is not read."""
    await closing(gateway, raw=frame * 30)
    before = resident_mib(gateway)
    assert (await closing(gateway, raw=frame * (1024 * 1024 // len(frame))))[0] == 1008
    assert resident_mib(gateway) - before < 4


async def test_a_message_in_endless_parts_is_a_flood(gateway: Gateway) -> None:
    """Empty parts count too."""
    parts = b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 1000
    assert (await closing(gateway, raw=parts))[0] == 1008


async def test_a_client_comes_back_where_it_was(gateway: Gateway) -> None:
    """Numbers rise over both sockets."""
    url = f"ws://127.0.0.1:{gateway.port}{PATH}"
    async with connect(url, proxy=None) as socket:
        last = json.loads(await socket.recv())["sequence"]
    async with connect(f"{url}?sequence={last - 1}", proxy=None) as socket:
        assert json.loads(await asyncio.wait_for(socket.recv(), 15))["sequence"] >= last
