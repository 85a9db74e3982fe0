"""People and their sessions, over every database."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from farthing.domain.errors import NotFound
from farthing.domain.permissions import EVERYTHING, Reach
from farthing.domain.signon import Session
from farthing.domain.tenancy import Person, Team, Tenant
from farthing.store import Store
from tests.conformance.store.samples import NOON_US

ADA = Person(
    person_id="p1",
    tenant="acme",
    issuer="https://idp",
    subject="ada-1",
    role="auditor",
    email="ada@example.com",
    name="Ada",
    created_at_us=NOON_US,
)
HOUR_US = 3_600_000_000


def same(person: Person) -> Person:
    """Who comes back as they were."""
    return person


async def test_a_person_is_known_again(store: Store) -> None:
    """By issuer and subject: the id and the first time stay, the rest is what becomes of them."""
    assert await store.sessions.welcome(ADA, returning=same) == ADA
    later = replace(ADA, person_id="p2", tenant="bolt", created_at_us=1)
    moved = {"tenant": "bolt", "team": "ops", "role": "admin", "email": None, "name": "Ada L."}
    known = await store.sessions.welcome(later, returning=lambda before: replace(before, **moved))
    assert known == replace(ADA, **moved)
    assert await store.sessions.welcome(later, returning=same) == known
    assert await store.tenancy.people(EVERYTHING, limit=10) == [known]


async def test_tenant_and_team_of_a_person_come_into_being(store: Store) -> None:
    """With the first who belongs there; those that are there stay as they are."""
    await store.tenancy.add_tenant(Tenant(tenant="acme", name="Acme Ltd", is_blocked=True, created_at_us=1))
    for _ in range(2):
        await store.sessions.welcome(replace(ADA, team="support"), returning=same)
        await store.sessions.welcome(replace(ADA, subject="bob-1", person_id="p2", tenant="bolt"), returning=same)
    assert await store.tenancy.tenants(EVERYTHING, limit=10) == [
        Tenant(tenant="acme", name="Acme Ltd", is_blocked=True, created_at_us=1),
        Tenant(tenant="bolt", name="bolt", created_at_us=NOON_US),
    ]
    teams = await store.tenancy.teams(EVERYTHING, limit=10)
    assert teams == [Team(tenant="acme", team="support", name="support", created_at_us=NOON_US)]


async def test_of_two_who_come_at_once_as_one_there_is_one(store: Store) -> None:
    """As a browser with two tabs does."""
    twins = [replace(ADA, person_id=f"p{number}") for number in range(4)]
    found = await asyncio.gather(*(store.sessions.welcome(each, returning=same) for each in twins))
    assert len({person.person_id for person in found}) == 1


async def test_a_session_is_found_by_its_digest_alone(store: Store) -> None:
    """With the person as they are now."""
    await store.sessions.welcome(ADA, returning=same)
    await store.sessions.open(b"d1", "p1", now_us=NOON_US, expires_at_us=NOON_US + HOUR_US)
    assert await store.sessions.find(b"d1") == Session(ADA, NOON_US, NOON_US + HOUR_US)
    assert await store.sessions.find(b"d") is None
    await store.sessions.touch(b"d1", NOON_US + 5)
    assert await store.sessions.find(b"d1") == Session(ADA, NOON_US + 5, NOON_US + HOUR_US)
    await store.sessions.close(b"d1")
    assert await store.sessions.find(b"d1") is None


async def test_a_new_session_ends_the_others_of_the_person(store: Store) -> None:
    """Nobody else's."""
    await store.sessions.welcome(ADA, returning=same)
    await store.sessions.welcome(replace(ADA, person_id="p2", subject="bob-1"), returning=same)
    for digest, person_id in ((b"d1", "p1"), (b"d2", "p2"), (b"d3", "p1")):
        await store.sessions.open(digest, person_id, now_us=NOON_US, expires_at_us=NOON_US + HOUR_US)
    assert await store.sessions.find(b"d1") is None
    assert await store.sessions.find(b"d2") is not None
    assert await store.sessions.find(b"d3") is not None


async def test_what_a_person_may_do_now_ends_what_they_could(store: Store) -> None:
    """A change of role, team or blocking ends all sessions."""
    await store.sessions.welcome(ADA, returning=same)
    await store.sessions.open(b"d1", "p1", now_us=NOON_US, expires_at_us=NOON_US + HOUR_US)
    await store.tenancy.change_person("p1", EVERYTHING, {"role": "member"})
    assert await store.sessions.find(b"d1") is None


async def test_a_person_out_of_reach_keeps_their_sessions(store: Store) -> None:
    """Nothing of a change that is refused is done."""
    await store.sessions.welcome(ADA, returning=same)
    await store.sessions.open(b"d1", "p1", now_us=NOON_US, expires_at_us=NOON_US + HOUR_US)
    with pytest.raises(NotFound):
        await store.tenancy.change_person("p1", Reach("bolt"), {"role": "member"})
    assert await store.sessions.find(b"d1") == Session(ADA, NOON_US, NOON_US + HOUR_US)


async def test_sessions_that_are_over_are_forgotten(store: Store) -> None:
    """Those that are not stay."""
    await store.sessions.welcome(ADA, returning=same)
    await store.sessions.open(b"d1", "p1", now_us=NOON_US, expires_at_us=NOON_US + HOUR_US)
    await store.sessions.sweep(NOON_US + HOUR_US - 1)
    assert await store.sessions.find(b"d1") is not None
    await store.sessions.sweep(NOON_US + HOUR_US)
    assert await store.sessions.find(b"d1") is None
