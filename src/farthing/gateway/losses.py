"""What a request pays for answers that its caller does not get: they broke, were checks, or were not good enough."""

from __future__ import annotations

from msgspec import UNSET, Struct
from msgspec.structs import replace

from farthing.domain.catalogue import Model
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Charge, broken_cost
from farthing.domain.pricing import Line


class Aside(Struct, frozen=True, kw_only=True):
    """An answer that the caller may get after all."""

    model: Model
    place: int
    """Of its attempt."""
    upstream_id: str | None


class Losses:
    """Of one request; nothing for most."""

    __slots__ = ("is_estimated", "last", "written_off")

    def __init__(self) -> None:
        self.last: Charge | None = None
        """What the model asked last charges for such an answer; it is the request's own usage so far."""
        self.written_off: int | None = 0
        """Nano-dollars of those before it, which stand with their attempts; None where a price is unknown."""
        self.is_estimated = False
        """Whether any of these told nothing of its tokens."""

    def note(self, model: Model, usage: Usage, cost: int | None) -> int:
        """The model has begun such an answer; the nano-dollars it charges, as far as they are known."""
        version = model.price.version if model.price else None
        self.last = Charge(usage=usage, cost=cost, price_version=version)
        return cost or 0

    def write_off(self, attempts: list[Attempt]) -> None:
        """Another model is about to be asked: what the last of the attempts charges stands with it."""
        charge = self.last
        if charge is not None:
            attempts[-1] = replace(attempts[-1], charge=charge)
            self.written_off = broken_cost(attempts)
            self.is_estimated = self.is_estimated or charge.usage.estimated
            self.last = None

    def take_back(self, attempts: list[Attempt], place: int) -> None:
        """The caller gets the answer of the attempt at this place: what it charges is the request's own again."""
        self.write_off(attempts)
        attempts[place] = replace(attempts[place], charge=UNSET, outcome=UNSET)
        self.written_off = broken_cost(attempts)

    def with_cost(self, own: int | None) -> int | None:
        """The cost of the request, from that of the model asked last."""
        return None if own is None or self.written_off is None else own + self.written_off

    def with_line(self, own: Line | None) -> Line | None:
        """The same for a stream whose length is not known yet."""
        if own is None or self.written_off is None:
            return None
        return Line(own.base + self.written_off * 1_000_000, own.slope) if self.written_off else own


NOTHING_LOST = Losses()
"""Of a request whose only answer is its caller's: nothing is noted in it."""
