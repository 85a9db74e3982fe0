"""Sessions begin with proof, end when they should, and nobody slips in between."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.errors import Forbidden, Unauthenticated, Unavailable
from farthing.domain.keys import Role
from farthing.domain.secrecy import Secret
from farthing.domain.signon import Admission, Attempt, Identity, Place, Session
from farthing.domain.tenancy import Person
from farthing.identity.signon import MOST_REMEMBERED, SignOn

IDENTITY = Identity(
    issuer="https://idp", subject="ada-1", email="ada@example.com", name="Ada", claims={"groups": ["x", "finops"]}
)


class Provider:
    """Vouches for whoever is set."""

    def __init__(self) -> None:
        self.identity = IDENTITY
        self.attempt: Attempt | None = None

    async def authorization_url(self, attempt: Attempt) -> str:
        """As the protocol."""
        self.attempt = attempt
        return "https://idp/authorize"

    async def redeem(self, code: str, attempt: Attempt) -> Identity:
        """As the protocol."""
        assert (code, attempt) == ("code", self.attempt)
        return self.identity


class Shelf:
    """Sessions in memory."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.sessions: dict[bytes, Session] = {}
        self.is_away = False
        self.finds = 0
        self.touches = 0

    def check(self) -> None:
        """Raises `Unavailable` while it is away."""
        if self.is_away:
            raise Unavailable("away")

    async def welcome(self, person: Person, *, returning: Callable[[Person], Person]) -> Person:
        """As the protocol."""
        self.people[person.subject] = returning(self.people.get(person.subject, person))
        return self.people[person.subject]

    async def open(self, digest: bytes, person_id: str, *, now_us: int, expires_at_us: int) -> None:
        """As the protocol."""
        person = next(each for each in self.people.values() if each.person_id == person_id)
        self.sessions = {digest: Session(person, now_us, expires_at_us)}

    async def find(self, digest: bytes) -> Session | None:
        """As the protocol."""
        self.check()
        self.finds += 1
        return self.sessions.get(digest)

    async def touch(self, digest: bytes, now_us: int) -> None:
        """As the protocol."""
        self.touches += 1
        known = self.sessions[digest]
        self.sessions[digest] = Session(known.person, now_us, known.expires_at_us)

    async def close(self, digest: bytes) -> None:
        """As the protocol."""
        self.sessions.pop(digest, None)


class Rig:
    """A way in, with everything around it."""

    def __init__(self, admission: Admission | None = None, *, public_url: str = "https://farthing.example/x") -> None:
        self.clock, self.provider, self.shelf = ManualClock(), Provider(), Shelf()
        chance = count(1)
        self.sign_on = SignOn(
            provider=self.provider,
            sessions=self.shelf,
            admission=admission or Admission(tenant="acme", default_role="member", roles={"finops": "auditor"}),
            public_url=public_url,
            secret=Secret(b"shared"),
            clock=self.clock,
            chance=lambda length: next(chance).to_bytes(length, "big"),
        )

    async def enter(self, goal: str = "/page") -> tuple[str, str]:
        """Signs on."""
        _, cookie = await self.sign_on.begin(goal)
        assert self.provider.attempt is not None
        return await self.sign_on.complete("code", self.provider.attempt.state, cookie)


async def test_a_person_comes_in_as_what_their_groups_say() -> None:
    """The cookie's secret is all that the browser gets; the store never sees it."""
    rig = Rig()
    assert rig.sign_on.origin == "https://farthing.example"
    secret, goal = await rig.enter()
    assert goal == "/page"
    caller = await rig.sign_on.caller(secret)
    assert (caller.tenant, caller.user, caller.role) == ("acme", "ada@example.com", "auditor")
    assert caller.key_id == rig.shelf.people["ada-1"].person_id
    assert secret.encode() not in b"".join(rig.shelf.sessions)


@pytest.mark.parametrize(
    ("admission", "role"),
    [
        (Admission(tenant="t", default_role=None, admins=frozenset({"ada@example.com"})), "admin"),
        (Admission(tenant="t", default_role="team_admin"), "team_admin"),
        (Admission(tenant="t", default_role="member", roles={"x": "org_admin", "finops": "auditor"}), "org_admin"),
        (Admission(tenant="t", default_role="member", group_claim="roles", roles={"x": "admin"}), "member"),
    ],
)
def test_roles_come_from_address_then_group_then_default(admission: Admission, role: str) -> None:
    """The first group of the settings that the person is in counts."""
    assert (admission.role_of(IDENTITY, Place("t")) or admission.default_role) == role


