"""The running gateway: every part made once, started in order and stopped in the opposite one."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from secrets import token_bytes
from typing import Any

from farthing.app.brought import build_seal
from farthing.app.figures import build_hub, watch
from farthing.app.learning import TEND_EVERY_S, WATCH_EVERY_S, Learning
from farthing.app.notices import Notices
from farthing.app.people import build_sign_on
from farthing.app.replaying import Replayer
from farthing.app.reporting import Reporter
from farthing.app.repricing import LateRows
from farthing.app.snapshots import KEEP_KEYS_EVERY_S, Refresher
from farthing.app.storage import Storage, shared_secret
from farthing.background.clock import SystemClock
from farthing.background.supervisor import Supervisor
from farthing.domain.exchange import Exchange
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.secrets import RANDOM_BYTES, mint
from farthing.gateway.answers import Answers
from farthing.gateway.breaker import Breakers, RetryBudget
from farthing.gateway.coalesce import Flights
from farthing.gateway.comparing import Comparing
from farthing.gateway.dispatch import Dispatch
from farthing.gateway.errand import Errands
from farthing.gateway.idempotency import Once
from farthing.gateway.pipeline import Pipeline
from farthing.gateway.recording import Recorder
from farthing.http.desk import Desk
from farthing.http.hot import DataPlane
from farthing.http.hub import BEAT_S
from farthing.http.overload import Overload
from farthing.http.services import Services
from farthing.insight.experiments import Analyses
from farthing.insight.routing_metrics import RoutingMetrics
from farthing.money.bookkeeper import Bookkeeper
from farthing.money.journal import Journal
from farthing.money.leases import Purse
from farthing.money.ledger import Ledger
from farthing.money.limiter import Limiter
from farthing.ports import SignOn
from farthing.providers.transport import HttpTransport
from farthing.settings import Settings, SettingsError, load
from farthing.store.leases import Lessee
from farthing.telemetry.logs import LogSink
from farthing.telemetry.prometheus import PrometheusSink

logger = logging.getLogger(__name__)

INGEST_EVERY_S = 0.1
REFRESH_EVERY_S = 0.5
"""A key revoked elsewhere is refused here within a second."""
LEASE_EVERY_S = 0.25
LATE_EVERY_S = 5.0
KEEP_EVERY_S = 1.0
LIMIT_EVERY_S = 1.0
RENEW_EVERY_S = 5.0
TURNS_EVERY_S = 1.0
LEARN_EVERY_S = 0.5
REPRICE_EVERY_S = 1.0
LOOK_EVERY_S = 1.0
"""An experiment is decided within so long of the result that it waited for, and harm is stopped."""
SWEEP_EVERY_S = 600.0
COMPARED_AT_ONCE = 4
"""Answers that a worker compares at the same time."""


class Gateway:
    """All parts of one worker."""

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._clock = SystemClock()
        # Identifiers must differ, not be hard to guess: the system's own source of chance costs ten times as much.
        self._dice = Random()  # noqa: S311
        self._supervisor = Supervisor(grace_s=settings.server.drain_s)
        self._transport = HttpTransport()
        worker = self.new_id()
        self._storage = Storage(settings, self._clock, worker=worker)
        self._ledger = Ledger(self._clock)
        self._refresher = Refresher(
            settings=settings, storage=self._storage, ledger=self._ledger, transport=self._transport, clock=self._clock
        )
        self._breakers = Breakers(self._clock)
        self._prometheus = PrometheusSink(version)
        self._notices = Notices(
            settings=settings,
            storage=self._storage,
            refresher=self._refresher,
            ledger=self._ledger,
            reporting=Reporter(settings.database.url.get_secret_value(), self._refresher.snapshots),
            transport=self._transport,
            clock=self._clock,
        )
        self._learning = Learning(
            settings=settings,
            storage=self._storage,
            clock=self._clock,
            new_id=self.new_id,
            spawn=self._supervisor.spawn,
            announce=self._notices.alerting.announce,
            is_lost=lambda: self._refresher.has_lost_what_was_learned,
            in_force=self._refresher.in_force,
        )
        self._late_rows = LateRows(self._storage.store, settings)
        self._replayer = Replayer(settings, self._storage.secret)
        self._flights = Flights()
        self._limiter = Limiter(
            clock=self._clock,
            spawn=self._supervisor.spawn,
            worker=worker,
            workers=settings.server.workers,
            shared=self._storage.limits,
        )
        self._once = Once(kept=self._storage.store.idempotent, spawn=self._supervisor.spawn, owner=worker)
        self._sign_on = self._build_sign_on(settings)
        self._hot: DataPlane | None = None
        self._reloading = asyncio.Lock()
        watch(self._prometheus, self._storage, self._ledger, self._transport, self._learning)

    def new_id(self) -> str:
        """A fresh request id."""
        return uuid7(self._clock.now_us(), self._dice.getrandbits(RANDOM_BITS))

    def reload(self) -> asyncio.Task[None]:
        """Reads the configuration again, while requests go on; a mistake in it is logged and changes nothing."""
        return self._supervisor.spawn(self._take_over(), "reading the configuration again")

    async def _take_over(self) -> None:
        # Of two that are asked for at once the second reads the file after the first is done: the newest is in force.
        async with self._reloading:
            try:
                settings, waiting = self._settings.taken_over(await asyncio.to_thread(load, self._settings.config_path))
                self._refresher.check_plans(settings)
                sign_on = self._build_sign_on(settings)
                await self._refresher.configure(settings)
            except (SettingsError, ValueError) as error:
                logger.error("the configuration was not taken over: %s", error)  # noqa: TRY400 (the message is enough)
            else:
                self._late_rows.configure(settings)
                self._replayer.configure(settings)
                self._learning.configure(settings)
                self._notices.configure(settings)
                self._sign_on = sign_on
                logger.info("the configuration was taken over")
                if waiting:
                    logger.warning("not taken over without a restart: %s", ", ".join(waiting))

    @property
    def desk(self) -> Desk | None:
        """Where hot requests are taken in; None until the lifespan has started."""
        return self._hot.desk if self._hot is not None else None

    async def data_plane(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's own types)
        """Answers a hot route."""
        if self._hot is None:
            raise RuntimeError("the application's lifespan has not started")
        await self._hot(scope, receive, send)

    @asynccontextmanager
    async def running(self, *, is_successor: bool = False) -> AsyncIterator[Services]:
        """Everything opened and working, for as long as the block lasts; nothing settled is lost at its end.

        A successor does not start with settings that whoever serves would not take over: raises `SettingsError`.
        """
        await self._open(is_successor=is_successor)
        root = self._settings.journal_dir
        journal = Journal(root=root, name=self.new_id())
        bookkeeper = Bookkeeper(
            journal=journal,
            root=root,
            write=self._write,
            clock=self._clock,
            committed=self._ledger.committed,
            bury=self._storage.store.leases.drop,
        )
        if not self._storage.is_alone:
            self._ledger.purse = self._purse(journal.name)
        recorder = Recorder(
            journal=journal,
            ledger=self._ledger,
            sinks=(self._prometheus, LogSink(), self._ledger),
            clock=self._clock,
        )
        overload = self._build_overload(recorder)
        dispatch = Dispatch(breakers=self._breakers, retries=RetryBudget(), clock=self._clock, sleep=asyncio.sleep)
        self._hot = self._build_hot(recorder, overload, dispatch)
        await self._refresher.first_refresh_spending()
        if self._storage.is_alone and self._ledger.has_budgets:
            # What a predecessor that died has spent must count before the first request.
            await bookkeeper.work()
            await self._refresher.refresh_spending()
        self._start_jobs(bookkeeper)
        comparing = self._start_comparing(recorder, dispatch, bookkeeper)
        overload.start()
        try:
            await self._refresher.first_learn()
            yield self._services(bookkeeper)
        finally:
            overload.stop()
            self._learning.retraining.stop()
            await self._supervisor.stop()
            await self._refresher.keep_keys()
            await comparing.keep()
            await bookkeeper.stop()
            await self._learning.keep()
            await self._learning.rate()
            await self._transport.aclose()
            await self._storage.aclose()

    async def _open(self, *, is_successor: bool) -> None:
        await self._storage.prepare()
        await self._storage.warm_up()
        await self._refresher.first_refresh()
        try:
            if is_successor:
                self._refresher.check_plans(self._settings)
        except SettingsError:
            await self._storage.aclose()
            raise

    async def _write(self, exchanges: Sequence[Exchange], worker: str) -> int:
        await self._storage.prepare()
        lessee = None if self._storage.is_alone else Lessee(worker, self._ledger.charges)
        return await self._storage.store.ingest.write(exchanges, lessee)

    def _purse(self, worker: str) -> Purse:
        return Purse(lessor=self._storage.store.leases, worker=worker, clock=self._clock, spawn=self._supervisor.spawn)

    def _build_overload(self, recorder: Recorder) -> Overload:
        overload = Overload(
            late_s=self._settings.server.overload_lag_ms / 1000,
            snapshots=self._refresher.snapshots,
            clock=self._clock,
            under_way=lambda: len(recorder.drafts),
            by_tenant=lambda: Counter(draft.caller.tenant for draft in recorder.drafts),
        )
        self._prometheus.watch_load(lambda: (overload.shed, overload.late_s))
        return overload

    def _start_comparing(self, recorder: Recorder, dispatch: Dispatch, bookkeeper: Bookkeeper) -> Comparing:
        comparing = self._learning.comparing(
            snapshots=self._refresher.snapshots,
            errands=Errands(recorder=recorder, dispatch=dispatch, new_id=self.new_id),
            flush=partial(bookkeeper.catch_up, self._supervisor.spawn),
        )
        for _ in range(COMPARED_AT_ONCE):
            self._supervisor.keep(comparing.work, "comparing answers")
        self._supervisor.every(KEEP_EVERY_S, comparing.keep, "keeping comparisons")
        return comparing

    def _build_hot(self, recorder: Recorder, overload: Overload, dispatch: Dispatch) -> DataPlane:
        clock, spawn = self._clock, self._supervisor.spawn
        pipeline = Pipeline(
            snapshots=self._refresher.snapshots,
            recorder=recorder,
            answers=Answers(cache=self._storage.cache, clock=clock, spawn=spawn),
            flights=self._flights,
            limiter=self._limiter,
            once=self._once,
            lessons=self._learning.lessons,
            remarks=self._learning.remarks,
            shadows=self._learning.shadows,
            dispatch=dispatch,
        )
        desk = Desk(
            pipeline=pipeline,
            snapshots=self._refresher.snapshots,
            clock=clock,
            new_id=self.new_id,
            spawn=spawn,
            max_body_bytes=self._settings.server.max_body_bytes,
            overload=overload,
        )
        return DataPlane(desk)

    async def _forget(self, key: str) -> None:
        self._flights.forget(key)
        await self._storage.cache.forget(key)

    async def _catch_up(self, bookkeeper: Bookkeeper) -> None:
        """Brings requests, and the questions that a rating is about, into the database now."""
        await bookkeeper.catch_up(self._supervisor.spawn)
        await self._learning.keep()

    async def _refresh_spending(self, bookkeeper: Bookkeeper) -> None:
        async with bookkeeper.paused() as is_certain:
            await self._refresher.refresh_spending(is_certain=is_certain)

    async def _look(self, analyses: Analyses) -> None:
        trials = self._refresher.snapshots.current.trials
        if trials.is_known:
            analyses.follow(trials.experiments)
        await analyses.look()

    def _start_jobs(self, bookkeeper: Bookkeeper) -> None:
        every = self._supervisor.every
        every(INGEST_EVERY_S, bookkeeper.work, "bookkeeping")
        every(REFRESH_EVERY_S, self._refresher.refresh, "refreshing the snapshot")
        every(REFRESH_EVERY_S, lambda: self._refresh_spending(bookkeeper), "refreshing what was spent")
        if self._ledger.purse is not None:
            every(LEASE_EVERY_S, self._ledger.purse.tidy, "leasing ahead")
        every(KEEP_KEYS_EVERY_S, self._refresher.keep_keys, "writing down what is known of keys")
        every(REPRICE_EVERY_S, self._refresher.reprice, "refreshing prices")
        every(LATE_EVERY_S, self._late_rows.price, "pricing requests whose price was not known")
        every(LEARN_EVERY_S, self._storage.learn_answers, "learning which answers are kept")
        self._notices.start(self._supervisor)
        every(LIMIT_EVERY_S, self._limiter.beat, "agreeing on limits")
        every(RENEW_EVERY_S, self._once.beat, "keeping idempotency keys")
        if self._settings.redis.url:
            every(TURNS_EVERY_S, self._storage.cache.renew, "keeping turns")
        every(KEEP_EVERY_S, self._storage.flush_answers, "keeping answers")
        every(SWEEP_EVERY_S, self._storage.sweep, "sweeping expired answers")
        every(SWEEP_EVERY_S, self._learning.sweep, "sweeping old questions")
        every(KEEP_EVERY_S, self._learning.keep, "keeping questions")
        every(KEEP_EVERY_S, self._learning.rate, "keeping ratings")
        every(TEND_EVERY_S, self._learning.tend, "learning anew")
        every(TEND_EVERY_S, self._learning.promising.tend, "testing promises")
        every(WATCH_EVERY_S, self._learning.retraining.watch, "watching ratings")
        self._supervisor.keep(self._refresher.learn, "taking over what was learned")

    def _services(self, bookkeeper: Bookkeeper) -> Services:
        store = self._storage.store
        metrics = RoutingMetrics(queries=store.queries, shared=self._storage.shared, clock=self._clock)
        live = build_hub(self._settings.server, self._refresher.snapshots, metrics, store, self._clock)
        self._supervisor.every(BEAT_S, live.beat, "telling the live figures")
        analyses = Analyses(
            store=store.experiments,
            shared=self._storage.shared,
            announce=self._notices.alerting.announce,
            tell=live.tell,
            clock=self._clock,
        )
        self._supervisor.every(LOOK_EVERY_S, lambda: self._look(analyses), "looking at experiments")
        return Services(
            snapshots=self._refresher.snapshots,
            clock=self._clock,
            breakers=self._breakers,
            queries=store.queries,
            feedback=store.feedback,
            keys=store.keys,
            tenancy=store.tenancy,
            terms=store.terms,
            budgets=store.budgets,
            spent=store.queries.spent,
            credentials=store.credentials,
            experiments=store.experiments,
            analyses=analyses,
            learning=self._learning.retraining,
            grades=store.comparisons,
            promising=self._learning.promising,
            seal=build_seal(self._settings),
            new_secret=lambda: mint(token_bytes(RANDOM_BYTES)),
            new_id=self.new_id,
            refresh=self._refresher.refresh,
            may_serve=self._refresher.may_serve,
            forget=self._forget,
            metrics=metrics.latest,
            live=live,
            flush=partial(self._catch_up, bookkeeper),
            reprice=self._late_rows.reprice,
            replay=self._replayer,
            reporting=self._notices.reporting,
            deliveries=store.report_outbox.track,
            health=self._storage.health,
            metrics_text=self._prometheus.text,
            version=self._version,
            find_sign_on=lambda: self._sign_on,
        )

    def _build_sign_on(self, settings: Settings) -> SignOn | None:
        return build_sign_on(
            settings,
            sessions=self._storage.store.sessions,
            transport=self._transport,
            clock=self._clock,
            secret=shared_secret(settings),
        )
