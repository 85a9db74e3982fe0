"""Who is calling, and what the caller's key allows."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.catalogue import AUTO, VIRTUAL_MODELS


class Caller(Struct, frozen=True, kw_only=True):
    """A key's owner as the request path sees it. `tenant` is the wall that answers and rows never cross."""

    tenant: str
    key_id: str | None = None
    team: str | None = None
    user: str | None = None
    is_admin: bool = False
    allowed_models: frozenset[str] | None = None
    """None allows every model."""
    cache: bool | None = None
    """Whether answers to this key are cached where the request does not say; None leaves it to the route."""

    def may_use(self, model: str) -> bool:
        """Whether this key may ask for the model of this name; `auto` stands for every virtual model."""
        allowed = self.allowed_models
        return allowed is None or model in allowed or (model in VIRTUAL_MODELS and AUTO in allowed)


class Key(Struct, frozen=True, kw_only=True):
    """A virtual key as the snapshot holds it: never the secret, only what it grants."""

    caller: Caller
    name: str
    hint: str
    """Prefix and last four characters, enough for a person to recognise it."""
    is_blocked: bool = False
    expires_at_us: int | None = None
    """Microseconds since 1970 in UTC."""


LOCAL_CALLER = Caller(tenant="local", is_admin=True)
"""Whoever reaches a gateway that is bound to loopback and has no key."""
