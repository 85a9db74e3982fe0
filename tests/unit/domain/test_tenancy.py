"""A key in force: within its own bounds, its team's, and its tenant's plan."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from farthing.domain.budget import Budget
from farthing.domain.keys import Caller, Ceiling, Key, is_name
from farthing.domain.limits import Limits, Quota
from farthing.domain.plans import TenantPlan, Terms
from farthing.domain.tenancy import House, Team, Tenant, in_force, limits_or_none, plan_budgets, unrecorded

OWN = Limits(requests_per_minute=1)
KEY = Key(caller=Caller(tenant="acme", key_id="k1", team="blue"), name="n", hint="…")


def house(*, tenant: Tenant | None = None, team: Team | None = None, plans: Iterable[TenantPlan] = ()) -> House:
    """With at most one tenant and one team."""
    return House(
        tenants={} if tenant is None else {tenant.tenant: tenant},
        teams={} if team is None else {(team.tenant, team.team): team},
        plans={plan.name: plan for plan in plans},
    )


@pytest.mark.parametrize(
    "bare",
    [
        house(),
        house(tenant=Tenant(tenant="acme", name="Acme", plan="free"), plans=[TenantPlan(name="free")]),
        house(team=Team(tenant="acme", team="blue", name="Blue")),
        house(team=Team(tenant="acme", team="red", name="Red", limits=OWN)),
    ],
)
def test_a_key_that_nothing_else_bounds_is_itself(bare: House) -> None:
    """The very same object: most keys are like this."""
    assert in_force(KEY, bare) is KEY


def test_a_blocked_tenants_keys_are_blocked() -> None:
    """Whatever they say themselves."""
    assert in_force(KEY, house(tenant=Tenant(tenant="acme", name="Acme", is_blocked=True))).is_blocked
    assert in_force(replace(KEY, is_blocked=True), house(tenant=Tenant(tenant="acme", name="Acme"))).is_blocked


def test_every_limit_that_applies_is_a_quota() -> None:
    """The key's own, its team's and its plan's, each with those who share it."""
    plan = TenantPlan(name="pro", tokens_per_minute=7)
    team = Team(tenant="acme", team="blue", name="Blue", limits=Limits(concurrent_requests=2))
    key = replace(KEY, caller=replace(KEY.caller, limits=OWN))
    found = in_force(key, house(tenant=Tenant(tenant="acme", name="Acme", plan="pro"), team=team, plans=[plan]))
    assert found.caller.quotas == (
        Quota(scope="key", subject="k1", limits=OWN),
        Quota(scope="team", subject="acme/blue", limits=Limits(concurrent_requests=2)),
        Quota(scope="tenant", subject="acme", limits=Limits(tokens_per_minute=7)),
    )


def test_a_key_without_a_team_has_no_teams_quota() -> None:
    """Nor one of its own where it has no id."""
    loner = replace(KEY, caller=Caller(tenant="acme", limits=OWN))
    assert in_force(loner, house(team=Team(tenant="acme", team="blue", name="Blue", limits=OWN))) is loner


@pytest.mark.parametrize(
    ("own", "plans", "common"),
    [
        (None, None, None),
        (None, {"small"}, {"small"}),
        ({"small"}, None, {"small"}),
        ({"small", "large"}, {"small"}, {"small"}),
        ({"auto"}, {"farthing/complexity", "small"}, {"farthing/complexity"}),
        ({"farthing/complexity"}, {"auto"}, {"farthing/complexity"}),
        ({"large"}, {"small"}, set()),
    ],
)
def test_models_are_those_that_key_and_plan_allow(
    own: set[str] | None, plans: set[str] | None, common: set[str] | None
) -> None:
    """`auto` stands for every virtual model on either side."""
    key = replace(KEY, caller=replace(KEY.caller, allowed_models=None if own is None else frozenset(own)))
    plan = TenantPlan(name="pro", allowed_models=None if plans is None else frozenset(plans))
    found = in_force(key, house(tenant=Tenant(tenant="acme", name="Acme", plan="pro"), plans=[plan]))
    assert found.caller.allowed_models == common


def test_a_plan_that_is_not_known_is_not_one_without_limits() -> None:
    """The key stays known, and says which plan keeps it from asking models; nobody is told of plans that are named."""
    known = house(tenant=Tenant(tenant="acme", name="Acme", plan="gone"), plans=[TenantPlan(name="free")])
    found = in_force(KEY, known)
    assert (found.is_blocked, found.caller) == (False, replace(KEY.caller, unknown_plan="gone"))
    assert known.plan_of("acme") is None
    assert known.on_unknown_plans() == {"gone": ["acme"]}
    assert (
        house(
            tenant=Tenant(tenant="acme", name="Acme", plan="free"), plans=[TenantPlan(name="free")]
        ).on_unknown_plans()
        == {}
    )
    assert house(tenant=Tenant(tenant="acme", name="Acme")).on_unknown_plans() == {}


