"""Virtual keys: listed, made, changed and revoked by those who may, and never beyond what they have themselves."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from msgspec.structs import replace

from farthing.domain.errors import Forbidden, InvalidRequest
from farthing.domain.keys import Caller, Key, Role
from farthing.domain.permissions import covers, excess, grant_of
from farthing.domain.pricing import NANO
from farthing.domain.secrets import digest, hint
from farthing.http.admin.fields import Dollars, Figures, Models, Moment, Name, Page
from farthing.http.admin.paging import Listing
from farthing.http.moments import parse_moment, rfc3339
from farthing.http.policy import caller_of, grant_behind, reach_behind
from farthing.http.services import Services, services_of

_FIGURES = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")


class NewKey(Figures):
    """A key to be made; what is not said is the caller's own tenant and team, and no bound."""

    protected = frozenset(
        {"key_id", "digest", "hint", "secret", "is_admin", "is_blocked", "is_revoked", "revoked_at", "created_at"}
        | {"created_by", "changed", "cache", "user_id", "allowed_models", "state"}
    )

    name: Name
    tenant: Name | None = None
    team: Name | None = None
    user: Name | None = None
    role: Role = "member"
    models: Models | None = None
    expires_at: Moment | None = None
    max_cost_usd: Dollars | None = None


class ChangedKey(Figures):
    """What may change of a key; what is not said stays."""

    protected = NewKey.protected - {"is_blocked"} | {"tenant", "team", "user", "role"}

    name: Name | None = None
    models: Models | None = None
    expires_at: Moment | None = None
    max_cost_usd: Dollars | None = None
    is_blocked: bool | None = None


