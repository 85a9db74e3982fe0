"""Reports that are sent each month are announced once, however long everybody was away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.errors import Unavailable
from farthing.insight.scheduling import Rounds, Schedule
from farthing.ports import Delivery, Tracked


class Silent:
    """A channel that is never given anything."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, notice: Notice) -> None:
        """Nothing is due."""
        raise AssertionError(notice)


EMAIL, WEBHOOK = Silent("finance:email"), Silent("finance:webhook")
FINANCE = Schedule(name="finance", tenant=None, day=2, hour=6, channels=(EMAIL, WEBHOOK))


def at(text: str) -> int:
    """A moment in UTC as microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Table:
    """An outbox in memory that many may share."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Notice] = {}
        self.asked = 0
        self.is_away = False

    async def announce(self, notices: Sequence[Notice], channels: Sequence[str]) -> None:
        """As the port."""
        if self.is_away:
            raise Unavailable("away")
        for notice in notices:
            for channel in channels:
                self.kept.setdefault((notice.event_id, channel), notice)

    async def claim(self, *, limit: int, lease_us: int) -> Sequence[Delivery]:
        """Nothing is due."""
        assert (limit, lease_us) == (1, 1_800_000_000)
        return []

    async def delivered(self, delivery: Delivery) -> None:
        """Nothing was claimed."""
        raise AssertionError(delivery)

    async def postpone(self, delivery: Delivery, pause_us: int, failure: str) -> None:
        """Nothing was claimed."""
        raise AssertionError(delivery, pause_us, failure)

    async def drop(self, delivery: Delivery) -> None:
        """Nothing was claimed."""
        raise AssertionError(delivery)

    async def track(self, tenant: str | None, limit: int) -> Sequence[Tracked]:
        """As the port."""
        self.asked += 1
        return [
            Tracked(
                notice=notice,
                channel=channel,
                announced_us=0,
                attempts=0,
                due_us=0,
                delivered_us=None,
                failure=None,
            )
            for (_, channel), notice in self.kept.items()
        ][:limit]

    @property
    def announced(self) -> list[tuple[str, str]]:
        """Every event with its channel, in order."""
        return sorted(self.kept)


def rounds(table: Table, clock: ManualClock, *schedules: Schedule) -> Rounds:
    """Of one worker."""
    made = Rounds(outbox=table, tracker=table, clock=clock)
    made.configure(schedules)
    return made


async def test_the_month_that_was_due_last_is_announced_at_once() -> None:
    """On each of its channels, with what those need to know; none before it, of which nobody asked."""
    table, clock = Table(), ManualClock(at("2026-11-22"))
    await rounds(table, clock, FINANCE).tend()
    assert table.announced == [
        ("report:finance:2026-10", "finance:email"),
        ("report:finance:2026-10", "finance:webhook"),
    ]
    [notice, _] = table.kept.values()
    assert (notice.kind, notice.data) == (
        "report.monthly",
        {"report": "finance", "month": "2026-10", "tenant": None},
    )
    assert notice.occurred_at_us == clock.now_us()


async def test_each_month_when_it_is_due() -> None:
    """Not a second before; between months nobody asks the database what was announced."""
    table, clock = Table(), ManualClock(at("2026-11-02T06:00:00"))
    worker = rounds(table, clock, replace(FINANCE, channels=(EMAIL,)))
    await worker.tend()
    clock.advance(30 * 86_400 - 1)
    await worker.tend()
    assert ([event for event, _ in table.announced], table.asked) == (["report:finance:2026-10"], 1)
    clock.advance(1)
    await worker.tend()
    await worker.tend()
    assert [event for event, _ in table.announced] == ["report:finance:2026-10", "report:finance:2026-11"]
    assert table.asked == 2


async def test_months_in_which_everybody_was_away_are_made_up_for() -> None:
    """At the next start, those since the last one that was announced; a year of them at most."""
    table = Table()
    schedule = replace(FINANCE, channels=(EMAIL,))
    await rounds(table, ManualClock(at("2026-01-15")), schedule).tend()
    await rounds(table, ManualClock(at("2026-04-15")), schedule).tend()
    months = [event[-7:] for event, _ in table.announced]
    assert months == ["2025-12", "2026-01", "2026-02", "2026-03"]
    await rounds(table, ManualClock(at("2028-01-15")), schedule).tend()
    assert [event[-7:] for event, _ in table.announced][4:] == [
        "2026-12",
        *(f"2027-{month:02}" for month in range(1, 13)),
    ]


async def test_what_the_database_did_not_hear_is_announced_when_it_is_back() -> None:
    """Nothing is taken for announced before it is."""
    table = Table()
    worker = rounds(table, ManualClock(at("2026-11-22")), FINANCE)
    table.is_away = True
    await worker.tend()
    table.is_away = False
    await worker.tend()
    assert len(table.announced) == 2


async def test_a_new_channel_gets_the_month_that_was_due_last() -> None:
    """After a change of the settings; a gateway without reports announces none."""
    table, clock = Table(), ManualClock(at("2026-11-22"))
    worker = rounds(table, clock)
    await worker.tend()
    assert (table.announced, table.asked) == ([], 0)
    for channels in ((EMAIL,), (EMAIL, WEBHOOK)):
        worker.configure([replace(FINANCE, channels=channels)])
        await worker.tend()
    assert [channel for _, channel in table.announced] == ["finance:email", "finance:webhook"]
