"""All levels as one: asked from the nearest on, written to all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from farthing.cache.memory import MemoryLevel
from farthing.ports.answers import CacheEntry, CacheLevel, SharedLevel

Found = tuple[CacheEntry, str]
"""An entry, and the name of the level that had it."""


class Tiered:
    """Implements `ports.AnswerCache`."""

    def __init__(self, memory: MemoryLevel, *farther: CacheLevel, shared: SharedLevel | None = None) -> None:
        """`shared` comes after the memory, then the `farther` levels from the nearest on."""
        self._memory = memory
        self._shared = shared
        self._farther: tuple[CacheLevel, ...] = (*((shared,) if shared else ()), *farther)
        self._levels: tuple[CacheLevel, ...] = (memory, *self._farther)
        self._buried: set[str] = set()
        self._asking: dict[tuple[str, bool], asyncio.Future[tuple[Found | None] | None]] = {}
        """Who is looking for an entry: what was found, None where nobody looks any more."""

    def near(self, key: str) -> Found | None:
        """As `find`, but asks the nearest level only, and does not wait."""
        if key in self._buried:
            return None
        entry = self._memory.peek(key)
        return (entry, self._memory.name) if entry is not None else None

    def lacks(self, key: str) -> bool:
        """Whether surely no level has the entry."""
        if not self._memory.lacks(key):
            return False
        for level in self._farther:  # noqa: SIM110 (a generator costs more than the question)
            if not level.lacks(key):
                return False
        return True

    async def find(self, key: str, *, waits: bool = False) -> Found | None:
        """The entry and the name of the level that had it; nearer levels then have it too.

        With `waits` also an entry that another worker is buying; None then means that this worker is to buy it.
        """
        asked = key, waits
        while (asking := self._asking.get(asked)) is not None:
            # One asks for all who come meanwhile; should it leave, another does.
            if (heard := await asyncio.shield(asking)) is not None:
                return None if key in self._buried else heard[0]
        asking = self._asking[asked] = asyncio.get_running_loop().create_future()
        heard = None
        try:
            heard = (await self._find(key, waits=waits),)
            return heard[0]
        finally:
            del self._asking[asked]
            asking.set_result(heard)

    async def _find(self, key: str, *, waits: bool) -> Found | None:
        if key in self._buried:
            return None
        for depth, level in enumerate(self._levels):
            entry = await (self._shared.take(key) if waits and level is self._shared else level.get(key))
            if entry is not None:
                for nearer in self._levels[:depth]:
                    await nearer.put(key, entry)
                # It may have been voted down while we were waiting.
                return None if key in self._buried else (entry, level.name)
        return None

    def hold(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry in memory, unless its key was voted down."""
        if key not in self._buried:
            self._memory.hold(key, entry)
            if self._shared is not None:
                self._shared.bought(key)

    def has_turn(self, key: str) -> bool:
        """Whether other workers wait for this one to buy the answer."""
        return self._shared is not None and self._shared.has_turn(key)

    async def give_up(self, key: str) -> None:
        """There will be no answer: another worker may buy it."""
        if self._shared is not None:
            await self._shared.give_up(key)

    async def renew(self) -> None:
        """Other workers go on waiting for what this one buys."""
        if self._shared is not None:
            await self._shared.renew()

    async def keep(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """Keeps the entries on every farther level, but for those whose key was voted down."""
        wanted = [answer for answer in answers if answer[0] not in self._buried]
        for level in self._farther:
            await level.put_all(wanted)

    async def forget(self, key: str) -> None:
        """Takes the entry from every level for good, whatever a level itself may forget."""
        self._buried.add(key)
        for level in self._levels:
            await level.delete(key)

    def bury(self, keys: Iterable[str]) -> None:
        """Serves and keeps nothing under these keys, which another process has taken from the shared levels."""
        self._buried.update(keys)
