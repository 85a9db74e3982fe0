"""Groups tell where people belong and what they are there, and no group reaches further than its place."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.keys import Role
from farthing.domain.permissions import ROLES
from farthing.domain.signon import Admission, Identity, Place, place_named
from farthing.domain.tenancy import Person

ADA = Person(person_id="p1", tenant="acme", issuer="https://idp", subject="ada-1", role="member")
TWO_TENANTS = Admission(
    tenant=None,
    default_role="member",
    roles={"platform": "org_admin", "bolt-leads": "org_admin", "acme-leads": "auditor", "support-leads": "team_admin"},
    places={
        "acme": Place("acme"),
        "acme-leads": Place("acme"),
        "acme-support": Place("acme", "support"),
        "support-leads": Place("acme", "support"),
        "bolt": Place("bolt"),
        "bolt-leads": Place("bolt"),
        "bolt-ops": Place("bolt", "ops"),
    },
)


@pytest.mark.parametrize(
    ("groups", "place", "role"),
    [
        (["acme"], Place("acme"), None),
        (["bolt"], Place("bolt"), None),
        (["acme", "acme-support"], Place("acme", "support"), None),
        (["bolt", "acme-support"], Place("acme", "support"), None),
        (["acme", "bolt-ops"], Place("acme"), None),
        (["acme", "platform"], Place("acme"), "org_admin"),
        (["bolt", "bolt-leads"], Place("bolt"), "org_admin"),
        (["acme", "bolt-leads"], Place("acme"), None),
        (["acme-support", "bolt-leads"], Place("acme", "support"), None),
        (["acme-support", "acme-leads"], Place("acme", "support"), "auditor"),
        (["support-leads"], Place("acme", "support"), "team_admin"),
        ("acme", Place("acme"), None),
        (["Acme", {"acme": "acme"}, None], None, None),
    ],
)
def test_groups_tell_tenant_team_and_what_one_is_there(groups: object, place: Place | None, role: Role | None) -> None:
    """The first that has a place decides, a team goes before its tenant; no tenant's group gives a role in another."""
    identity = Identity(issuer="https://idp", subject="ada-1", claims={"groups": groups})
    assert TWO_TENANTS.place_of(identity) == place
    assert TWO_TENANTS.role_of(identity, place or Place("acme")) == role


def test_a_role_of_one_team_is_none_in_another() -> None:
    """Though both are of one tenant."""
    places = {"ops": Place("acme", "ops"), "support-leads": Place("acme", "support")}
    admission = Admission(tenant=None, default_role=None, roles={"support-leads": "team_admin"}, places=places)
    identity = Identity(issuer="https://idp", subject="ada-1", claims={"groups": ["support-leads", "ops"]})
    assert admission.place_of(identity) == Place("acme", "ops")
    assert admission.role_of(identity, Place("acme", "ops")) is None


def ada(place: str, role: Role) -> Person:
    """Ada in a tenant or team, as something."""
    where = place_named(place)
    return replace(ADA, tenant=where.tenant, team=where.team, role=role)


@pytest.mark.parametrize(
    ("known", "new", "after"),
    [
        (ada("acme/support", "member"), "bolt", ada("bolt", "member")),
        (ada("acme/support", "member"), "acme", ada("acme", "member")),
        (ada("acme/by-hand", "member"), "acme", ada("acme/by-hand", "member")),
        (ada("acme/by-hand", "member"), "acme/support", ada("acme/support", "member")),
        (ada("acme/by-hand", "team_admin"), "acme", ada("acme/by-hand", "team_admin")),
        (ada("acme/by-hand", "team_admin"), "acme/support", ada("acme/support", "member")),
        (ada("acme", "org_admin"), "bolt", ada("bolt", "member")),
        (ada("acme", "auditor"), "acme/support", ada("acme/support", "auditor")),
        (ada("acme", "admin"), "bolt", ada("bolt", "admin")),
        (ada("guests/by-hand", "member"), "guests", ada("guests/by-hand", "member")),
    ],
)
def test_what_was_given_by_hand_stays_where_it_reaches_nothing_else(known: Person, new: str, after: Person) -> None:
    """A team within the tenant, a role over the same; an admin of everything stays one."""
    assert TWO_TENANTS.returning(known, ada(new, "member"), over=()) == after


def test_a_role_that_groups_give_is_replaced() -> None:
    """Wherever its holder is; address and name are those of today, the id stays."""
    new = replace(ada("acme", "auditor"), person_id="p2", email="ada@example.com", name="Ada", created_at_us=1)
    after = TWO_TENANTS.returning(ada("acme", "org_admin"), new, over=ROLES)
    assert after == replace(ADA, role="auditor", email="ada@example.com", name="Ada")


def test_without_places_nobody_is_moved() -> None:
    """Another tenant in the settings is for those who come for the first time."""
    admission = Admission(tenant="bolt", default_role="member")
    assert admission.returning(ada("acme/ops", "org_admin"), ada("bolt", "member"), over=()) == ada(
        "acme/ops", "org_admin"
    )
