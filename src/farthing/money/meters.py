"""How much each open stream of a worker has said so far, in memory shared with the kernel."""

from __future__ import annotations

import mmap
import os
from hashlib import blake2b
from pathlib import Path
from struct import Struct

from farthing.ports import Meter

SLOTS = 16_384
"""Streams at once that are metered; any more are charged for their input alone, should their worker be killed."""
SLOT = Struct("=QQ")
"""Whose it is, 0 if nobody's, and the weight of what was said."""
_WORDS = SLOT.size // 8
HEAVIEST = 1 << 40
"""Thousandths of a token; no stream says as much, so whatever is above is damage."""


class Meters:
    """One file of slots. It is made when the first stream is metered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memory: memoryview | None = None
        self._free: list[int] = []
        self.taken: dict[str, int] = {}
        """Slots by the request that each belongs to."""

    def take(self, request_id: str) -> Meter:
        """A meter at 0 for this request. Where no slot is to be had, one that does not outlive the process."""
        try:
            memory = self._memory or self._mapped()
        except OSError:
            return [0]
        slot = self.taken.get(request_id)
        if slot is None:
            if not self._free:
                return [0]
            slot = self.taken[request_id] = self._free.pop()
        place = slot * _WORDS
        memory[place + 1] = 0
        memory[place] = _tag(request_id)
        return memory[place + 1 : place + 2]

    def release(self, request_id: str) -> None:
        """The request is settled: its slot, if it has one, is somebody else's."""
        slot = self.taken.pop(request_id, None)
        if slot is not None and self._memory is not None:
            self._memory[slot * _WORDS] = 0
            self._free.append(slot)

    def _mapped(self) -> memoryview:
        """The slots. Raises `OSError` where the disk is full: later a page without a place on it would kill us."""
        size = SLOTS * SLOT.size
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            self._memory = memoryview(mmap.mmap(descriptor, size)).cast("Q")
        finally:
            os.close(descriptor)
        self._free = list(range(SLOTS))[::-1]
        return self._memory


class Reading:
    """What the meters of a dead worker say; nothing where their file is missing."""

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        whole = len(content) // SLOT.size * SLOT.size
        self._weights = {tag: weight for tag, weight in SLOT.iter_unpack(content[:whole]) if tag}

    def weight(self, request_id: str) -> int:
        """Thousandths of a token that were said to this request; 0 where that is not known."""
        weight = self._weights.get(_tag(request_id), 0)
        return weight if weight <= HEAVIEST else 0


def _tag(request_id: str) -> int:
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest(), "little")
