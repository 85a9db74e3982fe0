"""What people are told without having asked: that a budget nears its end, and each month what the last one came to."""

from __future__ import annotations

from farthing.app.channels import build_channels, build_schedules
from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.background.supervisor import Supervisor
from farthing.insight.alerting import Alerting
from farthing.insight.scheduling import Rounds
from farthing.money.ledger import Ledger
from farthing.ports import Clock, Transport
from farthing.ports.reports import Reporting
from farthing.settings import Settings

ALERT_EVERY_S = 1.0
REPORT_EVERY_S = 10.0


class Notices:
    """Alerts and reports on their channels."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        refresher: Refresher,
        ledger: Ledger,
        reporting: Reporting,
        transport: Transport,
        clock: Clock,
    ) -> None:
        self._refresher = refresher
        self._ledger = ledger
        self.reporting = reporting
        self._transport = transport
        self._clock = clock
        store = storage.store
        self.alerting = Alerting(outbox=store.outbox, channels=())
        self._rounds = Rounds(outbox=store.report_outbox, tracker=store.report_outbox, clock=clock)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Tells on the channels of these settings from now on."""
        self.alerting.configure([*build_channels(settings, transport=self._transport, clock=self._clock)])
        schedules = build_schedules(
            settings,
            reporting=self.reporting,
            is_demo=lambda: self._refresher.snapshots.current.catalogue.demo,
            transport=self._transport,
            clock=self._clock,
        )
        self._rounds.configure([*schedules])

    def start(self, supervisor: Supervisor) -> None:
        """From now on, until it stops."""
        supervisor.every(ALERT_EVERY_S, self._alert, "telling of budgets")
        supervisor.every(REPORT_EVERY_S, self._rounds.tend, "sending reports")

    async def _alert(self) -> None:
        budgets, spent, at_us = self._refresher.spending
        await self.alerting.consider(budgets, spent, at_us, self._ledger.used_up(at_us))
        await self.alerting.deliver()
