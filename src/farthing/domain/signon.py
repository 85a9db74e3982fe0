"""One attempt to sign on, and who came of it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct, field

from farthing.domain.keys import Caller, Role
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


class Admission(Struct, frozen=True, kw_only=True):
    """Who may sign on, and as what."""

    tenant: str
    """Whom new people belong to."""
    default_role: Role | None
    """Of people about whom nothing else says; None keeps them out."""
    admins: frozenset[str] = frozenset()
    """Verified mail addresses, in lower case."""
    group_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    """By group; of several groups the first that stands here counts."""

    @property
    def given(self) -> frozenset[Role]:
        """The roles that this gives to somebody, and so takes from whomever it does not give them any more."""
        return frozenset(self.roles.values()) | (frozenset({"admin"}) if self.admins else frozenset())

    def role_of(self, identity: Identity) -> Role | None:
        """The role that mail address or groups give; None where they say nothing."""
        if identity.email is not None and identity.email in self.admins:
            return "admin"
        found = identity.claims.get(self.group_claim)
        groups = found if isinstance(found, list) else [found]
        return next((role for group, role in self.roles.items() if group in groups), None)
