"""Sees that every report which is sent each month is sent, whoever was away when it was due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from farthing.domain.alerts import Notice
from farthing.domain.errors import Unavailable
from farthing.domain.months import last_due, month_before
from farthing.insight.delivering import Pace, Postman
from farthing.ports import Channel, Clock, Outbox, Tracker

PACE = Pace(at_once=1, lease_us=1_800_000_000, first_pause_us=30_000_000, longest_pause_us=3_600_000_000)
"""A report is longer in the making than an alert, and can wait for an hour."""
MOST_MISSED = 12
"""Months at most that are made up for."""
TRACKED = 1_000


class Schedule(Struct, frozen=True, kw_only=True):
    """A report that is sent each month."""

    name: str
    tenant: str | None
    """None is every tenant."""
    day: int
    """Of the month after, 1 to 28."""
    hour: int
    """In UTC."""
    channels: tuple[Channel, ...]
    """Each of a name that no other report's channel has."""


class Rounds:
    """Announces what is due once over all workers and hosts, and carries what waits."""

    def __init__(self, *, outbox: Outbox, tracker: Tracker, clock: Clock) -> None:
        """Both of the same outbox, which holds reports alone."""
        self._tracker = tracker
        self._clock = clock
        self._postman = Postman("reports", outbox=outbox, channels=(), pace=PACE)
        self._schedules: Sequence[Schedule] = ()
        self._announced: Mapping[str, str] = {}
        """The newest month by the name of the report."""

    def configure(self, schedules: Sequence[Schedule]) -> None:
        """Sends these from now on."""
        self._postman.configure([channel for schedule in schedules for channel in schedule.channels])
        self._schedules = schedules
        self._announced = {}

    async def tend(self) -> None:
        """One round. While the database is away it is left for the next time."""
        now_us = self._clock.now_us()
        due = {each.name: last_due(now_us, day=each.day, hour=each.hour) for each in self._schedules}
        if due != self._announced:
            try:
                await self._announce(due, now_us)
            except Unavailable:
                return
            self._announced = due
        while await self._postman.deliver():
            pass

    async def _announce(self, due: Mapping[str, str], now_us: int) -> None:
        """The newest month of each report, and those before it that were never announced while others were."""
        last: dict[str, str] = {}
        for one in await self._tracker.track(None, TRACKED):
            name, month = one.notice.data["report"], one.notice.data["month"]
            last[name] = max(month, last.get(name, month))
        for schedule in self._schedules:
            months = _since(last.get(schedule.name), due[schedule.name])
            notices = [_notice(schedule, month, now_us) for month in months]
            await self._postman.announce(notices, [channel.name for channel in schedule.channels])


def _since(last: str | None, newest: str) -> Iterator[str]:
    """The newest month, and before it those after the last."""
    yield newest
    month = month_before(newest)
    for _ in range(MOST_MISSED):
        if last is None or month <= last:
            return
        yield month
        month = month_before(month)


def _notice(schedule: Schedule, month: str, now_us: int) -> Notice:
    return Notice(
        event_id=f"report:{schedule.name}:{month}",
        kind="report.monthly",
        text=f"The report {schedule.name} of {month}",
        occurred_at_us=now_us,
        data={"report": schedule.name, "month": month, "tenant": schedule.tenant},
    )
