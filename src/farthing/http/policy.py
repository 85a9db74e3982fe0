"""Who may use a route; every route names one of these."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from fastapi import Request
from msgspec import Struct

from farthing.domain.errors import Forbidden
from farthing.domain.keys import Caller
from farthing.gateway.admission import admit
from farthing.http.headers import Headers, check_is_local, credential
from farthing.http.services import Services, services_of


class Policy(Enum):
    """PUBLIC needs nothing, KEY any valid key, ADMIN an admin key."""

    PUBLIC = "public"
    KEY = "key"
    ADMIN = "admin"


class Route(Struct, frozen=True):
    """One route. `answer` is None where the data plane answers (`farthing.http.hot`)."""

    methods: str
    path: str
    policy: Policy
    answer: Callable[..., Any] | None


def caller_of(request: Request) -> Caller:
    """The caller that the route's policy has let in."""
    caller: Caller = request.state.caller
    return caller


def tenant_of(request: Request) -> str | None:
    """Whose rows the caller may see: its own tenant's, or with an admin key everybody's (None)."""
    caller = caller_of(request)
    return None if caller.is_admin else caller.tenant


def caller_behind(headers: Headers, services: Services) -> Caller:
    """Who sends these headers. Raises `Unauthenticated`, and `InvalidRequest` for another host of an open gateway."""
    snapshot = services.snapshots.current
    if snapshot.is_open:
        check_is_local(headers)
    return admit(snapshot, credential(headers), services.clock.now_us())


async def require_key(request: Request) -> None:
    """Lets in any valid key. Raises `Unauthenticated`."""
    request.state.caller = caller_behind(Headers(request.scope["headers"]), services_of(request))


async def require_admin(request: Request) -> None:
    """Lets in admin keys. Raises `Unauthenticated` or `Forbidden`."""
    await require_key(request)
    if not caller_of(request).is_admin:
        raise Forbidden("This needs an admin key.")
