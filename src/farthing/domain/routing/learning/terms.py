"""Words of a prompt, and the places that they and their pairs take in a table of fixed size."""

from __future__ import annotations

import re
from zlib import crc32

PLACES = 1 << 17
"""Size of the table: few of a hundred thousand terms share a place."""

_SCAN_CHARS = 4_096
"""Of a longer text the first and the last this many characters are read, so that the time stays bounded."""

_NUMBERS = [f"0{digits}".encode() for digits in range(2 * _SCAN_CHARS + 2)]
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,]\d+)*|_+|[^\w\s]")


def excerpt(text: str) -> str:
    """All of a text of up to 8,192 characters, both ends of a longer one."""
    return text if len(text) <= 2 * _SCAN_CHARS else f"{text[:_SCAN_CHARS]}\n{text[-_SCAN_CHARS:]}"


def tokens_of(text: str) -> list[str]:
    """Words in lower case, numbers and single signs, in their order."""
    return _TOKEN.findall(text.lower())


def places_of(tokens: list[str]) -> list[int]:
    """The places of the tokens and of each two that follow each other.

    A number counts as its number of digits: what it is matters less than how large it is.
    """
    raw = [_NUMBERS[len(token)] if token[0].isdigit() else token.encode("utf-8", "surrogatepass") for token in tokens]
    singles = [crc32(token) for token in raw]
    mask = PLACES - 1
    return [place & mask for place in singles] + [crc32(b, a) & mask for a, b in zip(singles, raw[1:], strict=False)]
