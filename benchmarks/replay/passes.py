"""Sends every recorded prompt through a running gateway as a caller would, and checks each answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from benchmarks.replay.recordings import Recording

IN_FLIGHT = 16
"""Requests at a time."""
DATA = b"data: "


class ReplayFailed(Exception):
    """The gateway did not do what it must; the message names the first prompt with which."""


class Reply(msgspec.Struct, frozen=True):
    """What a caller got for one recording, and who answered it according to the gateway."""

    recording: Recording
    request_id: str
    model: str
    strategy: str
    cache: str
    stream: bool


class Pass(msgspec.Struct, frozen=True):
    """All replies of one run over the recordings, in their order, and the seconds it took."""

    replies: Sequence[Reply]
    seconds: float


async def run_pass(url: str, recordings: Sequence[Recording], *, streams: Callable[[int], bool]) -> Pass:
    """Asks `auto` for each recording; `streams` says by position which are streamed. Raises `ReplayFailed`."""
    room = asyncio.Semaphore(IN_FLIGHT)
    started = time.perf_counter()
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

        async def ask(position: int, recording: Recording) -> Reply:
            async with room:
                return await _ask(session, recording, stream=streams(position))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(*numbered)) for numbered in enumerate(recordings)]
    return Pass([task.result() for task in tasks], time.perf_counter() - started)


async def _ask(session: aiohttp.ClientSession, recording: Recording, *, stream: bool) -> Reply:
    body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": recording.prompt}]}
    if stream:
        body["stream"] = True
    async with session.post("/v1/chat/completions", json=body, headers={"x-farthing-cache": "on"}) as response:
        raw = await response.read()
        headers = response.headers
        if response.status != 200:
            raise ReplayFailed(f"{recording.id}: status {response.status}: {raw[:300]!r}")
    said = _streamed_text(raw, recording) if stream else _text(raw)
    model = headers.get("x-farthing-model", "")
    if model not in recording.models:
        raise ReplayFailed(f"{recording.id}: x-farthing-model says {model!r}")
    if said != recording.models[model].response:
        raise ReplayFailed(f"{recording.id}: answered {said[:80]!r}, not what {model} said")
    return Reply(
        recording=recording,
        request_id=headers["x-request-id"],
        model=model,
        strategy=headers.get("x-farthing-strategy", ""),
        cache=headers.get("x-farthing-cache", ""),
        stream=stream,
    )


def _text(raw: bytes) -> str:
    return str(msgspec.json.decode(raw)["choices"][0]["message"]["content"])


def _streamed_text(raw: bytes, recording: Recording) -> str:
    """The joined deltas of a stream that ends as it must and carries no usage, as none was asked for."""
    events = [line.removeprefix(DATA) for line in raw.split(b"\n") if line.startswith(DATA)]
    if not events or events.pop() != b"[DONE]":
        raise ReplayFailed(f"{recording.id}: the stream ends in {raw[-60:]!r}")
    chunks = [msgspec.json.decode(event) for event in events]
    if not all(chunk["choices"] for chunk in chunks):
        raise ReplayFailed(f"{recording.id}: a chunk without choices that nobody asked for")
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
