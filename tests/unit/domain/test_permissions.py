"""Nobody grants what they do not have, whatever the grant is made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.keys import Caller, Role
from farthing.domain.limits import Limits
from farthing.domain.permissions import PRIVILEGES, ROLES, Grant, Reach, covers, excess, grant_of, may, reach_of

PAIRS = 10_000
MODELS = ("small", "large", "auto", "farthing/complexity")
TENANTS = ("acme", "other")
TEAMS = (None, "blue", "red")
USERS = (None, "ada", "bob")
FIGURES = (None, 1, 60)
MOMENTS = (None, 10, 20)
BOUND = Grant(
    tenant="acme",
    role="team_admin",
    team="blue",
    user="ada",
    models=frozenset({"small"}),
    expires_at_us=10,
    limits=Limits(requests_per_minute=60, tokens_per_minute=60, concurrent_requests=60),
    max_cost=60,
)

grants = st.builds(
    Grant,
    tenant=st.sampled_from(TENANTS),
    role=st.sampled_from(ROLES),
    team=st.sampled_from(TEAMS),
    user=st.sampled_from(USERS),
    models=st.none() | st.frozensets(st.sampled_from(MODELS)),
    expires_at_us=st.sampled_from(MOMENTS),
    limits=st.none()
    | st.builds(
        Limits,
        requests_per_minute=st.sampled_from(FIGURES),
        tokens_per_minute=st.sampled_from(FIGURES),
        concurrent_requests=st.sampled_from(FIGURES),
    ),
    max_cost=st.sampled_from(FIGURES),
)


def deeds(grant: Grant) -> Iterator[tuple[object, ...]]:
    """Everything that the holder of a grant may do, spelt out deed by deed: what permission means."""
    models = [model for model in MODELS if Caller(tenant="", allowed_models=grant.models).may_use(model)]
    yield from (("use", model) for model in models)
    yield from (("be in at", moment) for moment in (9, 19, 29) if (grant.expires_at_us or 99) > moment)
    for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests"):
        bound = getattr(grant.limits, name, None) or 99
        yield from ((name, rate) for rate in (1, 60, 99) if rate <= bound)
    yield from (("spend at once", cost) for cost in (1, 60, 99) if cost <= (grant.max_cost or 99))
    for privilege, tenant, team in product(PRIVILEGES[grant.role], TENANTS, TEAMS):
        if reach_of(grant.role, grant.tenant, grant.team).holds(tenant, team):
            yield privilege, tenant, team


def test_what_may_be_granted_allows_nothing_more() -> None:
    """perm(child) is a part of perm(creator), over 10,000 pairs: every deed of the child is one of its maker's."""
    dice = random.Random(20261121)
    granted = 0
    for _ in range(PAIRS):
        child, creator = drawn(dice), drawn(dice)
        for tried in (child, narrowed(child, creator)):
            if not list(excess(tried, creator)):
                granted += 1
                assert set(deeds(tried)) <= set(deeds(creator)), (tried, creator)
    assert granted > PAIRS // 2


def drawn(dice: random.Random) -> Grant:
    """Any grant; hypothesis would take a minute to draw so many."""
    models = [model for model in MODELS if dice.random() < 0.5]
    names = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
    return Grant(
        tenant=dice.choice(TENANTS),
        role=dice.choice(ROLES),
        team=dice.choice(TEAMS),
        user=dice.choice(USERS),
        models=dice.choice([None, frozenset(models)]),
        expires_at_us=dice.choice(MOMENTS),
        limits=dice.choice([None, Limits(**{name: dice.choice(FIGURES) for name in names})]),
        max_cost=dice.choice(FIGURES),
    )


def narrowed(child: Grant, creator: Grant) -> Grant:
    """The child with the creator's own value in each field that would be too wide, as random pairs seldom fit."""
    fields = set(excess(child, creator))
    changes = {name: getattr(creator, name) for name in fields & {"role", "tenant", "team", "user", "models"}}
    if "expires_at" in fields:
        changes["expires_at_us"] = creator.expires_at_us
    if fields & {"requests_per_minute", "tokens_per_minute", "concurrent_requests"}:
        changes["limits"] = creator.limits
    if "max_cost_usd" in fields:
        changes["max_cost"] = creator.max_cost
    return replace(child, **changes)