def test_a_single_group_may_stand_alone() -> None:
    """Some providers send text where there is one."""
    admission = Admission(tenant="t", default_role=None, roles={"finops": "auditor"})
    assert admission.role_of(replace(IDENTITY, claims={"groups": "finops"}), Place("t")) == "auditor"
    assert admission.role_of(replace(IDENTITY, claims={}), Place("t")) is None


async def test_who_is_nobody_stays_out() -> None:
    """Without a role, or blocked."""
    rig = Rig(Admission(tenant="acme", default_role=None))
    with pytest.raises(Forbidden):
        await rig.enter()
    assert rig.shelf.sessions == {}
    rig = Rig()
    await rig.enter()
    rig.shelf.people["ada-1"] = replace(rig.shelf.people["ada-1"], is_blocked=True)
    with pytest.raises(Forbidden):
        await rig.enter()


async def test_a_given_role_stays_where_nothing_else_says_one() -> None:
    """A default is for the first time; what groups say is set again."""
    rig = Rig(Admission(tenant="acme", default_role="member"))
    await rig.enter()
    rig.shelf.people["ada-1"] = replace(rig.shelf.people["ada-1"], role="org_admin")
    secret, _ = await rig.enter()
    assert (await rig.sign_on.caller(secret)).role == "org_admin"


@pytest.mark.parametrize(
    ("admission", "given", "left"),
    [
        (Admission(tenant="acme", default_role="member", roles={"finops": "org_admin"}), "org_admin", "member"),
        (Admission(tenant="acme", default_role="auditor", admins=frozenset({"ada@example.com"})), "admin", "auditor"),
    ],
)
async def test_who_has_left_a_group_has_lost_its_role(admission: Admission, given: Role, left: Role) -> None:
    """At the next sign-on; a role that groups do not give here stays."""
    rig = Rig(admission)
    secret, _ = await rig.enter()
    assert (await rig.sign_on.caller(secret)).role == given
    rig.provider.identity = replace(IDENTITY, email=None, claims={})
    secret, _ = await rig.enter()
    assert (await rig.sign_on.caller(secret)).role == left
    rig.shelf.people["ada-1"] = replace(rig.shelf.people["ada-1"], role="team_admin")
    secret, _ = await rig.enter()
    assert (await rig.sign_on.caller(secret)).role == "team_admin"


PLACES = Admission(
    tenant=None,
    default_role="member",
    roles={"bolt-leads": "org_admin"},
    places={"acme-support": Place("acme", "support"), "bolt-leads": Place("bolt")},
)


async def test_who_changes_groups_changes_place() -> None:
    """With the next sign-on, and with the role that they have there; the session before is over within a second."""
    rig = Rig(PLACES)
    rig.provider.identity = replace(IDENTITY, claims={"groups": ["bolt-leads"]})
    first, _ = await rig.enter()
    caller = await rig.sign_on.caller(first)
    assert (caller.tenant, caller.team, caller.role) == ("bolt", None, "org_admin")
    rig.provider.identity = replace(IDENTITY, claims={"groups": ["bolt-leads", "acme-support"]})
    second, _ = await rig.enter()
    caller = await rig.sign_on.caller(second)
    assert (caller.tenant, caller.team, caller.role) == ("acme", "support", "member")
    rig.clock.advance(0.5)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(first)


async def test_who_belongs_nowhere_is_told_what_to_do() -> None:
    """And is not written down, unless there is a tenant for everybody else."""
    rig = Rig(PLACES)
    with pytest.raises(Forbidden, match=r"\[oidc.places\], or to set oidc.tenant") as refused:
        await rig.enter()
    assert refused.value.code == "sign_on_failed"
    assert (rig.shelf.people, rig.shelf.sessions) == ({}, {})
    rig = Rig(replace(PLACES, tenant="guests"))
    secret, _ = await rig.enter()
    caller = await rig.sign_on.caller(secret)
    assert (caller.tenant, caller.team, caller.role) == ("guests", None, "member")


async def test_a_clock_that_is_put_back_keeps_no_session_alive() -> None:
    """One that ended elsewhere is not believed for longer, however early the wall's clock says it is."""
    rig = Rig()
    secret, _ = await rig.enter()
    await rig.sign_on.caller(secret)
    rig.shelf.sessions.clear()
    rig.clock.set(rig.clock.now_us() - 3_600_000_000)
    rig.clock.advance(0.5)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(secret)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Farthing.Example:443/x", "https://farthing.example"),
        ("http://localhost:80", "http://localhost"),
        ("https://farthing.example:80", "https://farthing.example:80"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_origin_is_written_as_browsers_do(url: str, origin: str) -> None:
    """Else every change that a session makes would be taken for another page's."""
    assert Rig(public_url=url).sign_on.origin == origin


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "", "page", "/a\r\nset-cookie: b", "/é"]
)
async def test_nobody_is_led_elsewhere(goal: str) -> None:
    """Only a path of our own is come back to."""
    assert (await Rig().enter(goal))[1] == "/"


