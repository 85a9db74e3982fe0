"""How many tokens a picture is likely to be: by its size in pixels, which stands in the first bytes of its file."""

from __future__ import annotations

from binascii import Error, a2b_base64
from math import ceil, sqrt

PATCH = 28
"""Pixels of the side of a square that is one token (Anthropic, "Vision"); OpenAI's are 32 pixels wide."""
LONGEST_SIDE = 2_576
MOST_TOKENS = 4_784
"""What is larger than these two is made smaller before it is read (Anthropic, "Vision", high resolution)."""
LEAST_TOKENS = 258
"""Of the smallest picture (Google, "Understand and count tokens")."""

_HEADER = 32
"""Bytes within which every format but JPEG tells its size."""
_MOST_SEGMENTS = 64
_PNG, _GIF, _JPEG = b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG behind which its size stands."""
_UP_TO_SIZE = 9
"""Bytes from such a marker to the end of the size."""


def picture_tokens(data: str) -> int | None:
    """Estimated tokens of the picture in this base64; None where its size cannot be read.

    The dearest of the published formulas for most sizes, so that holds are rather too large: what else Google and
    OpenAI count (tiles, factors of single models) is less or little more.
    """
    size = size_of(data)
    if size is None:
        return None
    width, height = size
    scale = min(1.0, LONGEST_SIDE / max(size), sqrt(MOST_TOKENS * PATCH * PATCH / (width * height)))
    patches = ceil(width * scale / PATCH) * ceil(height * scale / PATCH)
    return max(LEAST_TOKENS, min(patches, MOST_TOKENS))


def size_of(data: str) -> tuple[int, int] | None:
    """Width and height in pixels of the PNG, JPEG, GIF or WebP in this base64; None where they cannot be read."""
    head = _bytes(data, 0, _HEADER)
    if head.startswith(_PNG):
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    elif head.startswith(_GIF):
        size = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    elif head[8:12] == b"WEBP":
        size = _of_webp(head)
    else:
        size = _of_jpeg(data) if head.startswith(_JPEG) else (0, 0)
    return size if all(size) else None


def _of_webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def _of_jpeg(data: str) -> tuple[int, int]:
    """From segment to segment up to the frame, whatever a camera has put before it."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        segment = _bytes(data, at, _UP_TO_SIZE)
        if len(segment) < _UP_TO_SIZE or not segment.startswith(b"\xff"):
            break
        if segment[1] in _FRAMES:
            return int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big")
        at += 2 + int.from_bytes(segment[2:4], "big")
    return 0, 0


def _bytes(data: str, start: int, count: int) -> bytes:
    """So many bytes of what the base64 stands for, without reading the rest; fewer where it ends or is broken."""
    skipped = start % 3
    first = start // 3 * 4
    try:
        return a2b_base64(data[first : first + ceil((skipped + count) / 3) * 4])[skipped : skipped + count]
    except (Error, ValueError):
        return b""
