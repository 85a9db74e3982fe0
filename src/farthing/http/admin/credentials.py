"""The keys for providers that tenants bring along: kept sealed, and never shown again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import AfterValidator, Field, SecretStr

from farthing.domain.credentials import Bond, Credential, hint_of, origin_of
from farthing.domain.errors import Conflict, NotFound
from farthing.domain.secrecy import Secret
from farthing.http.admin.fields import Body, Name, Page
from farthing.http.admin.paging import Listing
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_of, reach_behind
from farthing.http.services import services_of

LONGEST_KEY = 4096


def _key(secret: SecretStr) -> SecretStr:
    """The key. Raises ValueError for what no provider would take as a header."""
    text = secret.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected printable ASCII without spaces")
    return secret


class BroughtKey(Body):
    """A key for a provider, in place of the one that the tenant has brought before, if any."""

    protected = frozenset({"credential_id", "origin", "sealed", "hint", "created_at"})

    provider: Name
    secret: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST_KEY), AfterValidator(_key)]
    tenant: Name | None = None


async def list_credentials(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """Whose keys are kept, by tenant and provider; they are tenants' own, so a team admin sees none."""
    services, reach = services_of(request), reach_behind(request)
    listing = Listing("credentials", reach)
    place = listing.place(query.cursor)
    kept = await services.credentials.list(reach.tenant) if reach.team is None else []
    found = [each for each in kept if place is None or _place(each) > place]
    return listing.page(found[: query.limit + 1], query.limit, key=_place, shown=_shown)


async def put_credential(request: Request, body: BroughtKey) -> dict[str, Any]:
    """Keeps a key: what the tenant asks the provider is paid with it from now on. Raises `NotFound`, `Conflict`."""
    services, own = services_of(request), caller_of(request).tenant
    tenant = body.tenant or own
    if not reach_behind(request).holds(tenant, None):
        raise NotFound("There is no such tenant here.", param="tenant")
    if services.seal is None:
        raise Conflict(
            "This gateway keeps no keys: FARTHING_ENCRYPTION_KEY is not set. Ask whoever runs it.",
            code="no_encryption_key",
        )
    provider = services.snapshots.current.providers.get(body.provider)
    if provider is None:
        raise NotFound("There is no such provider here. `GET /providers` lists them.", param="provider")
    if tenant != own:
        await services.tenancy.check_team(tenant, None)
    secret = body.secret.get_secret_value()
    bond = Bond(tenant, services.new_id(), origin_of(provider.base_url))
    credential = Credential(
        bond=bond,
        provider=provider.name,
        sealed=services.seal(Secret(secret), bond),
        hint=hint_of(secret),
        created_at_us=services.clock.now_us(),
    )
    await services.credentials.put(credential)
    await services.refresh()
    return _shown(credential)


async def delete_credential(request: Request, tenant: str, provider: str) -> dict[str, Any]:
    """Forgets a key: what the tenant asks is paid with the gateway's own again. Raises `NotFound`."""
    services = services_of(request)
    if not reach_behind(request).holds(tenant, None):
        raise NotFound("This tenant has brought no key for this provider.", param="provider")
    await services.credentials.delete(tenant, provider)
    await services.refresh()
    return {"tenant": tenant, "provider": provider, "deleted": True}


def _place(credential: Credential) -> list[str]:
    return [credential.bond.tenant, credential.provider]


def _shown(credential: Credential) -> dict[str, Any]:
    return {
        "tenant": credential.bond.tenant,
        "provider": credential.provider,
        "hint": credential.hint,
        "origin": credential.bond.origin,
        "created_at": rfc3339(credential.created_at_us),
    }
