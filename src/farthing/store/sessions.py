"""People who sign on, and the sessions that they have open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from farthing.domain.signon import Session
from farthing.domain.tenancy import Person
from farthing.store.engine import Engines
from farthing.store.rows import storable
from farthing.store.schema import people, sessions
from farthing.store.tenancy import make_room, person_of


class Sessions:
    """By the digest of the cookie's secret. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def welcome(self, person: Person, *, returning: Callable[[Person], Person]) -> Person:
        """The person as they are known from now on, in a tenant and a team that are made where there are none.

        `returning` tells what becomes of who was here before: tenant, team, role, mail address and name are kept.
        """
        row = {
            "person_id": person.person_id,
            "tenant": person.tenant,
            "issuer": person.issuer,
            "subject": person.subject,
            "role": person.role,
            "team": person.team,
            "email": person.email,
            "name": storable(person.name) if person.name else None,
            "is_blocked": person.is_blocked,
            "created_at": person.created_at_us,
        }
        new = self._engines.backend.inserting(people).values(**row).on_conflict_do_nothing()
        whose = (people.c.issuer == person.issuer) & (people.c.subject == person.subject)
        async with self._engines.writing() as connection:
            await make_room(self._engines, connection, (person.tenant, person.team), person.created_at_us)
            await connection.execute(new)
            known = (await connection.execute(sa.select(people).where(whose).with_for_update())).one()
            after = returning(person_of(known))
            values = {name: getattr(after, name) for name in ("tenant", "team", "role", "email")}
            values["name"] = storable(after.name) if after.name else None
            latest = sa.update(people).where(whose).values(**values).returning(people)
            return person_of((await connection.execute(latest)).one())

    async def open(self, digest: bytes, person_id: str, *, now_us: int, expires_at_us: int) -> None:
        """Notes a new session; whatever else the person had open ends."""
        row = {
            "digest": digest,
            "person_id": person_id,
            "created_at": now_us,
            "seen_at": now_us,
            "expires_at": expires_at_us,
        }
        async with self._engines.writing() as connection:
            await connection.execute(sa.delete(sessions).where(sessions.c.person_id == person_id))
            await connection.execute(sa.insert(sessions), row)

    async def find(self, digest: bytes) -> Session | None:
        """The session, and whose it is, whether or not it is still good."""
        statement = sa.select(people, sessions.c.seen_at, sessions.c.expires_at).join(
            people, people.c.person_id == sessions.c.person_id
        )
        async with self._engines.reading("refresh") as connection:
            row = (await connection.execute(statement.where(sessions.c.digest == digest))).first()
        return None if row is None else Session(person_of(row), row.seen_at, row.expires_at)

    async def touch(self, digest: bytes, now_us: int) -> None:
        """Somebody has used the session."""
        await self._execute(sa.update(sessions).where(sessions.c.digest == digest).values(seen_at=now_us))

    async def close(self, digest: bytes) -> None:
        """Ends a session."""
        await self._execute(sa.delete(sessions).where(sessions.c.digest == digest))

    async def sweep(self, now_us: int) -> None:
        """Forgets sessions that are over."""
        await self._execute(sa.delete(sessions).where(sessions.c.expires_at <= now_us))

    async def _execute(self, statement: sa.Executable) -> Any:  # noqa: ANN401 (nobody looks at it)
        async with self._engines.writing() as connection:
            await connection.execute(statement)
