"""Answers in this process's memory: the nearest level, bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from farthing.ports import Clock
from farthing.ports.answers import CacheEntry

LONGEST_S = 60.0
"""An entry is asked for again at a lower level after this long, so that a vote elsewhere is heard of."""
OVERHEAD_BYTES = 1_000
"""What an entry weighs beside its body."""
LARGEST_SHARE = 8
"""No answer may take more than this fraction of the room, lest it drives out all others."""


class MemoryLevel:
    """Least recently used entries make room. Implements `ports.CacheLevel`."""

    name = "memory"

    def __init__(self, *, clock: Clock, capacity_bytes: int = 64 * 1024 * 1024) -> None:
        self._clock = clock
        self._capacity = capacity_bytes
        self._entries: OrderedDict[str, tuple[CacheEntry, float]] = OrderedDict()
        self._tombstones: set[str] = set()
        self.size_bytes = 0

    def lacks(self, key: str) -> bool:
        """Whether nothing is kept under the key."""
        return key not in self._entries

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down."""
        return self.peek(key)

    def peek(self, key: str) -> CacheEntry | None:
        """As `get`, which never waits here."""
        found = self._entries.get(key)
        if found is None:
            return None
        entry, until_s = found
        if until_s <= self._clock.monotonic():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry, unless it is expired or very large, or its key was voted down."""
        self.hold(key, entry)

    async def put_all(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """As `put` of each."""
        for key, entry in answers:
            self.hold(key, entry)

    def hold(self, key: str, entry: CacheEntry) -> None:
        """As `put`, which never waits here."""
        size = len(entry.body) + OVERHEAD_BYTES
        lives_s = (entry.expires_at_us - self._clock.now_us()) / 1_000_000
        if key in self._entries:
            self._drop(key)
        if key in self._tombstones or lives_s <= 0 or size * LARGEST_SHARE > self._capacity:
            return
        self._entries[key] = entry, self._clock.monotonic() + min(lives_s, LONGEST_S)
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
