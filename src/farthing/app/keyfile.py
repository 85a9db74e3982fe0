"""What a host knows of keys, on its disk: a worker that starts while the database is away lets the same callers in."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from msgspec import DecodeError, Struct, msgpack
from msgspec.structs import replace

from farthing.app.keyring import STALE_S
from farthing.domain import authentic
from farthing.domain.budget import Budget
from farthing.domain.keys import Key
from farthing.domain.secrecy import Secret
from farthing.domain.tenancy import KeyChanges
from farthing.ports import Clock

logger = logging.getLogger(__name__)

RENEW_EVERY_S = 30.0
"""How old the file may become where nothing changes: by so much sooner a key is forgotten that it tells of."""
REST = 10
"""Times as long as a change took to be written the next one waits, so that many changes of many keys cost little."""
SKEW_S = 60.0
"""By how much the clocks of hosts that share a folder may differ."""
PORTION = 500
"""Keys packed at a time, so that the loop is free in between."""


class Known(Struct, frozen=True, kw_only=True):
    """What the database told last: who may ask, and what they may spend. Of secrets it holds digests alone."""

    at_us: int
    """When it told, in microseconds since 1970 UTC."""
    changes: KeyChanges
    """All keys, tenants and teams."""
    owners: Sequence[tuple[str, str]]
    """Tenants that brought a key for a provider, and the provider; the key is not in it."""
    budgets: Sequence[Budget]
    spent: Mapping[str, int]
    """Nano-dollars by budget id."""
    spent_at_us: int


class _Packed(Struct, frozen=True):
    known: Known
    """Without its keys."""
    portions: list[bytes]
    """Of the keys."""


class KeyFile:
    """One file for all workers of a host, which one of them writes: nobody else's is believed, nor an old one."""

    def __init__(self, path: Path, secret: Secret[bytes], clock: Clock) -> None:
        """`secret` signs it, for this release and this name alone: the name is the database's."""
        self._path = path
        self._secret = secret
        self._name = f"keys of {path.name} in release {version('farthing')}"
        self._clock = clock
        self._lock: int | None = None
        self._number: int | None = None
        self._renew_s = self._rested_s = clock.monotonic()
        self._is_failing = False

    async def keep(self, number: int, known: Callable[[], Known]) -> None:
        """Writes what is known where its `number` is another than the file's, or where the file becomes old.

        Does nothing while another process writes it. A file that cannot be replaced is deleted: it may tell of a key
        that has been revoked since.
        """
        now_s = self._clock.monotonic()
        if now_s < (self._renew_s if number == self._number else self._rested_s):
            return
        try:
            if not self._is_ours():
                return
            await asyncio.to_thread(self._replace, await self._pack(known()))
        except OSError as error:
            self._fail(error)
        else:
            self._number, self._is_failing = number, False
            self._renew_s = now_s + RENEW_EVERY_S
        finally:
            self._rested_s = now_s + REST * (self._clock.monotonic() - now_s)

    def read(self) -> Known | None:
        """What was known less than ten minutes ago; None, and a line in the log, where that cannot be told."""
        try:
            raw = self._path.read_bytes()
        except OSError as error:
            logger.warning("no keys are remembered from before: %s", error)
            return None
        known = self._opened(raw)
        if known is None:
            logger.warning("the keys in %s are not ours, not whole, or of another release: not used", self._path)
            return None
        age_s = (self._clock.now_us() - known.at_us) / 1e6
        if not -SKEW_S <= age_s <= STALE_S:
            logger.warning("the keys in %s are %.0f s old: not used", self._path, age_s)
            return None
        logger.warning("%d keys as they were %.0f s ago are in force", len(known.changes.keys), max(0.0, age_s))
        return known

    def release(self) -> None:
        """Leaves the file to whoever comes first."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _is_ours(self) -> bool:
        """Whether this process is the one that writes. Raises `OSError`."""
        if self._lock is not None:
            return True
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._lock = lock
        return True

    async def _pack(self, known: Known) -> bytes:
        portions = []
        for portion in _portions(known.changes.keys):
            portions.append(msgpack.encode(portion))
            await asyncio.sleep(0)
        rest = replace(known, changes=replace(known.changes, keys={}))
        return authentic.signed(self._secret, self._name, msgpack.encode(_Packed(rest, portions)))

    def _opened(self, raw: bytes) -> Known | None:
        payload = authentic.payload_of(self._secret, self._name, raw)
        if payload is None:
            return None
        try:
            packed = msgpack.decode(payload, type=_Packed)
            keys: dict[bytes, Key] = {}
            for portion in packed.portions:
                keys |= msgpack.decode(portion, type=dict[bytes, Key])
        except DecodeError:
            return None
        return replace(packed.known, changes=replace(packed.known.changes, keys=keys))

    def _replace(self, raw: bytes) -> None:
        part = self._path.with_suffix(".part")
        with open(part, "wb", opener=_private) as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _fail(self, error: OSError) -> None:
        self._number = None
        if self._lock is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        if not self._is_failing:
            self._is_failing = True
            logger.warning("what is known of keys cannot be written down, for a start without the database: %s", error)


def _portions(keys: Mapping[bytes, Key]) -> Iterator[dict[bytes, Key]]:
    rest = iter(keys.items())
    while portion := dict(islice(rest, PORTION)):
        yield portion


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