@given(grants)
def test_whoever_has_a_grant_has_it_all(grant: Grant) -> None:
    """A grant is within itself; but for a team admin of no team, which manages nobody."""
    assert list(excess(grant, grant)) == (["team"] if grant.role == "team_admin" and grant.team is None else [])


@given(grants, grants, grants)
def test_what_is_granted_on_stays_within(child: Grant, parent: Grant, creator: Grant) -> None:
    """A grandchild that its parent may make, its grandparent might have made as well."""
    parent = narrowed(parent, creator)
    child = narrowed(child, parent)
    if not list(excess(parent, creator)) and not list(excess(child, parent)):
        assert set(deeds(child)) <= set(deeds(creator))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"role": "member", "user": "bob"}, []),
        ({"role": "org_admin"}, ["role"]),
        ({"role": "auditor"}, ["role"]),
        ({"tenant": "other"}, ["tenant"]),
        ({"team": "red"}, ["team"]),
        ({"team": None}, ["team"]),
        ({"models": None}, ["models"]),
        ({"models": frozenset({"small", "large"})}, ["models"]),
        ({"models": frozenset()}, []),
        ({"max_cost": None}, ["max_cost_usd"]),
        ({"max_cost": 61}, ["max_cost_usd"]),
        ({"max_cost": 59}, []),
        ({"expires_at_us": None}, ["expires_at"]),
        ({"expires_at_us": 11}, ["expires_at"]),
        ({"expires_at_us": 9}, []),
        ({"limits": None}, ["requests_per_minute", "tokens_per_minute", "concurrent_requests"]),
        (
            {"limits": Limits(requests_per_minute=61, tokens_per_minute=1, concurrent_requests=60)},
            ["requests_per_minute"],
        ),
    ],
)
def test_every_field_that_is_too_wide_is_named(changes: dict[str, object], fields: list[str]) -> None:
    """By the name it has in a request."""
    assert list(excess(replace(BOUND, **changes), BOUND)) == fields


def test_auto_is_granted_by_those_who_have_it() -> None:
    """One virtual model does not stand for all, but `auto` does."""
    creator = Grant(tenant="acme", role="org_admin", models=frozenset({"auto"}))
    assert list(excess(replace(creator, models=frozenset({"farthing/complexity"})), creator)) == []
    assert list(excess(creator, replace(creator, models=frozenset({"farthing/complexity"})))) == ["models"]


def test_members_speak_for_themselves_alone() -> None:
    """Where a role manages nobody, even the user is a bound."""
    member = Grant(tenant="acme", team="blue", user="ada")
    assert list(excess(replace(member, user="bob"), member)) == ["user"]


def test_a_callers_grant_is_what_its_key_says() -> None:
    """Every bound of it."""
    limits = Limits(concurrent_requests=1)
    caller = Caller(
        tenant="t", key_id="k", team="x", user="u", role="auditor", allowed_models=frozenset({"m"}), limits=limits
    )
    assert grant_of(caller, 5) == Grant(
        tenant="t", role="auditor", team="x", user="u", models=frozenset({"m"}), expires_at_us=5, limits=limits
    )


@pytest.mark.parametrize(
    ("role", "team", "reach"),
    [
        ("admin", None, Reach(None)),
        ("org_admin", "blue", Reach("acme")),
        ("auditor", None, Reach("acme")),
        ("team_admin", "blue", Reach("acme", "blue")),
        ("team_admin", None, Reach("acme", "")),
        ("member", "blue", Reach("acme", "blue")),
    ],
)
def test_how_far_a_role_reaches(role: str, team: str | None, reach: Reach) -> None:
    """Everything, a tenant, or one of its teams; a team admin without one reaches none."""
    assert reach_of(role, "acme", team) == reach  # type: ignore[arg-type]


def test_a_role_of_a_newer_release_may_nothing_and_is_for_an_admin_alone_to_change() -> None:
    """It reaches its own tenant's nothing, nobody grants it, and it grants nothing."""
    newer = cast("Role", "owner")
    assert not any(may(newer, privilege) for privilege in PRIVILEGES["admin"])
    assert reach_of(newer, "acme", None) == Reach("acme", "")
    assert [role for role in ROLES if covers(role, newer)] == ["admin"]
    assert not any(covers(newer, role) for role in ROLES)
    assert not covers(newer, newer)
