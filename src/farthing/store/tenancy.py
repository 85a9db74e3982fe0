"""Tenants, teams and people: whom keys belong to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.keys import Role
from farthing.domain.permissions import ROLES, Reach
from farthing.domain.plans import PriceList
from farthing.domain.tenancy import Person, Team, Tenant, limits_or_none
from farthing.store.engine import Engines
from farthing.store.schema import counters, people, sessions, teams, tenants
from farthing.store.terms import note_plan

logger = logging.getLogger(__name__)

COUNTER = "tenancy"
"""Counts changes of keys, tenants and teams, so that nobody reads what has not changed."""


class Tenancy:
    """Whom keys belong to. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def add_tenant(self, tenant: Tenant, prices: PriceList | None = None) -> None:
        """Adds a tenant, with `prices` its terms as well. Raises `Conflict` where one of this id is there."""
        row = {**_plain(tenant, "tenant", "name", "plan", "is_blocked"), "created_at": tenant.created_at_us}
        async with self._engines.writing() as connection:
            await self._add(connection, tenants, row, "tenant")
            if prices is not None and tenant.plan is not None:
                await note_plan(self._engines, connection, tenant.tenant, (None, tenant.plan), prices)

    async def tenants(self, reach: Reach, *, limit: int, after: str | None = None) -> list[Tenant]:
        """At most `limit` tenants within reach, by id, those after `after`."""
        where = [*within(reach, tenants.c.tenant), *_after(tenants.c.tenant, after)]
        statement = sa.select(tenants).where(*where).order_by(tenants.c.tenant).limit(limit)
        async with self._engines.reading() as connection:
            return [tenant_of(row) for row in await connection.execute(statement)]

    async def change_tenant(
        self, tenant: str, reach: Reach, changes: Mapping[str, Any], prices: PriceList | None = None
    ) -> Tenant:
        """Sets these of `name`, `plan` and `is_blocked`; with `prices` another plan's terms are put on record.

        Raises `NotFound`.
        """
        where = [tenants.c.tenant == tenant, *within(reach, tenants.c.tenant)]
        async with self._engines.writing() as connection:
            # Whoever changes a tenant waits here for whoever did before, so what is read stays.
            await note_change(self._engines, connection)
            before = (await connection.execute(sa.select(tenants.c.plan).where(*where))).scalar()
            row = await self._set(connection, tenants, where, changes, "tenant")
            if prices is not None and row.plan != before:
                await note_plan(self._engines, connection, tenant, (before, row.plan), prices)
        return tenant_of(row)

    async def plans(self) -> Mapping[str, Sequence[str]]:
        """By each plan that somebody is on who that is."""
        statement = sa.select(tenants.c.plan, tenants.c.tenant).where(tenants.c.plan.is_not(None))
        found: dict[str, list[str]] = {}
        async with self._engines.reading() as connection:
            for row in await connection.execute(statement.order_by(tenants.c.tenant)):
                found.setdefault(row.plan, []).append(row.tenant)
        return found

    async def add_team(self, team: Team) -> None:
        """Adds a team. Raises `Conflict` where one of this id is there, and `NotFound` without its tenant."""
        row = {**_plain(team, "tenant", "team", "name"), **figures(team), "created_at": team.created_at_us}
        async with self._engines.writing() as connection:
            await self._check(connection, tenants.c.tenant == team.tenant, "tenant")
            await self._add(connection, teams, row, "team")

    async def teams(self, reach: Reach, *, limit: int, after: tuple[str, str] | None = None) -> list[Team]:
        """At most `limit` teams within reach, by tenant and id, those after `after`."""
        place = sa.tuple_(teams.c.tenant, teams.c.team)
        where = [*within(reach, teams.c.tenant, teams.c.team), *([] if after is None else [place > after])]
        statement = sa.select(teams).where(*where).order_by(teams.c.tenant, teams.c.team).limit(limit)
        async with self._engines.reading() as connection:
            return [team_of(row) for row in await connection.execute(statement)]

    async def change_team(self, tenant: str, team: str, reach: Reach, changes: Mapping[str, Any]) -> Team:
        """Sets its name and these of its limits. Raises `NotFound`."""
        where = [teams.c.tenant == tenant, teams.c.team == team, *within(reach, teams.c.tenant, teams.c.team)]
        return team_of(await self._change(teams, where, changes, "team"))

    async def people(self, reach: Reach, *, limit: int, after: str | None = None) -> list[Person]:
        """At most `limit` people within reach, by id, those after `after`."""
        where = [*within(reach, people.c.tenant, people.c.team), *_after(people.c.person_id, after)]
        statement = sa.select(people).where(*where).order_by(people.c.person_id).limit(limit)
        async with self._engines.reading() as connection:
            return [person_of(row) for row in await connection.execute(statement)]

    async def person(self, person_id: str, reach: Reach) -> Person:
        """One of them. Raises `NotFound`."""
        where = [people.c.person_id == person_id, *within(reach, people.c.tenant, people.c.team)]
        async with self._engines.reading() as connection:
            row = (await connection.execute(sa.select(people).where(*where))).first()
        if row is None:
            raise NotFound("There is no person with this id.", param="person_id")
        return person_of(row)

    async def change_person(
        self, person_id: str, reach: Reach, changes: Mapping[str, Any], *, before: Person | None = None
    ) -> Person:
        """Sets these of `role`, `team` and `is_blocked`, and ends all sessions.

        Raises `NotFound`, and `Conflict` where the person is not any more what they were `before`.
        """
        where = [people.c.person_id == person_id, *within(reach, people.c.tenant, people.c.team)]
        # Both or neither: nobody goes on as what they were.
        ends = sa.delete(sessions).where(sessions.c.person_id == person_id)
        async with self._engines.writing() as connection:
            await note_change(self._engines, connection)
            row = (await connection.execute(sa.select(people).where(*where).with_for_update())).first()
            if row is not None and before is not None and person_of(row) != before:
                raise Conflict("Somebody else has changed this person meanwhile. Look again.", param="person_id")
            row = await self._set(connection, people, where, changes, "person_id")
            await connection.execute(ends)
        return person_of(row)

    async def check_team(self, tenant: str, team: str | None) -> None:
        """Raises `NotFound` where there is no such tenant, or no such team in it."""
        async with self._engines.reading() as connection:
            await self._check(connection, tenants.c.tenant == tenant, "tenant")
            if team is not None:
                await self._check(connection, (teams.c.tenant == tenant) & (teams.c.team == team), "team")

    async def _add(self, connection: AsyncConnection, table: sa.Table, row: Mapping[str, Any], param: str) -> None:
        await note_change(self._engines, connection)
        statement = self._engines.backend.inserting(table).values(**row).on_conflict_do_nothing()
        if (await connection.execute(statement)).rowcount == 0:
            raise Conflict(f"There is a {param} of this id already.", param=param)

    async def _change(
        self, table: sa.Table, where: Sequence[sa.ColumnElement[bool]], changes: Mapping[str, Any], param: str
    ) -> sa.Row[Any]:
        async with self._engines.writing() as connection:
            await note_change(self._engines, connection)
            return await self._set(connection, table, where, changes, param)

    async def _set(
        self,
        connection: AsyncConnection,
        table: sa.Table,
        where: Sequence[sa.ColumnElement[bool]],
        changes: Mapping[str, Any],
        param: str,
    ) -> sa.Row[Any]:
        if changes:
            await connection.execute(sa.update(table).where(*where).values(**changes))
        row = (await connection.execute(sa.select(table).where(*where))).first()
        if row is None:
            raise NotFound(f"There is no such {param.removesuffix('_id')} here.", param=param)
        return row

    async def _check(self, connection: AsyncConnection, condition: sa.ColumnElement[bool], param: str) -> None:
        if (await connection.execute(sa.select(sa.literal(1)).where(condition))).first() is None:
            raise NotFound(f"There is no such {param} here.", param=param)


