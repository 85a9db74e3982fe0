"""What structs of compiled modules are made of: mypyc forgets what stands beside a class's bases, and not the bases."""

from __future__ import annotations

from msgspec import Struct


class Value(Struct, frozen=True):
    """Equal to all that say the same, and never changed."""


class Unique(Struct, eq=False):
    """Equal to nothing but itself."""
