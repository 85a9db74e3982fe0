"""Seams of answers that are given once."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class AnswerOnce(Struct, frozen=True, kw_only=True):
    """An answer as its caller got it, and who gave it."""

    stream: bool
    body: bytes | None
    """None where it was too long to be kept."""
    model: str | None = None
    provider: str | None = None
    strategy: str | None = None
    upstream_id: str | None = None


class KnownAnswer(Struct, frozen=True):
    """What is kept under an idempotency key; without an answer somebody is working on it."""

    fingerprint: bytes
    answer: bytes | None


class IdempotentAnswers(Protocol):
    """Answers by the digest of an idempotency key, the same for all workers. Raises `Unavailable` while it is away."""

    async def claim(self, name: bytes, fingerprint: bytes, *, owner: str, lease_us: int) -> KnownAnswer | None:
        """What is kept; None where nothing was, and now the name is `owner`'s for `lease_us` microseconds."""

    async def keep(self, name: bytes, fingerprint: bytes, answer: bytes, *, owner: str, lives_us: int) -> None:
        """Keeps the answer for `lives_us` microseconds, unless the name has become somebody else's."""

    async def release(self, name: bytes, *, owner: str) -> None:
        """There will be no answer: the name may be claimed again."""

    async def renew(self, *, owner: str, lease_us: int) -> None:
        """All names without an answer are `owner`'s for `lease_us` microseconds from now."""