async def test_an_answer_must_be_to_this_browsers_attempt() -> None:
    """Not to another one, to none, to an old one, or to one that was changed."""
    rig = Rig()
    _, cookie = await rig.sign_on.begin("/")
    assert rig.provider.attempt is not None
    state = rig.provider.attempt.state
    _, other = await rig.sign_on.begin("/")
    changed = cookie[:60] + ("A" if cookie[60] != "A" else "B") + cookie[61:]
    for wrong_state, wrong_cookie in [(state, other), ("", cookie), (state, ""), (state, "?"), (state, changed)]:
        with pytest.raises(Unauthenticated):
            await rig.sign_on.complete("code", wrong_state, wrong_cookie)
    rig.clock.advance(600)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.complete("code", state, cookie)
    assert rig.shelf.sessions == {}


async def test_a_session_ends_after_half_an_hour_of_rest() -> None:
    """Each use counts, and is written down once a minute at most."""
    rig = Rig()
    secret, _ = await rig.enter()
    for _ in range(20):
        rig.clock.advance(1799)
        await rig.sign_on.caller(secret)
    assert rig.shelf.touches == 20
    rig.clock.advance(30)
    await rig.sign_on.caller(secret)
    assert rig.shelf.touches == 20
    rig.clock.advance(1800)
    with pytest.raises(Unauthenticated, match="/login"):
        await rig.sign_on.caller(secret)


async def test_a_session_ends_after_twelve_hours_of_work() -> None:
    """However busy it was."""
    rig = Rig()
    secret, _ = await rig.enter()
    for _ in range(12 * 60 - 1):
        rig.clock.advance(60)
        await rig.sign_on.caller(secret)
    rig.clock.advance(60)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(secret)


async def test_a_session_that_ended_elsewhere_ends_here_within_a_second() -> None:
    """It is believed for half a second without asking; one that ends here ends at once."""
    rig = Rig()
    secret, _ = await rig.enter()
    await rig.sign_on.caller(secret)
    rig.shelf.sessions.clear()
    rig.clock.advance(0.4)
    await rig.sign_on.caller(secret)
    rig.clock.advance(0.1)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(secret)
    secret, _ = await rig.enter()
    await rig.sign_on.caller(secret)
    await rig.sign_on.end(secret)
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(secret)


async def test_signing_on_again_ends_the_session_before() -> None:
    """A stolen cookie dies with the next sign-on."""
    rig = Rig()
    first, _ = await rig.enter()
    second, _ = await rig.enter()
    with pytest.raises(Unauthenticated):
        await rig.sign_on.caller(first)
    await rig.sign_on.caller(second)


async def test_known_sessions_outlast_a_short_outage() -> None:
    """For ten minutes; unknown ones are not let in, and not told that they are wrong."""
    rig = Rig()
    secret, _ = await rig.enter()
    await rig.sign_on.caller(secret)
    rig.shelf.is_away = True
    rig.clock.advance(599)
    assert (await rig.sign_on.caller(secret)).role == "auditor"
    with pytest.raises(Unavailable):
        await rig.sign_on.caller("another")
    rig.clock.advance(1)
    with pytest.raises(Unavailable):
        await rig.sign_on.caller(secret)


async def test_sessions_alike_in_their_beginning_are_told_apart() -> None:
    """All of a secret counts."""
    rig = Rig()
    secret, _ = await rig.enter()
    await rig.sign_on.caller(secret)
    for wrong in (secret[:-1], f"{secret}A", secret[:20], "", "\ud800"):
        with pytest.raises(Unauthenticated):
            await rig.sign_on.caller(wrong)


async def test_only_so_many_sessions_are_remembered() -> None:
    """Memory stays bounded; whoever is forgotten is asked for again."""
    rig = Rig()
    secret, _ = await rig.enter()
    session = next(iter(rig.shelf.sessions.values()))
    await rig.sign_on.caller(secret)
    for number in range(MOST_REMEMBERED):
        rig.shelf.sessions = {**rig.shelf.sessions, number.to_bytes(32, "big"): session}
        rig.sign_on._known[number.to_bytes(32, "big")] = session, 0
    rig.clock.advance(1)
    finds = rig.shelf.finds
    await rig.sign_on.caller(secret)
    assert rig.shelf.finds == finds + 1
    assert len(rig.sign_on._known) == 1