@pytest.mark.parametrize(
    ("own", "plans", "least"),
    [
        (None, None, None),
        (5, None, Ceiling(5, "this key")),
        (None, 7, Ceiling(7, "the plan pro")),
        (5, 7, Ceiling(5, "this key")),
        (7, 7, Ceiling(7, "this key")),
        (9, 7, Ceiling(7, "the plan pro")),
    ],
)
def test_a_request_costs_at_most_what_key_and_plan_allow(
    own: int | None, plans: int | None, least: Ceiling | None
) -> None:
    """The lesser of the two, with whose it is."""
    key = replace(KEY, caller=replace(KEY.caller, max_cost=own))
    plan = TenantPlan(name="pro", max_cost=plans)
    found = in_force(key, house(tenant=Tenant(tenant="acme", name="Acme", plan="pro"), plans=[plan]))
    assert found.caller.ceiling == least


PRO = TenantPlan(name="pro", price=20, markup_basis_points=5)


@pytest.mark.parametrize(
    ("plan", "last", "expected"),
    [
        (None, None, None),
        ("gone", None, None),
        ("gone", Terms(since_us=1, plan="pro", price=20, markup_basis_points=5), None),
        ("pro", None, Terms(since_us=0, plan="pro", price=20, markup_basis_points=5)),
        ("pro", Terms(since_us=1, plan="pro", price=20, markup_basis_points=5), None),
        ("pro", Terms(since_us=1, plan="pro", price=19, markup_basis_points=5), 9),
        ("pro", Terms(since_us=1, plan="pro", price=20, markup_basis_points=4), 9),
        ("pro", Terms(since_us=1, plan="pro", price=None, markup_basis_points=None), 9),
        ("pro", Terms(since_us=1), 9),
        (None, Terms(since_us=1, plan="pro", price=20, markup_basis_points=5), Terms(since_us=9)),
        (None, Terms(since_us=1), None),
    ],
)
def test_terms_are_put_on_record_that_are_not_the_last_ones(
    plan: str | None, last: Terms | None, expected: Terms | int | None
) -> None:
    """The first from ever on, others from now on; what nobody knows is not put there."""
    if isinstance(expected, int):
        expected = Terms(since_us=expected, plan="pro", price=20, markup_basis_points=5)
    found = unrecorded(
        house(tenant=Tenant(tenant="acme", name="Acme", plan=plan), plans=[PRO]),
        {} if last is None else {"acme": last},
        9,
    )
    assert found == ({} if expected is None else {"acme": expected})


def test_no_figure_is_no_limit() -> None:
    """Nothing, rather than limits of which none limits."""
    assert limits_or_none(None, None, None) is None
    assert limits_or_none(None, 1, None) == Limits(tokens_per_minute=1)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, "active"),
        (replace(KEY, expires_at_us=11), "active"),
        (replace(KEY, expires_at_us=10), "expired"),
        (replace(KEY, is_blocked=True, expires_at_us=10), "blocked"),
        (replace(KEY, is_blocked=True, is_revoked=True), "revoked"),
    ],
)
def test_how_a_key_stands(key: Key, state: str) -> None:
    """The reason that lasts longest is told; the moment of expiry is the first one that is too late."""
    assert key.state(10) == state


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("my app", True),
        ("Größe 7", True),
        ("x" * 200, True),
        ("x" * 201, False),
        ("", False),
        (" a", False),
        ("a\n", False),
        ("a\u202eb", False),
        ("a\u200db", False),
        ("a\u00a0b", False),
    ],
)
def test_a_name_shows_what_it_is(text: str, is_one: bool) -> None:
    """No controls, nothing invisible, nothing that turns the text around."""
    assert is_name(text) == is_one


def test_a_plan_brings_a_budget_along() -> None:
    """For the whole tenant and each month; a plan without one, or no plan, brings none."""
    plan = TenantPlan(name="free", monthly_budget=5_000_000_000)
    acme = Tenant(tenant="acme", name="Acme", plan="free")
    assert list(plan_budgets(house(tenant=acme, plans=[plan]))) == [
        Budget(
            id="plan:acme",
            tenant="acme",
            scope="tenant",
            subject="acme",
            window="month",
            limit=5_000_000_000,
            name="the plan free of acme",
        )
    ]
    assert list(plan_budgets(house(tenant=acme, plans=[TenantPlan(name="free")]))) == []
    assert list(plan_budgets(house(tenant=Tenant(tenant="acme", name="Acme"), plans=[plan]))) == []
