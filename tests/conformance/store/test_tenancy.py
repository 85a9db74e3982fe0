"""Tenants, teams and people."""

from __future__ import annotations

import pytest

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.limits import Limits
from farthing.domain.permissions import EVERYTHING, Reach
from farthing.domain.tenancy import Person, Team, Tenant
from farthing.store import Store
from tests.conformance.store.samples import NOON_US
from tests.security.authorization.people import add_person

ACME = Tenant(tenant="acme", name="Acme", plan="pro", created_at_us=NOON_US)
OTHER = Tenant(tenant="other", name="Other", is_blocked=True, created_at_us=NOON_US)
BLUE = Team(tenant="acme", team="blue", name="Blue", limits=Limits(tokens_per_minute=5), created_at_us=NOON_US)
RED = Team(tenant="acme", team="red", name="Red", created_at_us=NOON_US)
THEIRS = Team(tenant="other", team="blue", name="Blue", created_at_us=NOON_US)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Two tenants with teams of one name, and people in both."""
    for tenant in (OTHER, ACME):
        await store.tenancy.add_tenant(tenant)
    for team in (THEIRS, RED, BLUE):
        await store.tenancy.add_team(team)
    await add_person(store, "ada", "acme", "blue", "team_admin")
    await add_person(store, "bob", "acme", None)
    await add_person(store, "eve", "other", "blue")
    return store


async def test_tenants_come_back_as_they_were(filled: Store) -> None:
    """In order of ids, those within reach, after the one that is named."""
    assert await filled.tenancy.tenants(EVERYTHING, limit=9) == [ACME, OTHER]
    assert await filled.tenancy.tenants(Reach("other"), limit=9) == [OTHER]
    assert await filled.tenancy.tenants(EVERYTHING, limit=1) == [ACME]
    assert await filled.tenancy.tenants(EVERYTHING, limit=9, after="acme") == [OTHER]


async def test_teams_come_back_as_they_were(filled: Store) -> None:
    """In order of tenant and id."""
    assert await filled.tenancy.teams(EVERYTHING, limit=9) == [BLUE, RED, THEIRS]
    assert await filled.tenancy.teams(Reach("acme"), limit=9) == [BLUE, RED]
    assert await filled.tenancy.teams(Reach("acme", "red"), limit=9) == [RED]
    assert await filled.tenancy.teams(EVERYTHING, limit=1, after=("acme", "blue")) == [RED]


async def test_people_come_back_as_they_signed_on(filled: Store) -> None:
    """Those within reach; people without a team are seen by whoever sees the tenant."""
    ada = Person(
        person_id="ada",
        tenant="acme",
        issuer="https://id.example",
        subject="ada",
        role="team_admin",
        team="blue",
        email="ada.example",
        name="ada",
        created_at_us=1,
    )
    assert await filled.tenancy.person("ada", Reach("acme", "blue")) == ada
    assert [one.person_id for one in await filled.tenancy.people(Reach("acme"), limit=9)] == ["ada", "bob"]
    assert await filled.tenancy.people(Reach("acme", "blue"), limit=9) == [ada]
    assert [one.person_id for one in await filled.tenancy.people(EVERYTHING, limit=9, after="ada")] == ["bob", "eve"]


async def test_a_person_who_was_changed_meanwhile_is_looked_at_again(filled: Store) -> None:
    """Else one who may do more by now would be changed by somebody who may do less."""
    before = await filled.tenancy.person("bob", Reach("acme"))
    await filled.tenancy.change_person("bob", Reach("acme"), {"role": "auditor"}, before=before)
    with pytest.raises(Conflict, match="meanwhile"):
        await filled.tenancy.change_person("bob", Reach("acme"), {"is_blocked": True}, before=before)
    assert not (await filled.tenancy.person("bob", Reach("acme"))).is_blocked


async def test_what_is_there_is_not_added_again(filled: Store) -> None:
    """And a team needs its tenant."""
    with pytest.raises(Conflict):
        await filled.tenancy.add_tenant(ACME)
    with pytest.raises(Conflict):
        await filled.tenancy.add_team(BLUE)
    with pytest.raises(NotFound):
        await filled.tenancy.add_team(Team(tenant="none", team="blue", name="Blue"))


async def test_what_is_not_said_stays(filled: Store) -> None:
    """Each change sets what it names; one that names nothing sets nothing."""
    blocked = await filled.tenancy.change_tenant("acme", EVERYTHING, {"is_blocked": True, "plan": None})
    assert blocked == Tenant(tenant="acme", name="Acme", is_blocked=True, created_at_us=NOON_US)
    assert await filled.tenancy.change_tenant("other", EVERYTHING, {}) == OTHER
    bounded = await filled.tenancy.change_team("acme", "blue", Reach("acme"), {"concurrent_requests": 1})
    assert bounded.limits == Limits(tokens_per_minute=5, concurrent_requests=1)
    raised = await filled.tenancy.change_person("bob", Reach("acme"), {"role": "auditor"})
    assert (raised.role, raised.team) == ("auditor", None)


async def test_only_what_is_within_reach_is_changed(filled: Store) -> None:
    """What is another's is as unknown as what is not there, and stays as it is."""
    tenancy = filled.tenancy
    for attempt in (
        tenancy.change_tenant("other", Reach("acme"), {"name": "taken"}),
        tenancy.change_tenant("none", EVERYTHING, {"name": "taken"}),
        tenancy.change_team("other", "blue", Reach("acme"), {"name": "taken"}),
        tenancy.change_team("acme", "red", Reach("acme", "blue"), {"name": "taken"}),
        tenancy.person("eve", Reach("acme")),
        tenancy.person("bob", Reach("acme", "blue")),
        tenancy.change_person("eve", Reach("acme"), {"is_blocked": True}),
        tenancy.check_team("none", None),
        tenancy.check_team("acme", "none"),
    ):
        with pytest.raises(NotFound):
            await attempt
    await tenancy.check_team("acme", "red")
    await tenancy.check_team("acme", None)
    assert await tenancy.tenants(EVERYTHING, limit=9) == [ACME, OTHER]
    assert await tenancy.teams(EVERYTHING, limit=9) == [BLUE, RED, THEIRS]
    assert not (await tenancy.person("eve", EVERYTHING)).is_blocked
