"""Who is calling, and what the caller's key allows."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from farthing.domain.catalogue import AUTO, VIRTUAL_MODELS
from farthing.domain.limits import Limits, Quota

Role = Literal["member", "auditor", "team_admin", "org_admin", "admin"]
"""What a key or person may do: `farthing.domain.permissions` says what each means."""

Errand = Literal["shadow", "judge"]
"""What the gateway buys on its own behalf: a second model's answer to a question, or a judgement of two answers."""
ERRANDS: tuple[Errand, ...] = ("shadow", "judge")
"""They stand in the ledger as strategies."""

MAX_NAME = 200
"""Characters of a name that people give."""


class Ceiling(Struct, frozen=True):
    """The most that one request may cost."""

    limit: int
    """Nano-dollars."""
    whose: str
    """Who set it, in words that go on with "allows"."""


class Caller(Struct, frozen=True, kw_only=True):
    """A key's owner as the request path sees it. `tenant` is the wall that answers and rows never cross."""

    tenant: str
    key_id: str | None = None
    team: str | None = None
    user: str | None = None
    role: Role = "member"
    errand: Errand | None = None
    """What the gateway itself asks for, on this tenant's account; None for whoever comes with a key."""
    allowed_models: frozenset[str] | None = None
    """None allows every model."""
    cache: bool | None = None
    """Whether answers to this key are cached where the request does not say; None leaves it to the route."""
    limits: Limits | None = None
    """The key's own."""
    quotas: tuple[Quota, ...] = ()
    """All limits that its requests must keep: its own, its team's and its tenant's. Known in a snapshot only."""
    max_cost: int | None = None
    """Nano-dollars that one of its requests may cost; None without such a bound."""
    ceiling: Ceiling | None = None
    """The least of that and of what its tenant's plan lets a request cost. Known in a snapshot only."""
    unknown_plan: str | None = None
    """What its tenant is on and the settings do not name, so that it asks no models. Known in a snapshot only."""

    @property
    def is_admin(self) -> bool:
        """Whether this caller may do everything, everywhere."""
        return self.role == "admin"

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
    """Whether it is refused, for now or for good."""
    is_revoked: bool = False
    """Whether it is blocked for good."""
    expires_at_us: int | None = None
    """Microseconds since 1970 in UTC."""
    created_at_us: int | None = None
    """None where nobody asked for it, as in a snapshot; so is `created_by`."""
    created_by: str | None = None
    """The key or person that made it; None for the command line."""

    def state(self, now_us: int) -> Literal["active", "blocked", "expired", "revoked"]:
        """Whether a caller can come in with it at this moment, in microseconds since 1970, and why not."""
        if self.is_revoked:
            return "revoked"
        if self.is_blocked:
            return "blocked"
        return "expired" if self.expires_at_us is not None and self.expires_at_us <= now_us else "active"


LOCAL_CALLER = Caller(tenant="local", role="admin")
"""Whoever reaches a gateway that is bound to loopback and has no key."""


def is_name(text: str) -> bool:
    """Whether this names something and looks like what it is: no controls, no invisible characters, no turned text."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and text == text.strip()
