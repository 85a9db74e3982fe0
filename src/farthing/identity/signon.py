"""Brings people in: to the identity provider and back, and from then on by the session in their cookie."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from farthing.domain.errors import Forbidden, Unauthenticated, Unavailable
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.keys import Caller
from farthing.domain.permissions import ROLES
from farthing.domain.secrecy import Secret
from farthing.domain.signon import LONGEST_US, Admission, Attempt, Identity, Session
from farthing.domain.tenancy import Person
from farthing.ports import Clock

ATTEMPT_US = 600_000_000
"""Ten minutes to type a password, find the telephone and come back."""
SECRET_BYTES = 32
TOUCH_US = 60_000_000
"""A session's last use is written down this often at most."""
REMEMBERED_S = 0.5
"""How long a session is believed without asking the database again."""
BELIEVED_S = 600.0
"""And for how long while the database is away."""
MOST_REMEMBERED = 1_000


class IdentityProvider(Protocol):
    """Vouches for people."""

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where the browser is sent."""

    async def redeem(self, code: str, attempt: Attempt) -> Identity:
        """Who came back."""


class SessionStore(Protocol):
    """Where people and their sessions are kept, by the digest of the cookie's secret."""

    async def welcome(self, person: Person, *, returning: Callable[[Person], Person]) -> Person:
        """The person as they are known from now on: `returning` tells what becomes of who was known before."""

    async def open(self, digest: bytes, person_id: str, *, now_us: int, expires_at_us: int) -> None:
        """Notes a new session in place of all that the person had."""

    async def find(self, digest: bytes) -> Session | None:
        """The session, and whose it is."""

    async def touch(self, digest: bytes, now_us: int) -> None:
        """It was used."""

    async def close(self, digest: bytes) -> None:
        """It is over."""


