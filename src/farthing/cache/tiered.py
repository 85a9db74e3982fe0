"""All levels as one: asked from the nearest on, written to all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from farthing.ports import CacheEntry, CacheLevel


class Tiered:
    """Implements `ports.AnswerCache`."""

    def __init__(self, levels: Sequence[CacheLevel]) -> None:
        """`levels` from the nearest to the farthest."""
        self._levels = tuple(levels)
        self._buried: set[str] = set()

    async def find(self, key: str) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it; nearer levels then have it too."""
        if key in self._buried:
            return None
        for depth, level in enumerate(self._levels):
            entry = await level.get(key)
            if entry is not None:
                for nearer in self._levels[:depth]:
                    await nearer.put(key, entry)
                # It may have been voted down while we were waiting.
                return None if key in self._buried else (entry, level.name)
        return None

    async def keep(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry on every level, unless its key was voted down."""
        if key not in self._buried:
            for level in self._levels:
                await level.put(key, entry)

    async def forget(self, key: str) -> None:
        """Takes the entry from every level for good, whatever a level itself may forget."""
        self._buried.add(key)
        for level in self._levels:
            await level.delete(key)

    def bury(self, keys: Iterable[str]) -> None:
        """Serves and keeps nothing under these keys, which another process has taken from the shared levels."""
        self._buried.update(keys)
