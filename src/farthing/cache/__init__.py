"""The levels that keep complete answers."""

from __future__ import annotations

from farthing.cache.limits import RedisLimits
from farthing.cache.memory import MemoryLevel
from farthing.cache.redis import Notice, RedisLevel, RedisLink, RedisValues
from farthing.cache.tiered import Tiered

LEVELS = {level.name: level for level in (MemoryLevel, RedisLevel)}
"""Levels of this package by name, the nearest first; the farthest, `sql`, belongs to the store."""

__all__ = ["LEVELS", "MemoryLevel", "Notice", "RedisLevel", "RedisLimits", "RedisLink", "RedisValues", "Tiered"]
