"""How much may be asked in a minute and at a time."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on one key, team or tenant; None is without one."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    """Requests under way at a time."""


class Quota(Struct, frozen=True, kw_only=True):
    """Limits, and who shares them: everybody with the same scope and subject."""

    scope: Literal["key", "team", "tenant"]
    subject: str
    """The key's id, `TENANT/TEAM`, or the tenant."""
    limits: Limits
