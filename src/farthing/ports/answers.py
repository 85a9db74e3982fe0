"""Seams of kept answers, and of small values that workers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class CacheEntry(Struct, frozen=True, gc=False, kw_only=True):
    """A complete answer as the upstream said it: one body, or the events of a stream joined."""

    dialect: str
    stream: bool
    body: bytes
    provider: str
    model: str
    cost: int | None
    """Nano-dollars the answer cost when it was bought."""
    created_at_us: int
    expires_at_us: int
    tenant: str
    prompt: str = ""
    """The last user text, shortened, for `popular_queries`."""
    strategy: str | None = None
    tier: str | None = None
    score: float | None = None
    confidence: str | None = None


class CacheLevel(Protocol):
    """A place where answers are kept. A level that is away answers None and never raises."""

    name: str

    def lacks(self, key: str) -> bool:
        """Whether it surely has no such entry, told without asking anybody."""

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired or was voted down."""

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry until it expires, or until room is needed."""

    async def put_all(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """As `put` of each, at once."""

    async def delete(self, key: str) -> None:
        """Forgets the entry; a key voted down is refused by `put` from then on."""


class SharedLevel(CacheLevel, Protocol):
    """A level that all workers see, and over which they take turns: what one of them buys, the others wait for."""

    async def take(self, key: str) -> CacheEntry | None:
        """The entry, also one that another worker is buying. None: this worker is to buy it, or the level is away."""

    def has_turn(self, key: str) -> bool:
        """Whether this worker is to buy it, and has neither got it nor given up."""

    def bought(self, key: str) -> None:
        """The answer is here, and will be put."""

    async def give_up(self, key: str) -> None:
        """There will be no answer: another may buy it."""

    async def renew(self) -> None:
        """To be called every second: this worker's turns go on."""


class SharedValues(Protocol):
    """Small values that all workers see, for a while. A store that is away has none and never raises."""

    async def get(self, name: str) -> bytes | None:
        """The value, None where there is none."""

    async def put(self, name: str, value: bytes, ttl_s: int) -> None:
        """Keeps the value for `ttl_s` seconds."""


class AnswerCache(Protocol):
    """All cache levels as one. Never raises: a level that is away is a miss."""

    def near(self, key: str) -> tuple[CacheEntry, str] | None:
        """As `find`, but without waiting: None where that would be needed."""

    def lacks(self, key: str) -> bool:
        """Whether surely no level has the entry: then there is nothing to `find`."""

    async def find(self, key: str, *, waits: bool = False) -> tuple[CacheEntry, str] | None:
        """The entry and the name of the level that had it, or None.

        With `waits` also an entry that another worker is buying; None then means that this worker is to buy it.
        """

    def has_turn(self, key: str) -> bool:
        """Whether other workers wait for this one to buy the answer."""

    async def give_up(self, key: str) -> None:
        """There will be no answer: another worker may buy it."""

    def hold(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry where `near` looks."""

    async def keep(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """Keeps these entries by key everywhere else."""

    async def forget(self, key: str) -> None:
        """Takes the entry from every level for good: it was voted down."""
