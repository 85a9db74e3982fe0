"""Keeps the snapshot fresh: keys, experiments, what was learned, budgets and votes, and the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress

from farthing.app.brought import BroughtKeys
from farthing.app.catalogue import build_catalogue, build_providers, next_price_change
from farthing.app.checks import FollowedChecks
from farthing.app.embedding import build_embedder
from farthing.app.keyfile import Known
from farthing.app.keyring import Keyring
from farthing.app.learned import FollowedLearning
from farthing.app.pace import FollowedPace
from farthing.app.plans import BroughtBudgets, FollowedPlans, check_plans
from farthing.app.promises import FollowedPromises
from farthing.app.ratings import FollowedRatings
from farthing.app.storage import Storage
from farthing.app.trials import FollowedTrials
from farthing.domain.budget import Budget
from farthing.domain.catalogue import Catalogue
from farthing.domain.errands import ERRAND_BUDGET
from farthing.domain.errors import Unavailable
from farthing.domain.routing.rules import Rule
from farthing.domain.secrets import digest
from farthing.gateway.snapshot import Snapshot, Snapshots
from farthing.money.ledger import Ledger
from farthing.ports import Clock, Provider, Transport
from farthing.settings import Settings

FIRST_TRIES, FIRST_PAUSE_S = 5, 0.1
FIRST_PATIENCE_S = 1.0
"""After which a start goes on without a database that does not answer."""
KEEP_KEYS_EVERY_S = 0.25
"""A key that is revoked is not let in either by a worker that starts without the database a second later."""
FIRST_LEARN_S = 0.5
"""How long a start waits for what was learned."""


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
        self._catalogue, self._prices_change_us = _priced(settings, clock.now_us())
        self._providers: Mapping[str, Provider] = build_providers(settings, transport)
        master = settings.master_key
        self._keyring = Keyring(
            storage.store.keys,
            clock,
            master=None if master is None else digest(master.get_secret_value()),
            plans=settings.plans,
        )
        self._brought = BroughtKeys(storage.store.credentials, settings)
        self._plans = FollowedPlans(storage.store.terms)
        self._budgets = BroughtBudgets(storage.store.budgets)
        self._followed = FollowedTrials(storage.store.experiments)
        self._ratings = FollowedRatings(storage.store.lessons)
        self._embedder = build_embedder(settings)
        self._learned = FollowedLearning(storage.store.runs, self._ratings, self._embedder)
        self._has_learned = asyncio.Event()
        self._pace = FollowedPace(storage.store.queries, clock)
        self._checks = FollowedChecks(storage.store.lessons, clock)
        self._promises = FollowedPromises(storage.store.promises)
        self.spending: tuple[Sequence[Budget], Mapping[str, int], int] = (), {}, 0
        """The budgets, what the database last said is spent of them (nano-dollars by id), and when (µs since 1970)."""
        self._has_keys = False
        """Whether requests have ever seen the keys that there are."""
        self._key_file = storage.key_file
        self._key_changes = 0
        self._turn = asyncio.Lock()
        self._is_due = False
        """Whether something has changed that requests do not see yet."""
        self.snapshots = Snapshots(self._snapshot())

    async def configure(self, settings: Settings) -> None:
        """Takes over changed settings: providers, models, prices, routing, cache."""
        providers = build_providers(settings, self._transport)
        catalogue, change_us = await asyncio.to_thread(_priced, settings, self._clock.now_us())
        self._settings, self._providers = settings, providers
        self._catalogue, self._prices_change_us = catalogue, change_us
        self._keyring.configure(settings.plans)
        self._embedder = build_embedder(settings, self._embedder)
        self._learned.configure(self._embedder)
        self.snapshots.swap(self._snapshot())

    async def reprice(self) -> None:
        """Takes over prices that have changed with the day or the hour."""
        settings, now_us = self._settings, self._clock.now_us()
        if self._prices_change_us is None or now_us < self._prices_change_us:
            return
        catalogue, change_us = await asyncio.to_thread(_priced, settings, now_us)
        # Other settings may have been taken over meanwhile, at the same prices.
        if settings is self._settings:
            self._catalogue, self._prices_change_us = catalogue, change_us
            self.snapshots.swap(self._snapshot())

    async def first_refresh(self) -> None:
        """Reads the database before the first request, which a start under load may have to try a few times."""
        until_s = self._clock.monotonic() + FIRST_PATIENCE_S
        for _ in range(FIRST_TRIES):
            await self.refresh()
            if self._keyring.is_away and self._clock.monotonic() > until_s:
                return
            if self.spending[2] and self._keyring.is_known and self._brought.is_known and self._followed.is_known:
                return
            await asyncio.sleep(FIRST_PAUSE_S)

    async def first_refresh_spending(self) -> None:
        """As `refresh_spending`, tried a few times: keys that are known without their budgets could spend too much.

        Where the database has told of no keys, both are recalled.
        """
        for _ in range(FIRST_TRIES):
            await self.refresh_spending()
            if not self._keyring.is_known:
                await self._recall()
            if self.spending[2] or not self._keyring.is_known:
                return
            await asyncio.sleep(FIRST_PAUSE_S)

    def may_serve(self) -> bool:
        """Whether to send callers here, where their keys would be unknown that another worker may know.

        On loopback, where no balancer asks, it is enough to know a master key.
        """
        settings = self._settings
        return self._has_keys or (settings.is_loopback and settings.master_key is not None)

    async def _recall(self) -> None:
        """Lets in whom this host has let in of late, where the database has not told yet who may come in.

        Hard budgets refuse meanwhile, as this worker has no lease; so do providers where a tenant has its own key.
        """
        known = None if self._key_file is None else await asyncio.to_thread(self._key_file.read)
        # Without any key it would be open, for which the database must have told itself that there is none.
        if known is None or not (known.changes.keys or self._keyring.keys):
            return
        self._keyring.recall(known.changes, known.at_us)
        self._brought.lock(known.owners, self._providers)
        self.spending = known.budgets, known.spent, known.spent_at_us
        self._ledger.load(known.budgets, known.spent, today={}, at_us=known.spent_at_us, is_certain=False)
        self._show()

    async def keep_keys(self) -> None:
        """Writes down for the next start what is known of keys, as long as the database tells."""
        if self._key_file is not None and self._keyring.is_known and not self._keyring.is_away and self.spending[2]:
            await self._key_file.keep(self._key_changes, self._known)

    def _known(self) -> Known:
        budgets, spent, spent_at_us = self.spending
        return Known(
            at_us=self._keyring.told_at_us,
            changes=self._keyring.everything(),
            owners=tuple(self._brought.providers),
            budgets=budgets,
            spent=spent,
            spent_at_us=spent_at_us,
        )

    async def refresh(self) -> None:
        """Reads keys, experiments and votes; while the database is away the last ones stay, keys for some minutes.

        One at a time: what one has read must be in force before another finds nothing new, and none may read what was
        before what another has read.
        """
        async with self._turn:
            await self._refresh()

    async def _refresh(self) -> None:
        # What was never read may be much, and takes its time.
        is_brief = self._keyring.is_known and not self._keyring.is_away
        async with self._store.together() if is_brief else nullcontext():
            await self._follow()
        if self._is_told:
            await self._plans.follow(self._keyring.house, self._clock.now_us())
        if await self._ratings.learn():
            self._is_due = True
        if self._is_due and self._keyring.is_known and not self.spending[2]:
            await self.refresh_spending(is_certain=False)
        # Keys that are in force without their budgets could spend too much.
        if self._is_due and (self.spending[2] or not self._keyring.is_known):
            self._is_due = False
            self._show()

    def _show(self) -> None:
        """Brings what is known to requests."""
        self.snapshots.swap(self._snapshot())
        self._has_keys = self._has_keys or self._keyring.is_known

    def in_force(self) -> tuple[tuple[Rule, ...], str | None]:
        """The route rules with the margins of their promises, and the name of the baseline if it can be routed to."""
        found = self._catalogue.find(self._catalogue.baseline or "")
        baseline = found.name if found is not None and found.routed else None
        return self._promises.rules(self._settings.rules, baseline), baseline

    async def _follow(self) -> None:
        """Notes what is different now for requests; answers that were voted down are buried at once."""
        if await self._keyring.refresh():
            self._note_key_change()
        if self._keyring.is_away:
            return
        if await self._brought.refresh(self._providers):
            self._note_key_change()
        if await self._followed.refresh():
            self._is_due = True
        if await self._promises.refresh(self._settings.rules):
            self._is_due = True
        if await self._pace.refresh(self._settings.routing.pace_usd_per_request):
            self._is_due = True
        if await self._checks.refresh(is_wanted=any(rule.cascade for rule in self._settings.rules)):
            self._is_due = True
        await self._learned.look()
        await self._ratings.look()
        with suppress(Unavailable):
            self._cache.bury(await self._store.feedback.tombstones())

    def _note_key_change(self) -> None:
        self._is_due = True
        self._key_changes += 1

    @property
    def has_lost_what_was_learned(self) -> bool:
        """Whether something learned is in force that this release cannot use."""
        return self._learned.unused is not None

    async def learn(self) -> None:
        """For ever waits for what is newly learned and brings it to requests, which do with what there is meanwhile."""
        while True:
            if await self._learned.load():
                self._is_due = True
                await self.refresh()
                self._has_learned.set()

    async def first_learn(self) -> None:
        """Waits until `learn` has brought what is in force before the first request; where that takes long, not on."""
        if self._learned.has_news:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LEARN_S):
                    await self._has_learned.wait()

    async def refresh_spending(self, *, is_certain: bool = True) -> None:
        """Reads budgets and what was spent; must not run while rows of this worker are being committed.

        `is_certain` says that it is known which of them are.
        """
        at_us = self._clock.now_us()
        try:
            house = self._keyring.house if self._is_told else None
            budgets = await self._budgets.load(house, self._settings.learning.errands, at_us)
            async with self._store.together():
                spent = await self._store.queries.spent(budgets, at_us) if budgets else {}
                today = await self._store.queries.spent_today(at_us)
        except Unavailable:
            return
        if budgets != self.spending[0]:
            self._note_key_change()
        self.spending = budgets, spent, at_us
        self._ledger.load(budgets, spent, today=today, at_us=at_us, is_certain=is_certain)
        if self._ledger.purse is not None:
            with suppress(Unavailable):
                await self._ledger.purse.refresh()

    @property
    def _is_told(self) -> bool:
        """Whether the database has told of keys and tenants just now."""
        return self._keyring.is_known and not self._keyring.is_away

    def check_plans(self, settings: Settings) -> None:
        """Raises `SettingsError` where these do not name a plan that somebody is on."""
        check_plans(self._keyring.house, settings)

    @property
    def _bounds_errands(self) -> bool:
        """Whether the budgets are in force without which nothing is bought on the gateway's own behalf."""
        return any(budget.id.startswith(ERRAND_BUDGET) for budget in self.spending[0])

    def _snapshot(self) -> Snapshot:
        settings = self._settings
        keyring = self._keyring
        return Snapshot(
            catalogue=self._catalogue,
            providers=self._providers,
            brought=self._brought.providers,
            strategies=self._learned.strategies(settings.routing.quality_floor),
            strategy=settings.routing.strategy,
            embedder=self._learned.embedder,
            unused=self._learned.unused,
            rules=self.in_force()[0],
            exploration=settings.routing.exploration,
            hold_back=settings.routing.hold_back if settings.routing.baseline else 0.0,
            pace=self._pace.pace,
            check_weights=self._checks.weights,
            keys=keyring.keys,
            plans=settings.plans,
            keys_known=keyring.is_known and not keyring.is_away,
            is_open=settings.is_loopback and settings.oidc is None and keyring.is_known and not keyring.keys,
            cache_native=settings.cache.enabled,
            cache_ttl_us=settings.cache.ttl_s * 1_000_000,
            refuse_unpriced=settings.prices.unpriced == "refuse",
            trials=self._followed.trials,
            keep_prompts=settings.learning.keep_prompts,
            shadow_share=settings.learning.shadow_share if self._bounds_errands else 0.0,
            judge=settings.learning.judge,
        )


def _priced(settings: Settings, now_us: int) -> tuple[Catalogue, int | None]:
    """The catalogue at the prices of this moment, and the moment (µs) from which others hold."""
    return build_catalogue(settings, now_us), next_price_change(settings, now_us)
