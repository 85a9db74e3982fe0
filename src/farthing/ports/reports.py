"""Seams of the monthly report: the month as formats read it, and whoever writes one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from farthing.domain.pricing import PriceData
from farthing.domain.report import Charge, Report
from farthing.ports import Stretch
from farthing.ports.experiments import Kept


class Order(Struct, frozen=True, kw_only=True):
    """Which month of whom is wanted, and as what."""

    month: str
    """Such as `2026-11`, in UTC."""
    stretch: Stretch
    """The same from its first moment up to but without the next month's."""
    tenant: str | None
    """None is every tenant."""
    format: str
    """The name of one of `farthing.reports.FORMATS`."""
    is_demo: bool
    """Whether every amount is simulated."""
    now_us: int
    prices: PriceData | None = None
    """What prices are known from."""


class Month(Protocol):
    """One month of the ledger. Everything raises `Unavailable` while the database is away."""

    order: Order

    async def report(self) -> Report:
        """Its sums."""

    def charges(self) -> AsyncIterator[Sequence[Charge]]:
        """All that was used, day by day, in batches that are small however long the month's ledger is."""


class Format(Struct, frozen=True):
    """A kind of file."""

    media_type: str
    suffix: str
    """Of its name, with the dot."""
    write: Callable[[Month], AsyncGenerator[bytes, None]]
    """The file piece by piece."""
    needs: str | None = None
    """The module that an extra of the same name as the format brings."""


class Document(Protocol):
    """A file on its way. It must be closed."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Its pieces. Raises `Unavailable` where it breaks off."""

    async def aclose(self) -> None:
        """Ends it, written or not."""


class Reporting(Protocol):
    """Writes reports off the request path."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """What a report may be written as, by name."""

    async def __call__(self, order: Order) -> Document:
        """The file, once it has begun.

        Raises `NotInstalled` for a format that needs an extra, `Conflict` while too many are written, `Unavailable`.
        """


class MonthQueries(Protocol):
    """What the ledger tells of a month."""

    async def month(self, tenant: str | None, stretch: Stretch) -> Mapping[str, Any]:
        """`{usage: {dimension: …}, savings, estimated: {requests, cost}}`."""

    def charges(self, tenant: str | None, stretch: Stretch) -> AsyncIterator[Sequence[Charge]]:
        """As `Month.charges`."""


class ExperimentList(Protocol):
    """Where experiments are looked up."""

    async def list(self, tenant: str | None, *, limit: int, after: str | None = None) -> Sequence[Kept]:
        """The newest first; those before the one of the id `after`."""