async def list_keys(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """Keys of the caller's reach, the oldest first, revoked ones too; of a secret the last four characters."""
    reach, services = reach_behind(request), services_of(request)
    listing = Listing("keys", reach)
    place = listing.place(query.cursor)
    found = await services.keys.page(reach, limit=query.limit + 1, after=place[0] if place else None)
    now_us = services.clock.now_us()
    return listing.page(
        found, query.limit, key=lambda key: [key.caller.key_id or ""], shown=lambda key: _shown(key, now_us)
    )


async def one_key(request: Request, key_id: str) -> dict[str, Any]:
    """One of them. Raises `NotFound`."""
    services = services_of(request)
    return _shown(await services.keys.get(key_id, reach_behind(request)), services.clock.now_us())


async def create_key(request: Request, body: NewKey) -> dict[str, Any]:
    """Makes a key and shows its secret, this once. Raises `Forbidden` beyond the caller's own grant, `Conflict`."""
    services, creator = services_of(request), caller_of(request)
    tenant = body.tenant or creator.tenant
    is_own_team = tenant == creator.tenant and creator.role == "team_admin"
    caller = Caller(
        tenant=tenant,
        key_id=services.new_id(),
        team=body.team or (creator.team if is_own_team else None),
        user=body.user,
        role=body.role,
        allowed_models=None if body.models is None else frozenset(body.models),
        limits=body.limits(),
        max_cost=body.max_cost_usd,
    )
    now_us = services.clock.now_us()
    secret = services.new_secret()
    key = Key(
        caller=caller,
        name=body.name,
        hint=hint(secret),
        expires_at_us=_end(body.expires_at, now_us),
        created_at_us=now_us,
        created_by=creator.key_id,
    )
    await _check_grant(request, key)
    if caller.role == "team_admin" and caller.team is None:
        raise InvalidRequest("A team admin needs a team.", code="missing_required_parameter", param="team")
    if (tenant, caller.team) != (creator.tenant, creator.team) and (tenant != creator.tenant or caller.team):
        await services.tenancy.check_team(tenant, caller.team)
    await services.keys.create(key, digest(secret), created_at_us=now_us, named_once=True)
    await services.refresh()
    return {**_shown(key, now_us), "secret": secret}


async def change_key(request: Request, key_id: str, body: ChangedKey) -> dict[str, Any]:
    """Changes a key; every worker follows within a second. Raises `NotFound`, `Forbidden`, `Conflict`."""
    services, reach = services_of(request), reach_behind(request)
    before = await services.keys.get(key_id, reach)
    _check_rank(request, before)
    changed = _changed(before, body, services)
    await _check_grant(request, changed, before)
    after = await services.keys.change(changed, reach, before=before)
    await services.refresh()
    return _shown(after, services.clock.now_us())


async def revoke_key(request: Request, key_id: str) -> dict[str, Any]:
    """Revokes a key for good; doing so again changes nothing. Raises `NotFound`, `Forbidden`."""
    services, reach = services_of(request), reach_behind(request)
    _check_rank(request, await services.keys.get(key_id, reach))
    now_us = services.clock.now_us()
    await services.keys.revoke(key_id, revoked_at_us=now_us, reach=reach)
    await services.refresh()
    return _shown(await services.keys.get(key_id, reach), now_us)


def _changed(key: Key, body: ChangedKey, services: Services) -> Key:
    given = body.given()
    caller = replace(key.caller, limits=body.limits(key.caller.limits))
    if "models" in given:
        caller = replace(caller, allowed_models=None if body.models is None else frozenset(body.models))
    if "max_cost_usd" in given:
        caller = replace(caller, max_cost=body.max_cost_usd)
    if "expires_at" in given:
        key = replace(key, expires_at_us=_end(body.expires_at, services.clock.now_us()))
    for name in ("name", "is_blocked"):
        if name in given and given[name] is None:
            raise InvalidRequest(f"`{name}` cannot be null.", code="invalid_value", param=name)
    return replace(
        key,
        caller=caller,
        name=key.name if body.name is None else body.name,
        is_blocked=key.is_blocked if body.is_blocked is None else body.is_blocked,
    )


async def _check_grant(request: Request, key: Key, before: Key | None = None) -> None:
    """Raises `Forbidden` where the key would allow more than its maker has; what was so before and stays may stay."""
    facts, old = _facts(key), None if before is None else _facts(before)
    for name in excess(grant_of(key.caller, key.expires_at_us), await grant_behind(request)):
        if old is None or facts[name] != old[name]:
            raise Forbidden(f"`{name}` would allow more than your own key does.", param=name)


def _facts(key: Key) -> dict[str, Any]:
    """Whatever bounds a key, by the name of its field."""
    caller = key.caller
    return {
        "tenant": caller.tenant,
        "team": caller.team,
        "user": caller.user,
        "role": caller.role,
        "models": None if caller.allowed_models is None else sorted(caller.allowed_models),
        "expires_at": None if key.expires_at_us is None else rfc3339(key.expires_at_us),
        **{name: getattr(caller.limits, name, None) for name in _FIGURES},
        "max_cost_usd": None if caller.max_cost is None else caller.max_cost / NANO,
    }


def _check_rank(request: Request, key: Key) -> None:
    """Raises `Forbidden` where the key's role may do what the caller's may not."""
    if not covers(caller_of(request).role, key.caller.role):
        raise Forbidden("This key may do more than yours, which therefore cannot change it.")


def _end(text: str | None, now_us: int) -> int | None:
    """The moment in microseconds since 1970. Raises `InvalidRequest` for one that is over."""
    if text is None:
        return None
    moment_us = parse_moment(text, "expires_at")
    if moment_us <= now_us:
        raise InvalidRequest("`expires_at` must lie in the future.", code="invalid_value", param="expires_at")
    return moment_us


def _shown(key: Key, now_us: int) -> dict[str, Any]:
    return {
        "key_id": key.caller.key_id,
        "name": key.name,
        "hint": key.hint,
        **_facts(key),
        "state": key.state(now_us),
        "created_at": None if key.created_at_us is None else rfc3339(key.created_at_us),
        "created_by": key.created_by,
    }