async def note_change(engines: Engines, connection: AsyncConnection, counter: str = COUNTER) -> int:
    """The number of the change that this transaction makes.

    Whoever changes something waits here for whoever did before, so a number is seen only when all below it are.
    """
    statement = engines.backend.inserting(counters).values(name=counter, value=1)
    upsert = statement.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
    found = await connection.execute(upsert.returning(counters.c.value))
    return int(found.scalar_one())


_LAST = sa.select(counters.c.value).where(counters.c.name == sa.bindparam("counter"))


async def last_change(connection: AsyncConnection, counter: str = COUNTER) -> int:
    """The number of the last change, 0 before the first: quick to tell."""
    return int((await connection.execute(_LAST, {"counter": counter})).scalar() or 0)


async def make_room(
    engines: Engines, connection: AsyncConnection, owner: tuple[str, str | None], created_at_us: int
) -> None:
    """Makes sure that a person's tenant and team are there, and counts a change only where they were not."""
    tenant, team = owner
    here = [tenants.c.tenant == tenant] if team is None else [teams.c.tenant == tenant, teams.c.team == team]
    if (await connection.execute(sa.select(sa.literal(1)).where(*here))).first() is None:
        await note_change(engines, connection)
        await note_owner(engines, connection, owner, created_at_us)


