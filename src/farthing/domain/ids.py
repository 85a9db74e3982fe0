"""Identifiers that sort by the moment they were made."""

from __future__ import annotations

from binascii import hexlify
from struct import Struct

RANDOM_BITS = 62
"""How many random bits an identifier takes."""

_octets = Struct(">QQ").pack
_groups = Struct("8s4s4s4s12s").unpack


def uuid7(now_us: int, random_bits: int) -> str:
    """A UUIDv7 as 36 characters (RFC 9562, section 5.7).

    `now_us` is microseconds since 1970 in UTC. Its part below the millisecond fills the 12 bits after the version
    (section 6.2, method 3), so that identifiers made 250 ns apart sort by age. The lowest 62 bits of `random_bits`
    tell identifiers of one moment apart.
    """
    high = (now_us // 1000 & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | now_us % 1000 * 4096 // 1000
    low = 0x8000_0000_0000_0000 | random_bits & 0x3FFF_FFFF_FFFF_FFFF
    return b"-".join(_groups(hexlify(_octets(high, low)))).decode()
