"""Who may use a route; every route names one of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from fastapi import Request
from fastapi.requests import HTTPConnection
from msgspec import Struct

from farthing.domain.errors import Forbidden, NotFound
from farthing.domain.keys import Caller
from farthing.domain.permissions import EVERYTHING, Grant, Privilege, Reach, grant_of, may, reach_of
from farthing.domain.secrets import digest
from farthing.gateway.admission import admit
from farthing.http.headers import Headers, check_is_local, credential
from farthing.http.services import Services, services_of
from farthing.http.signon import check_origin, session_cookie


class Policy(Enum):
    """PUBLIC needs nothing and KEY any valid key; the others a role with the privilege in `NEEDED`."""

    PUBLIC = "public"
    KEY = "key"
    ASK = "ask"
    AUDIT = "audit"
    TEAM_ADMIN = "team admin"
    ORG_ADMIN = "org admin"
    ADMIN = "admin"


NEEDED: Mapping[Policy, tuple[Privilege, str]] = {
    Policy.ASK: ("ask", "another key: an auditor's reads figures and changes none"),
    Policy.AUDIT: ("audit_team", "an auditor's or an admin's key"),
    Policy.TEAM_ADMIN: ("manage_team", "the key of a team admin, an org admin or an admin"),
    Policy.ORG_ADMIN: ("manage_tenant", "the key of an org admin or an admin"),
    Policy.ADMIN: ("manage_all", "an admin key"),
}
"""The privilege that lets in, and in words who has it."""


class Route(Struct, frozen=True):
    """One route. `answer` is None where the data plane answers (`farthing.http.hot`)."""

    methods: str
    path: str
    policy: Policy
    answer: Callable[..., Any] | None
    status: int = 200
    """Of an answer that went well."""


def caller_of(request: Request) -> Caller:
    """The caller that the route's policy has let in."""
    caller: Caller = request.state.caller
    return caller


def tenant_of(request: Request) -> str | None:
    """Whose rows the caller may see: its own tenant's, or with an admin key everybody's (None)."""
    caller = caller_of(request)
    return None if caller.is_admin else caller.tenant


def reach_behind(request: Request) -> Reach:
    """Whose keys, people and budgets the caller may see and, with the privilege, change."""
    caller = caller_of(request)
    return reach_of(caller.role, caller.tenant, caller.team)


async def grant_behind(request: Request) -> Grant:
    """Everything that the caller is allowed, and so may allow others. Raises `Unavailable`.

    Of a key what stands in the database: the tenant's plan bounds whatever it makes anyhow, and may change.
    """
    services, caller = services_of(request), caller_of(request)
    presented = credential(Headers(request.scope["headers"]))
    key = services.snapshots.current.keys.get(digest(presented)) if presented else None
    if key is None:
        return grant_of(caller, None)
    with suppress(NotFound):
        # The master key is in no database.
        key = await services.keys.get(caller.key_id or "", EVERYTHING)
    return grant_of(key.caller, key.expires_at_us)


def caller_behind(headers: Headers, services: Services) -> Caller:
    """Who sends these headers. Raises `Unauthenticated`, and `InvalidRequest` for another host of an open gateway."""
    snapshot = services.snapshots.current
    if snapshot.is_open:
        check_is_local(headers)
    return admit(snapshot, credential(headers), services.clock.now_us())


async def caller_over(connection: HTTPConnection) -> Caller:
    """Who has come in, by key or by session. Raises as `caller_behind`, and `Unavailable` or `Forbidden`."""
    session = await _caller_of_session(connection)
    return session or caller_behind(Headers(connection.scope["headers"]), services_of(connection))


async def enforce(policy: Policy, request: Request) -> None:
    """Lets in who may use a route of this policy. Raises `Unauthenticated` or `Forbidden`."""
    if policy is Policy.PUBLIC:
        return
    request.state.caller = caller = await caller_over(request)
    if policy in NEEDED:
        privilege, who = NEEDED[policy]
        if not may(caller.role, privilege):
            raise Forbidden(f"This needs {who}.")


async def _caller_of_session(connection: HTTPConnection) -> Caller | None:
    """Whose session the cookie stands for, where it is all that is shown. Raises as `caller_over`."""
    sign_on = services_of(connection).sign_on
    secret = connection.cookies.get(session_cookie(sign_on)) if sign_on is not None else None
    if sign_on is None or not secret or credential(Headers(connection.scope["headers"])) is not None:
        return None
    if isinstance(connection, Request):
        check_origin(connection, sign_on)
    return await sign_on.caller(secret)
