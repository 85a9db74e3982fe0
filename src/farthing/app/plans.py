"""The plans that tenants are on: what they bring along, what they charge, and those that the settings do not name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from farthing.domain.budget import Budget
from farthing.domain.errands import errand_budgets
from farthing.domain.errors import Unavailable
from farthing.domain.keys import Errand
from farthing.domain.plans import TenantPlan
from farthing.domain.tenancy import PLAN_BUDGET, House, Tenant, plan_budgets, unrecorded
from farthing.settings import Mistake, Settings, SettingsError
from farthing.store.budgets import BROUGHT, Budgets
from farthing.store.terms import PlanTerms

logger = logging.getLogger(__name__)

MOST_TOLD = 3
"""Tenants that a message names."""


def check_plans(house: House, settings: Settings) -> None:
    """Raises `SettingsError` where the settings do not name a plan that somebody is on."""
    found = House(tenants=house.tenants, teams=house.teams, plans=settings.plans).on_unknown_plans()
    source = str(settings.config_path or "")
    mistakes = [Mistake(source, f"plans.{plan}", _problem(tenants)) for plan, tenants in sorted(found.items())]
    if mistakes:
        raise SettingsError(mistakes)


def _problem(tenants: Sequence[str]) -> str:
    return f"expected this plan to be named: {some(tenants)} on it (farthing tenants set TENANT --plan moves one)"


def some(tenants: Sequence[str]) -> str:
    """A few of these, and how many they are."""
    named = ", ".join(tenants[:MOST_TOLD])
    if len(tenants) > MOST_TOLD:
        return f"{len(tenants)} tenants, such as {named}, are"
    return f"the tenants {named} are" if len(tenants) > 1 else f"the tenant {named} is"


class FollowedPlans:
    """Tells once of plans that the settings do not name, and keeps on record what tenants pay."""

    def __init__(self, terms: PlanTerms) -> None:
        self._terms = terms
        self._told: frozenset[str] = frozenset()
        self._noted: tuple[Mapping[str, Tenant], Mapping[str, TenantPlan]] | None = None

    async def follow(self, house: House, at_us: int) -> None:
        """Looks at tenants and settings that are others than before, of a moment in µs since 1970.

        Puts on record what is paid from then on; while the database is away that waits.
        """
        now = house.tenants, house.plans
        if now == self._noted:
            return
        self._tell(house)
        with suppress(Unavailable):
            if found := unrecorded(house, await self._terms.latest(), at_us):
                await self._terms.add(found)
            self._noted = now

    def _tell(self, house: House) -> None:
        found = house.on_unknown_plans()
        for plan in sorted(found.keys() - self._told):
            logger.error(
                'no plan is called "%s" in the settings, and %s on it: under these settings they are refused, '
                "until it is named as [plans.%s] or they are on another plan",
                plan,
                some(found[plan]),
                plan,
            )
        self._told = frozenset(found)


class BroughtBudgets:
    """All budgets, with those that come with plans and settings put in place.

    Of two hosts whose settings differ neither takes back what the other has said: each speaks once.
    """

    def __init__(self, store: Budgets) -> None:
        self._store = store
        self._said: tuple[Mapping[str, Budget], AbstractSet[str]] | None = None

    async def load(self, house: House | None, errands: Mapping[Errand, int], at_us: int) -> Sequence[Budget]:
        """Whatever may be spent; without a `house` as it stands in the database. Raises `Unavailable`."""
        budgets = await self._store.load()
        if house is None:
            return budgets
        there = {budget.id: budget for budget in budgets if budget.id.startswith(BROUGHT)}
        wanted = {budget.id: budget for budget in (*plan_budgets(house), *errand_budgets(errands))}
        # What a plan brings that only others know is for them to end.
        theirs = {name: budget for name, budget in there.items() if _is_theirs(budget, house)}
        now = wanted, theirs.keys()
        is_said = now == self._said and wanted.keys() <= there.keys()
        if not is_said and there != theirs | wanted:
            await self._store.follow(theirs | wanted, created_at_us=at_us)
            budgets = await self._store.load()
        self._said = now
        return budgets


def _is_theirs(budget: Budget, house: House) -> bool:
    return budget.id.startswith(PLAN_BUDGET) and house.unknown_plan(budget.tenant) is not None
