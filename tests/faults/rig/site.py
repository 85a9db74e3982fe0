"""One set-up that a fault row is played on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random

from msgspec import Struct

from tests.faults.rig.books import Books
from tests.faults.rig.cluster import Vendors
from tests.faults.rig.load import Holder
from tests.servers.gateway import Gateway


class Site:
    """Gateways over one database, the keys it knows, and its ledger."""

    def __init__(self, gateways: Sequence[Gateway], database: str, keys: list[Holder]) -> None:
        self.gateways = gateways
        self.holders = keys
        self.database = database
        self.books = Books(database)

    @property
    def gateway(self) -> Gateway:
        """The first one."""
        return self.gateways[0]

    @property
    def ports(self) -> list[int]:
        """Where the gateways listen."""
        return [each.port for each in self.gateways]


StartSite = Callable[..., Awaitable[Site]]
"""Starts `instances` gateways of `workers` each over a database, reached at the URL `database` where one is given.

`keys` is how many keys there are (8, in the whole matrix 200 of 50 tenants), `budget` the one that the first has
from the beginning, `text` what `settings` takes (by default the vendor is deployment `a`), and all else is as for
`gateway`.
"""


class Rig(Struct, frozen=True):
    """What every row needs."""

    vendors: Vendors
    start: StartSite
    tell: Callable[[str, str], None]
    """Notes a row's name and what was seen."""
    seed: int
    is_full: bool
    """Whether the whole matrix runs, or the short part that belongs to all tests."""
    longer: int
    """How many times longer than usual rows with rounds are played."""
    missed: list[str]
    """The gates that it has missed, and what was wrong when it was over."""

    def gate(self, what: str, seen: float, most: float) -> None:
        """Holds a time or a size to its most, in the whole matrix alone: the short part runs on busy machines.

        The row goes on, and fails at its end.
        """
        if self.is_full and seen > most:
            self.missed.append(f"{what}: {seen:.4g}, at most {most:g}")

    @property
    def dice(self) -> Random:
        """Chance that comes again with the seed."""
        return Random(self.seed)
