"""What the admin routes are handed to work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from farthing.domain.budget import Budget
from farthing.domain.credentials import Credential
from farthing.domain.keys import Key
from farthing.domain.permissions import Reach
from farthing.domain.plans import PriceList
from farthing.domain.tenancy import Person, Team, Tenant


class KeyStore(Protocol):
    """Virtual keys, for those who manage them. Everything raises `Unavailable` while the database is away."""

    async def create(self, key: Key, digest: bytes, *, created_at_us: int, named_once: bool = False) -> None:
        """Adds a key. Raises `Conflict` with `named_once` where its name is taken in its tenant."""

    async def page(self, reach: Reach, *, limit: int, after: str | None = None) -> Sequence[Key]:
        """At most `limit` keys within reach, the oldest first, those after the id `after`."""

    async def get(self, key_id: str, reach: Reach) -> Key:
        """One of them. Raises `NotFound`."""

    async def change(self, key: Key, reach: Reach, *, before: Key | None = None) -> Key:
        """Gives the key of this id this one's name, models, limits, end and block.

        Raises `NotFound`, `Conflict`, also where it is not any more what it was `before`.
        """

    async def revoke(self, key_id: str, *, revoked_at_us: int, reach: Reach) -> None:
        """Blocks a key for good. Raises `NotFound`."""


class TenancyStore(Protocol):
    """Whom keys belong to. Everything raises `Unavailable` while the database is away."""

    async def add_tenant(self, tenant: Tenant, prices: PriceList | None = None) -> None:
        """Adds a tenant, with `prices` its terms as well. Raises `Conflict` where one of this id is there."""

    async def tenants(self, reach: Reach, *, limit: int, after: str | None = None) -> Sequence[Tenant]:
        """At most `limit` tenants within reach, by id, those after `after`."""

    async def change_tenant(
        self, tenant: str, reach: Reach, changes: Mapping[str, Any], prices: PriceList | None = None
    ) -> Tenant:
        """Sets these of `name`, `plan` and `is_blocked`; with `prices` another plan's terms are put on record.

        Raises `NotFound`.
        """

    async def add_team(self, team: Team) -> None:
        """Adds a team. Raises `Conflict` where one of this id is there, `NotFound` without its tenant."""

    async def teams(self, reach: Reach, *, limit: int, after: tuple[str, str] | None = None) -> Sequence[Team]:
        """At most `limit` teams within reach, by tenant and id, those after `after`."""

    async def change_team(self, tenant: str, team: str, reach: Reach, changes: Mapping[str, Any]) -> Team:
        """Sets its name and these of its limits. Raises `NotFound`."""

    async def people(self, reach: Reach, *, limit: int, after: str | None = None) -> Sequence[Person]:
        """At most `limit` people within reach, by id, those after `after`."""

    async def person(self, person_id: str, reach: Reach) -> Person:
        """One of them. Raises `NotFound`."""

    async def change_person(
        self, person_id: str, reach: Reach, changes: Mapping[str, Any], *, before: Person | None = None
    ) -> Person:
        """Sets these of `role`, `team` and `is_blocked`. Raises `NotFound`, `Conflict` if not as `before` any more."""

    async def check_team(self, tenant: str, team: str | None) -> None:
        """Raises `NotFound` where there is no such tenant, or no such team in it."""


class CredentialStore(Protocol):
    """Tenants' own keys for providers, sealed. Everything raises `Unavailable` while the database is away."""

    async def list(self, tenant: str | None = None) -> Sequence[Credential]:
        """Those of one tenant or of all, by tenant and provider."""

    async def put(self, credential: Credential) -> None:
        """Keeps the key in place of the one that the tenant had for this provider, if any."""

    async def delete(self, tenant: str, provider: str) -> None:
        """Forgets the key. Raises `NotFound`."""


class BudgetStore(Protocol):
    """What may be spent. Everything raises `Unavailable` while the database is away."""

    async def create(self, budget: Budget, *, created_at_us: int) -> None:
        """Adds a budget."""

    async def list(self, tenant: str | None = None) -> Sequence[Budget]:
        """Every budget, or a tenant's."""

    async def get(self, budget_id: str, *, tenant: str | None = None) -> Budget:
        """One of them. Raises `NotFound`."""

    async def change(self, budget: Budget, *, tenant: str | None = None, before: Budget | None = None) -> None:
        """Gives the budget of this id this one's limit, hardness, name and steps.

        Raises `NotFound`, and `Conflict` where it is not any more what it was `before`.
        """

    async def delete(self, budget_id: str, *, tenant: str | None = None) -> None:
        """Ends a budget. Raises `NotFound`."""
