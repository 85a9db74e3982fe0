"""People as sign-on leaves them in the database."""

from __future__ import annotations

import sqlalchemy as sa

from farthing.store import Store
from farthing.store.schema import people


async def add_person(store: Store, name: str, tenant: str, team: str | None, role: str = "member") -> None:
    """A person whose id is the name."""
    row = {
        "person_id": name,
        "tenant": tenant,
        "issuer": "https://id.example",
        "subject": name,
        "role": role,
        "team": team,
        "email": f"{name}.example",
        "name": name,
        "is_blocked": False,
        "created_at": 1,
    }
    async with store._engines.writing() as connection:
        await connection.execute(sa.insert(people), row)