class SignOn:
    """Implements `ports.SignOn`. The same on every worker and host that share `secret`."""

    def __init__(
        self,
        *,
        provider: IdentityProvider,
        sessions: SessionStore,
        admission: Admission,
        public_url: str,
        secret: Secret[bytes],
        clock: Clock,
        chance: Callable[[int], bytes],
    ) -> None:
        """`secret` signs what a browser carries to the provider and back; `chance` gives unpredictable bytes."""
        self.origin = _origin(public_url)
        self._provider = provider
        self._sessions = sessions
        self._admission = admission
        self._secret = secret
        self._clock = clock
        self._chance = chance
        self._known: dict[bytes, tuple[Session, float]] = {}
        """Sessions that were found, and when: on the monotonic clock, as the wall's may be put back."""

    async def begin(self, goal: str) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it must bring back. Raises `Unavailable`.

        `goal` is the path to come back to; anything that leads elsewhere becomes `/`.
        """
        attempt = Attempt(
            state=self._token(),
            nonce=self._token(),
            verifier=self._token(),
            goal=goal if _is_own_path(goal) else "/",
            expires_at_us=self._clock.now_us() + ATTEMPT_US,
        )
        return await self._provider.authorization_url(attempt), self._sealed(attempt)

    async def complete(self, code: str, state: str, cookie: str) -> tuple[str, str]:
        """The secret of a new session, and the path that the person wanted.

        Raises `Unauthenticated` where this is not the answer to this browser's attempt, `Forbidden` for a person who
        may not come in, `Unavailable` while provider or database are away.
        """
        attempt = self._opened(cookie)
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode("utf-8", "replace")):
            raise Unauthenticated(
                "This is not the answer to a sign-on that began in this browser. Sign on again.", code="sign_on_failed"
            )
        person = await self._welcome(await self._provider.redeem(code, attempt))
        secret, now_us = self._token(), self._clock.now_us()
        await self._sessions.open(_digest(secret), person.person_id, now_us=now_us, expires_at_us=now_us + LONGEST_US)
        return secret, attempt.goal

    async def caller(self, secret: str) -> Caller:
        """Whose session this is. Raises `Unauthenticated`, and `Unavailable` where the database must be asked."""
        digest, now_us = _digest(secret), self._clock.now_us()
        session, found_s = self._known.get(digest, (None, 0.0))
        if session is None or self._clock.monotonic() - found_s >= REMEMBERED_S:
            session = await self._ask(digest, session, found_s)
        if session is None or not session.is_good(now_us):
            self._known.pop(digest, None)
            raise Unauthenticated("Your session is over. Sign on again at /login.", code="session_over")
        return session.caller

    async def end(self, secret: str) -> None:
        """Ends the session, if it is one. Raises `Unavailable`."""
        digest = _digest(secret)
        self._known.pop(digest, None)
        await self._sessions.close(digest)

    async def _welcome(self, identity: Identity) -> Person:
        admission, now_us = self._admission, self._clock.now_us()
        place = admission.place_of(identity)
        if place is None:
            raise Forbidden(
                "None of your groups belongs to a tenant here. Ask an administrator to give one of them a place in "
                "[oidc.places], or to set oidc.tenant for everybody else.",
                code="sign_on_failed",
            )
        role = admission.role_of(identity, place)
        given = role or admission.default_role
        if given is None:
            raise Forbidden("You are not among those who may sign on here. Ask an administrator.")
        new = Person(
            person_id=uuid7(now_us, int.from_bytes(self._chance(16), "big") >> (128 - RANDOM_BITS)),
            tenant=place.tenant,
            issuer=identity.issuer,
            subject=identity.subject,
            role=given,
            team=place.team,
            email=identity.email,
            name=identity.name,
            created_at_us=now_us,
        )
        # Who has left a group has lost its role, too; one that was given by hand stays.
        over = ROLES if role is not None else admission.given
        person = await self._sessions.welcome(new, returning=lambda known: admission.returning(known, new, over=over))
        if person.is_blocked:
            raise Forbidden("You are not among those who may sign on here. Ask an administrator.")
        return person

    async def _ask(self, digest: bytes, known: Session | None, found_s: float) -> Session | None:
        """What the database says of a session; while it is away what it said last, for some minutes."""
        now_us, now_s = self._clock.now_us(), self._clock.monotonic()
        try:
            session = await self._sessions.find(digest)
            if session is not None and session.is_good(now_us) and now_us - session.seen_at_us >= TOUCH_US:
                await self._sessions.touch(digest, now_us)
        except Unavailable:
            if known is None or now_s - found_s >= BELIEVED_S:
                raise
            return known
        if session is not None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[digest] = session, now_s
        return session

    def _token(self) -> str:
        return urlsafe_b64encode(self._chance(SECRET_BYTES)).rstrip(b"=").decode()

    def _sealed(self, attempt: Attempt) -> str:
        body = msgspec.msgpack.encode(attempt)
        return urlsafe_b64encode(self._signed(body) + body).decode()

    def _opened(self, cookie: str) -> Attempt | None:
        """The attempt in a cookie that we made and that is not too old."""
        try:
            raw = urlsafe_b64decode(cookie)
        except ValueError:
            return None
        signature, body = raw[: sha256().digest_size], raw[sha256().digest_size :]
        if not hmac.compare_digest(signature, self._signed(body)):
            return None
        attempt = msgspec.msgpack.decode(body, type=Attempt)
        return attempt if self._clock.now_us() < attempt.expires_at_us else None

    def _signed(self, body: bytes) -> bytes:
        return hmac.digest(self._secret.reveal(), b"farthing sign-on" + body, "sha256")


def _digest(secret: str) -> bytes:
    """What stands for a session in the database: the whole secret's, never a part of it."""
    return sha256(b"farthing session" + secret.encode("utf-8", "surrogatepass")).digest()


def _origin(url: str) -> str:
    """As browsers write it (RFC 6454, section 6.2): in lower case, the port only where it is not the usual one."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def _is_own_path(goal: str) -> bool:
    """Whether a browser that follows it stays here."""
    return goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable() and goal.isascii()
