"""Prices of past days, for rows that had none when they were written."""

from __future__ import annotations

from farthing.app.catalogue import build_catalogue, next_price_change
from farthing.domain.catalogue import Catalogue
from farthing.domain.exchange import Exchange
from farthing.domain.repricing import repriced
from farthing.ports import Stretch
from farthing.settings import Settings
from farthing.store import Store
from farthing.store.repricing import Repriced

FOR_EVER = Stretch()
_NEVER_US = 2**63


class PastPrices:
    """The catalogue of any moment. The file's own prices hold for every day, for it tells no date."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[int, int, Catalogue] | None = None
        """Start and end (µs) of a stretch without a change of price, and its catalogue."""

    def at(self, moment_us: int) -> Catalogue:
        """The catalogue at that moment's prices; moments that come in order share one until a price changes."""
        if self._known is None or not self._known[0] <= moment_us < self._known[1]:
            change = next_price_change(self._settings, moment_us)
            catalogue = build_catalogue(self._settings, moment_us)
            self._known = moment_us, _NEVER_US if change is None else change, catalogue
        return self._known[2]

    def price(self, exchange: Exchange) -> Exchange | None:
        """The exchange with its cost on its own day; None where that is unknown."""
        return repriced(exchange, self.at(exchange.created_at_us))


async def reprice(store: Store, settings: Settings, stretch: Stretch = FOR_EVER, *, dry_run: bool = False) -> Repriced:
    """Prices the rows of a stretch that have no cost yet. Raises `Unavailable`."""
    return await store.repricing.run(PastPrices(settings).price, stretch, dry_run=dry_run)