async def note_owner(
    engines: Engines, connection: AsyncConnection, owner: tuple[str, str | None], created_at_us: int
) -> None:
    """Makes sure that the tenant and the team of a new key or person are there."""
    tenant, team = owner
    row: dict[str, Any] = {"tenant": tenant, "name": tenant, "is_blocked": False, "created_at": created_at_us}
    await connection.execute(engines.backend.inserting(tenants).values(**row).on_conflict_do_nothing())
    if team is not None:
        row = {"tenant": tenant, "team": team, "name": team, "created_at": created_at_us}
        await connection.execute(engines.backend.inserting(teams).values(**row).on_conflict_do_nothing())


def within(reach: Reach, tenant: sa.Column[Any], team: sa.Column[Any] | None = None) -> list[sa.ColumnElement[bool]]:
    """The conditions that keep to somebody's reach."""
    found: list[sa.ColumnElement[bool]] = [] if reach.tenant is None else [tenant == reach.tenant]
    return found if team is None or reach.team is None else [*found, team == reach.team]


def figures(owner: Any) -> dict[str, int | None]:  # noqa: ANN401 - a team or a caller
    """The columns of an owner's limits."""
    names = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
    return {name: getattr(owner.limits, name, None) for name in names}


def tenant_of(row: sa.Row[Any]) -> Tenant:
    """A row of `tenants`."""
    return Tenant(
        tenant=row.tenant, name=row.name, plan=row.plan, is_blocked=row.is_blocked, created_at_us=row.created_at
    )


def team_of(row: sa.Row[Any]) -> Team:
    """A row of `teams`."""
    limits = limits_or_none(row.requests_per_minute, row.tokens_per_minute, row.concurrent_requests)
    return Team(tenant=row.tenant, team=row.team, name=row.name, limits=limits, created_at_us=row.created_at)


@cache
def role_of(role: str) -> Role:
    """A role as it stands in the database. One of a newer release, which may nothing here, is logged once."""
    if role not in ROLES:
        logger.warning("the role %r in the database is not known to this release, and may do nothing", role)
    return cast("Role", role)


def person_of(row: sa.Row[Any]) -> Person:
    """A row of `people`, or one that begins with its columns."""
    names = ("person_id", "tenant", "issuer", "subject", "role", "team", "email", "name", "is_blocked")
    facts = {name: row._mapping[name] for name in names}  # noqa: SLF001 (public in SQLAlchemy)
    return Person(**{**facts, "role": role_of(row.role)}, created_at_us=row.created_at)


def _after(column: sa.Column[Any], after: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if after is None else [column > after]


def _plain(thing: object, *names: str) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}
