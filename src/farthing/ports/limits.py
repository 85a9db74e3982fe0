"""Seams of rates and of requests under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from farthing.domain.keys import Caller
from farthing.domain.limits import Round, Standing, Verdict
from farthing.domain.routing.plan import Needs


class Limiter(Protocol):
    """How much may be asked in a minute and at a time."""

    async def take(self, caller: Caller, needs: Needs) -> Allowance:
        """Takes what a request likely needs of each of the caller's limits. Raises `RateLimited`, and takes nothing."""


class Allowance(Protocol):
    """What one request has taken of its caller's limits."""

    standings: tuple[Standing, ...]
    """How the rates stood when it was taken."""

    def settle(self, tokens: int) -> None:
        """Gives the place back, and corrects the tokens to what was used. Calling it again changes nothing."""


class SharedLimits(Protocol):
    """Limits that all workers count together. One that is away answers None and never raises."""

    patience_s: float
    """How long a request waits for an answer, after which its worker decides alone."""

    async def round(self, worker: str, asked: Round) -> Sequence[Verdict] | None:
        """Takes note of corrections and of what is held, and judges the wishes in order."""

    async def attend(self, worker: str, held: Mapping[str, int]) -> int | None:
        """Renews what `worker` holds, which is forgotten after a minute, and counts the workers that are alive."""
