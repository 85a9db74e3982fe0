"""All levels as one: asked from the nearest on, written to all."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.ports import CacheEntry, CacheLevel


class Tiered:
    """Implements `ports.AnswerCache`."""

    def __init__(self, levels: Sequence[CacheLevel]) -> None:
        """`levels` from the nearest to the farthest."""
        self._levels = levels

    async def find(self, key: str) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it; nearer levels then have it too."""
        for depth, level in enumerate(self._levels):
            entry = await level.get(key)
            if entry is not None:
                for nearer in self._levels[:depth]:
                    await nearer.put(key, entry)
                return entry, level.name
        return None

    async def keep(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry on every level."""
        for level in self._levels:
            await level.put(key, entry)

    async def forget(self, key: str) -> None:
        """Takes the entry from every level for good."""
        for level in self._levels:
            await level.delete(key)
