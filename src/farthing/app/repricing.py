"""Prices of past days, for rows that had none when they were written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from farthing.app.catalogue import build_catalogue, next_price_change
from farthing.domain.budget import dollars
from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange
from farthing.domain.pricing import NANO
from farthing.domain.repricing import repriced
from farthing.ports import Stretch
from farthing.settings import Settings
from farthing.store import Store
from farthing.store.repricing import Priced, Repriced

logger = logging.getLogger(__name__)

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


async def reprice(
    store: Store,
    settings: Settings,
    stretch: Stretch = FOR_EVER,
    *,
    dry_run: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> Repriced:
    """Prices the rows of a stretch that have no cost yet; `advance` as `Repricing.run` says. Raises `Unavailable`."""
    return await store.repricing.run(PastPrices(settings).price, stretch, dry_run=dry_run, advance=advance)


def told(done: Repriced, *, is_dry: bool) -> dict[str, Any]:
    """What a run did, as JSON shows it."""
    models = [
        {"provider": provider, "model": name, **_counts(model)}
        for (provider, name), model in sorted(done.models.items())
    ]
    return {"dry_run": is_dry, **_counts(done.total), "models": models}


def _counts(model: Priced) -> dict[str, Any]:
    return {"rows": model.rows, "cost": model.cost / NANO, "still_unpriced": model.still_unpriced}


class LateRows:
    """Rows without a cost, looked at once for each configuration: no other moment makes a price known."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._pending: Settings | None = settings

    def configure(self, settings: Settings) -> None:
        """Other prices are known from now on."""
        self._settings = self._pending = settings

    async def reprice(self, stretch: Stretch, is_dry: bool) -> dict[str, Any]:  # noqa: FBT001 (as `Services` says)
        """Prices a stretch when asked to, and tells of it. Raises `Unavailable`."""
        return told(await reprice(self._store, self._settings, stretch, dry_run=is_dry), is_dry=is_dry)

    async def price(self) -> None:
        """Prices what can be priced, if that was not done yet. While the database is away it is left for later."""
        settings = self._pending
        if settings is None:
            return
        try:
            done = (await reprice(self._store, settings)).total
        except Unavailable:
            return
        if self._pending is settings:
            self._pending = None
        if done.rows:
            logger.info("%d requests whose price was not known have cost %s", done.rows, dollars(done.cost))
