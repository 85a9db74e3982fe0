"""Answers in this process's memory: the nearest level, bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict

from farthing.ports import CacheEntry, Clock

LONGEST_US = 60_000_000
"""An entry is asked for again at a lower level after this long, so that a vote elsewhere is heard of."""
OVERHEAD_BYTES = 1_000
"""What an entry weighs beside its body."""


class MemoryLevel:
    """Least recently used entries make room. Implements `ports.CacheLevel`."""

    name = "memory"

    def __init__(self, *, clock: Clock, capacity_bytes: int = 64 * 1024 * 1024) -> None:
        self._clock = clock
        self._capacity = capacity_bytes
        self._entries: OrderedDict[str, tuple[CacheEntry, int]] = OrderedDict()
        self._tombstones: set[str] = set()
        self.size_bytes = 0

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down."""
        found = self._entries.get(key)
        if found is None:
            return None
        entry, until_us = found
        if until_us <= self._clock.now_us():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry, unless it is larger than all there is, or its key was voted down."""
        size = len(entry.body) + OVERHEAD_BYTES
        self._drop(key)
        if key in self._tombstones or size > self._capacity:
            return
        self._entries[key] = entry, min(entry.expires_at_us, self._clock.now_us() + LONGEST_US)
        self.size_bytes += size
        while self.size_bytes > self._capacity:
            self._drop(next(iter(self._entries)))

    async def delete(self, key: str) -> None:
        """Forgets the entry and refuses its key from now on."""
        self._drop(key)
        self._tombstones.add(key)

    def _drop(self, key: str) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self.size_bytes -= len(found[0].body) + OVERHEAD_BYTES
