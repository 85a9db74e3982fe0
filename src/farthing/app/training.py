"""Trains in a process of its own, which tells how far it is."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from farthing.app.aside import give_way, working
from farthing.app.embedding import load_model
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.insight.learning.retraining import Tell, TrainingFailed
from farthing.ports.embedding import Embed
from farthing.ports.learning import Trained

if TYPE_CHECKING:
    from farthing.store import Store

LONGEST_S = 1_800.0
"""For a training that does not end."""
_SIZE_BYTES = 8
_PROGRAM = "from farthing.app.training import main; main()"


class _Progress(Struct, tag=True, array_like=True):
    phase: str
    share: float


class _Done(Struct, tag=True, array_like=True):
    trained: Trained


class _Failed(Struct, tag=True, array_like=True):
    reason: str


_Message = _Progress | _Done | _Failed
_encode = msgspec.msgpack.Encoder().encode
_read_message = msgspec.msgpack.Decoder(_Message).decode
_read_order = msgspec.msgpack.Decoder(tuple[str, bytes, bool]).decode
"""Where the database is, what signs what is kept there, and whether to embed."""


class Trainer:
    """Implements `farthing.insight.learning.retraining.Train`."""

    def __init__(self, url: str, secret: Secret[bytes], *, embeds: bool = False) -> None:
        """`url` is the database's, `secret` what signs what is kept there."""
        self.embeds = embeds
        """Whether what is learned reads embeddings."""
        self._url = url
        self._secret = secret

    async def __call__(self, tell: Tell) -> Trained:
        """What came of it. Raises `TrainingFailed`; cancelled, it leaves nothing behind."""
        order = _encode((self._url, self._secret.reveal(), self.embeds))
        try:
            async with working(_PROGRAM) as process, asyncio.timeout(LONGEST_S):
                return await _followed(process, order, tell)
        except TimeoutError as error:
            raise TrainingFailed(f"It took more than {LONGEST_S / 60:.0f} minutes.") from error


async def _followed(process: Process, order: bytes, tell: Tell) -> Trained:
    if process.stdin is None or process.stdout is None:
        raise TrainingFailed("The process that trains cannot be spoken with.")
    process.stdin.write(order)
    process.stdin.write_eof()
    while True:
        try:
            size = int.from_bytes(await process.stdout.readexactly(_SIZE_BYTES))
            message = _read_message(await process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, msgspec.MsgspecError) as error:
            raise TrainingFailed(f"The process that trains ended with status {await process.wait()}.") from error
        match message:
            case _Progress(phase, share):
                tell(phase, share)
            case _Done(trained):
                return trained
            case _Failed(reason):
                raise TrainingFailed(reason)


def main() -> None:
    """The process: reads its order from standard input, and writes messages to standard output."""
    give_way()
    url, secret, embeds = _read_order(sys.stdin.buffer.read())
    # Whoever wanted to know may be gone.
    with suppress(BrokenPipeError):
        asyncio.run(_work(url, Secret(secret), load_model() if embeds else None))


async def _work(url: str, secret: Secret[bytes], embed: Embed | None) -> None:
    from farthing.background.clock import SystemClock
    from farthing.store import open_store

    store = open_store(url, clock=SystemClock(), secret=secret)
    try:
        _say(_Done(await train(store, lambda *told: _say(_Progress(*told)), embed)))
    except Unavailable:
        _say(_Failed("The database went away while the ratings were read."))
    finally:
        await store.aclose()


async def train(store: Store, tell: Tell, embed: Embed | None = None) -> Trained:
    """What is learned from all ratings, in this process; with `embed` by embeddings, too. Raises `Unavailable`."""
    from farthing.insight.learning.holdout import trained

    rated = await store.lessons.rated()
    try:
        active = await store.runs.active()
    except ValueError:
        # What is not ours decides nothing, so there is nothing to compare with.
        active = None
    since_us = 0 if active is None else active.run.created_us
    payload = None if active is None else active.payload
    return trained(rated, active=payload, since_us=since_us, tell=tell, embed=embed)


def _say(message: _Message) -> None:
    raw = _encode(message)
    sys.stdout.buffer.write(len(raw).to_bytes(_SIZE_BYTES) + raw)
    sys.stdout.buffer.flush()
