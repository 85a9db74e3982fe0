"""People who have signed on: their role, their team, and whether they are let in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from msgspec.structs import replace

from farthing.domain.errors import Forbidden, InvalidRequest
from farthing.domain.keys import Role
from farthing.domain.permissions import Grant, covers, excess
from farthing.domain.tenancy import Person
from farthing.http.admin.fields import Body, Name, Page
from farthing.http.admin.paging import Listing
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_of, grant_behind, reach_behind
from farthing.http.services import services_of


class ChangedPerson(Body):
    """What may change of a person; what is not said stays. Everything else comes from whoever vouches for them."""

    protected = frozenset({"person_id", "tenant", "issuer", "subject", "email", "name", "created_at"})

    role: Role | None = None
    team: Name | None = None
    is_blocked: bool | None = None


async def list_people(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """People of the caller's reach."""
    reach = reach_behind(request)
    listing = Listing("people", reach)
    place = listing.place(query.cursor)
    found = await services_of(request).tenancy.people(reach, limit=query.limit + 1, after=place[0] if place else None)
    return listing.page(found, query.limit, key=lambda person: [person.person_id], shown=_shown)


async def one_person(request: Request, person_id: str) -> dict[str, Any]:
    """One of them. Raises `NotFound`."""
    return _shown(await services_of(request).tenancy.person(person_id, reach_behind(request)))


async def change_person(request: Request, person_id: str, body: ChangedPerson) -> dict[str, Any]:
    """Changes a person. Raises `NotFound`, `Conflict`, and `Forbidden` beyond the caller's own grant."""
    services, reach = services_of(request), reach_behind(request)
    before = await services.tenancy.person(person_id, reach)
    if not covers(caller_of(request).role, before.role):
        raise Forbidden("This person may do more than you, and therefore cannot be changed by you.")
    changes = body.given()
    for name in ("role", "is_blocked"):
        if name in changes and changes[name] is None:
            raise InvalidRequest(f"`{name}` cannot be null.", code="invalid_value", param=name)
    after = replace(before, **changes)
    await _check_grant(request, before, after)
    if after.role == "team_admin" and after.team is None:
        raise InvalidRequest("A team admin needs a team.", code="missing_required_parameter", param="team")
    if after.team != before.team:
        await services.tenancy.check_team(after.tenant, after.team)
    return _shown(await services.tenancy.change_person(person_id, reach, changes, before=before))


async def _check_grant(request: Request, before: Person, after: Person) -> None:
    """Raises `Forbidden` where the person would be allowed more than the caller is."""
    wide = excess(Grant(tenant=after.tenant, role=after.role, team=after.team), await grant_behind(request))
    for name in {"role", "team"}.intersection(wide):
        if getattr(before, name) != getattr(after, name):
            raise Forbidden(f"`{name}` would allow more than you may do yourself.", param=name)


def _shown(person: Person) -> dict[str, Any]:
    names = ("person_id", "tenant", "issuer", "subject", "role", "team", "email", "name", "is_blocked")
    return {**{name: getattr(person, name) for name in names}, "created_at": rfc3339(person.created_at_us)}
