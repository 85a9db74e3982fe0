"""Keeps the snapshot fresh: keys, budgets and votes from the database, everything else from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from farthing.app.catalogue import build_catalogue, build_providers, next_price_change
from farthing.app.storage import Storage
from farthing.domain.budget import Budget
from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Unavailable
from farthing.domain.keys import Caller, Key
from farthing.domain.routing import STRATEGIES
from farthing.domain.secrets import digest
from farthing.gateway.snapshot import Snapshot, Snapshots
from farthing.money.ledger import Ledger
from farthing.ports import Clock, Provider, Transport
from farthing.settings import Settings

FIRST_TRIES, FIRST_PAUSE_S = 5, 0.1
MASTER = Caller(tenant="local", key_id="master", role="admin")


class Refresher:
    """Builds snapshots; each `refresh` reads the database once, off the request path."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        ledger: Ledger,
        transport: Transport,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = storage.store
        self._ledger = ledger
        self._cache = storage.cache
        self._transport = transport
        self._clock = clock
        self._catalogue: Catalogue = build_catalogue(settings, clock.now_us())
        self._prices_change_us = next_price_change(settings, clock.now_us())
        self._providers: Mapping[str, Provider] = build_providers(settings, transport)
        self._keys: Mapping[bytes, Key] = {}
        self._keys_known = False
        self.spending: tuple[Sequence[Budget], Mapping[str, int], int] = (), {}, 0
        """The budgets, what the database last said is spent of them (nano-dollars by id), and when (µs since 1970)."""
        self.snapshots = Snapshots(self._snapshot())

    def configure(self, settings: Settings) -> None:
        """Takes over changed settings: providers, models, prices, routing, cache."""
        catalogue, providers = (
            build_catalogue(settings, self._clock.now_us()),
            build_providers(settings, self._transport),
        )
        self._settings, self._catalogue, self._providers = settings, catalogue, providers
        self._prices_change_us = next_price_change(settings, self._clock.now_us())
        self.snapshots.swap(self._snapshot())

    async def reprice(self) -> None:
        """Takes over prices that have changed with the day or the hour."""
        now_us = self._clock.now_us()
        if self._prices_change_us is not None and now_us >= self._prices_change_us:
            self._catalogue = build_catalogue(self._settings, now_us)
            self._prices_change_us = next_price_change(self._settings, now_us)
            self.snapshots.swap(self._snapshot())

    async def first_refresh(self) -> None:
        """Reads the database before the first request, which a start under load may have to try a few times."""
        for _ in range(FIRST_TRIES):
            await self.refresh()
            if self._keys_known:
                return
            await asyncio.sleep(FIRST_PAUSE_S)

    async def refresh(self) -> None:
        """Reads keys and votes; while the database is away the last ones stay in force."""
        try:
            keys = await self._store.keys.load()
            tombstones = await self._store.feedback.tombstones()
        except Unavailable:
            return
        self._cache.bury(tombstones)
        if not self._keys_known or keys != self._keys:
            self._keys, self._keys_known = keys, True
            self.snapshots.swap(self._snapshot())

    async def refresh_spending(self) -> None:
        """Reads budgets and what was spent; must not run while rows of this worker are being committed."""
        at_us = self._clock.now_us()
        try:
            budgets = await self._store.budgets.load()
            spent = await self._store.queries.spent(budgets, at_us)
            today = await self._store.queries.spent_today(at_us)
        except Unavailable:
            return
        self.spending = budgets, spent, at_us
        self._ledger.load(budgets, spent, today=today, at_us=at_us)

    def _snapshot(self) -> Snapshot:
        settings = self._settings
        master = settings.master_key
        keys = dict(self._keys)
        if master is not None:
            keys[digest(master.get_secret_value())] = Key(caller=MASTER, name="master", hint="…")
        return Snapshot(
            catalogue=self._catalogue,
            providers=self._providers,
            strategies=STRATEGIES,
            strategy=settings.routing.strategy,
            keys=keys,
            keys_known=self._keys_known,
            is_open=settings.is_loopback and self._keys_known and not keys,
            cache_native=settings.cache.enabled,
            cache_ttl_us=settings.cache.ttl_s * 1_000_000,
            refuse_unpriced=settings.prices.unpriced == "refuse",
        )
