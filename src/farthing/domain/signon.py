"""One attempt to sign on, and who came of it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from farthing.domain.keys import Caller, Role
from farthing.domain.permissions import reach_of
from farthing.domain.tenancy import Person

LONGEST_US = 12 * 3_600_000_000
"""A session is over twelve hours after the sign-on, whatever is done in it."""
IDLE_US = 1_800_000_000
"""And half an hour after it was last used."""


class Attempt(Struct, frozen=True, kw_only=True):
    """What must come back from the identity provider to the browser that set out, and to nobody else."""

    state: str
    nonce: str
    verifier: str
    """The secret behind the challenge (RFC 7636)."""
    goal: str = "/"
    """The path that the person wanted."""
    expires_at_us: int = 0
    """Microseconds since 1970 in UTC."""

    @property
    def challenge(self) -> str:
        """S256 of the verifier (RFC 7636, section 4.2)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Identity(Struct, frozen=True, kw_only=True):
    """A person as the identity provider knows them."""

    issuer: str
    subject: str
    """The person's name there, which never changes."""
    email: str | None = None
    """Only one that the provider has verified."""
    name: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


class Session(Struct, frozen=True):
    """What a person's cookie stands for. Moments in microseconds since 1970 UTC."""

    person: Person
    seen_at_us: int
    expires_at_us: int

    def is_good(self, now_us: int) -> bool:
        """Whether it still lets in."""
        return not self.person.is_blocked and now_us < min(self.expires_at_us, self.seen_at_us + IDLE_US)

    @property
    def caller(self) -> Caller:
        """The person as routes see callers; the data plane is not among them."""
        person = self.person
        return Caller(
            tenant=person.tenant,
            key_id=person.person_id,
            team=person.team,
            user=person.email or person.subject,
            role=person.role,
        )


class Place(Struct, frozen=True):
    """Where somebody belongs: a tenant, or one of its teams."""

    tenant: str
    team: str | None = None

    def holds(self, other: Place) -> bool:
        """Whether the other one is the same, or a team of this tenant."""
        return self.tenant == other.tenant and self.team in (None, other.team)


def place_named(name: str) -> Place:
    """The place that is written as `tenant` or `tenant/team`."""
    return Place(*name.split("/"))


class Admission(Struct, frozen=True, kw_only=True):
    """Who may sign on, and as what."""

    tenant: str | None
    """Whom people belong to whom no group puts elsewhere; None keeps them out."""
    default_role: Role | None
    """Of people about whom nothing else says; None keeps them out."""
    admins: frozenset[str] = frozenset()
    """Verified mail addresses, in lower case."""
    group_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    """By group; of several groups the first that stands here counts."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """By group. One that has a role, too, gives it within its place alone."""

    @property
    def given(self) -> frozenset[Role]:
        """The roles that this gives to somebody, and so takes from whomever it does not give them any more."""
        return frozenset(self.roles.values()) | (frozenset({"admin"}) if self.admins else frozenset())

    def place_of(self, identity: Identity) -> Place | None:
        """Where the person belongs; None where neither groups nor the settings say.

        The first group that has a place decides on the tenant, and the first with a team of it on the team.
        """
        groups = self._groups_of(identity)
        found = [place for group, place in self.places.items() if group in groups]
        if not found:
            return None if self.tenant is None else Place(self.tenant)
        return next((place for place in found if place.team is not None and found[0].holds(place)), found[0])

    def role_of(self, identity: Identity, place: Place) -> Role | None:
        """The role that mail address or groups give to somebody who belongs there; None where they say nothing."""
        if identity.email is not None and identity.email in self.admins:
            return "admin"
        groups = self._groups_of(identity)
        given = (role for group, role in self.roles.items() if group in groups and self._counts_in(place, group))
        return next(given, None)

    def returning(self, known: Person, new: Person, *, over: Collection[Role]) -> Person:
        """Who was known before, as they are from now on; `new` is what they would be had they never been here.

        A role in `over` is replaced. One that was given by hand stays while its holder stays where it reaches.
        """
        place = self._place_again(known, new)
        before, after = (reach_of(known.role, each.tenant, each.team) for each in (known, place))
        return replace(
            known,
            tenant=place.tenant,
            team=place.team,
            role=new.role if known.role in over or before != after else known.role,
            email=new.email,
            name=new.name,
        )

    def _place_again(self, known: Person, new: Person) -> Place:
        """Once groups have places they decide; within theirs a team that was given by hand stays."""
        before, now = Place(known.tenant, known.team), Place(new.tenant, new.team)
        stays = not self.places or (now.holds(before) and before not in self.places.values())
        return before if stays else now

    def _counts_in(self, place: Place, group: str) -> bool:
        own = self.places.get(group)
        return own is None or own.holds(place)

    def _groups_of(self, identity: Identity) -> list[Any]:
        found = identity.claims.get(self.group_claim)
        return found if isinstance(found, list) else [found]
