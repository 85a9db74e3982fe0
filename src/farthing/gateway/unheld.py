"""A request's hold before any money is reserved for it."""

from __future__ import annotations

from farthing.domain.catalogue import Model
from farthing.domain.routing.plan import Needs


class NothingHeld:
    """Implements `farthing.ports.Hold`."""

    is_thrifty = False
    is_limited = False

    def raise_to(self, model: Model, needs: Needs, body: bytes = b"") -> None:
        """Nothing."""

    def has_room(self, model: Model, needs: Needs, body: bytes = b"") -> bool:  # noqa: ARG002
        """Nothing is limited."""
        return True

    def return_to(self, model: Model) -> None:
        """Nothing."""

    def sink(self, cost: int) -> None:
        """Nothing."""

    def settle(self, cost: int) -> None:
        """Nothing."""
