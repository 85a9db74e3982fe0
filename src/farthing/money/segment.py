"""One file of the journal: length-prefixed records with a checksum, in memory shared with the kernel."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from zlib import crc32

SUFFIX = ".segment"
HEADER = Struct("<II")
"""Length of the payload in bytes, and its CRC-32. A length of 0 marks the end of what was written."""
HEADER_BYTES = HEADER.size

_write_header = Struct("<Q").pack_into


class Segment:
    """A file of fixed size being filled. What `append` has stored survives the death of this process."""

    def __init__(self, path: Path, size: int) -> None:
        """Takes `size` bytes of disk at once, so that a full disk is met here. Raises `OSError`."""
        self.path = path
        self.size = size
        self.end = 0
        """Offset behind the last record."""
        self.synced = 0
        """Offset up to which the disk has confirmed the content."""
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self.descriptor, 0, size)
            self._memory = mmap.mmap(self.descriptor, size)
        except OSError:
            os.close(self.descriptor)
            path.unlink()
            raise

    @property
    def room(self) -> int:
        """Bytes left, headers included."""
        return self.size - self.end

    @property
    def is_open(self) -> bool:
        """Whether the content is mapped."""
        return not self._memory.closed

    def append(self, payload: bytes) -> None:
        """Adds a record; the caller has made sure that it fits."""
        begin = self.end
        start = begin + HEADER_BYTES
        end = start + len(payload)
        memory = self._memory
        # Long bytes are not copied from front to back. The first goes first: it tells an append that was cut off.
        memory[start] = payload[0]
        memory[start:end] = payload
        # The header goes last, in one piece: a process killed in between leaves a length of 0, and so a clean end.
        _write_header(memory, begin, crc32(payload) << 32 | end - start)
        self.end = end

    def records(self, start: int) -> Iterator[tuple[int, bytes | None]]:
        """As the function `records`, over what was appended so far."""
        return records(self._memory, start, self.end)

    def sync(self) -> bool:
        """Waits until the disk has everything appended so far; False where it had it already. Raises `OSError`."""
        end = self.end
        if end == self.synced:
            return False
        os.fdatasync(self.descriptor)
        self.synced = end
        return True

    def close(self) -> None:
        """Gives memory and descriptor back."""
        if self.is_open:
            self._memory.close()
            os.close(self.descriptor)


def records(content: bytes | mmap.mmap, start: int, end: int) -> Iterator[tuple[int, bytes | None]]:
    """Each record from `start` as the offset behind it and its payload, None where it is damaged.

    Behind a damaged record whose length still makes sense the next one is tried, and after two in a row nothing is.
    """
    offset, was_damaged = start, False
    while offset + HEADER.size <= end:
        length, checksum = HEADER.unpack_from(content, offset)
        begin = offset + HEADER.size
        if length == 0:
            if content[offset:end].strip(b"\0") and not _is_unfinished(content, offset):
                yield end, None
            return
        offset = begin + length
        payload = content[begin:offset] if offset <= end else b""
        is_damaged = offset > end or crc32(payload) != checksum
        if is_damaged and (was_damaged or offset > end):
            yield end, None
            return
        yield offset, None if is_damaged else payload
        was_damaged = is_damaged
    if content[offset:end].strip(b"\0"):
        yield end, None


def _is_unfinished(content: bytes | mmap.mmap, offset: int) -> bool:
    """Whether an append was cut off before it counted: a payload right behind a header that is still empty."""
    begin = offset + HEADER.size
    return not content[offset:begin].strip(b"\0") and bool(content[begin : begin + 1].strip(b"\0"))
