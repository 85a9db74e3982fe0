"""Alerts are noticed once and carried until they are taken, whatever fails in between."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.budget import DAY_US, Budget
from farthing.domain.errands import errand_budgets
from farthing.domain.errors import Unavailable
from farthing.insight.alerting import Alerting
from farthing.insight.delivering import UNKNOWN_ATTEMPTS
from farthing.ports import Delivery

BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=1_000)
NOON_US = 1_764_590_400_000_000


class Shelf:
    """An outbox in memory."""

    def __init__(self) -> None:
        self.announced: list[tuple[str, str]] = []
        self.due: list[Delivery] = []
        self.done: list[tuple[str, str]] = []
        self.pauses: list[int] = []
        self.failures: list[str] = []
        self.dropped: list[str] = []
        self.is_away = False

    def check(self) -> None:
        """Raises `Unavailable` while it is away."""
        if self.is_away:
            raise Unavailable("away")

    async def announce(self, notices: Sequence[Notice], channels: Sequence[str]) -> None:
        """As the port."""
        self.check()
        self.announced += [(notice.event_id.rpartition(":")[2], channel) for notice in notices for channel in channels]
        self.due += [Delivery(notice, channel, 1) for notice in notices for channel in channels]

    async def claim(self, *, limit: int, lease_us: int) -> Sequence[Delivery]:
        """As the port."""
        self.check()
        assert lease_us == 30_000_000
        claimed, self.due = self.due[:limit], self.due[limit:]
        return claimed

    async def delivered(self, delivery: Delivery) -> None:
        """As the port."""
        self.done.append((delivery.notice.event_id.rpartition(":")[2], delivery.channel))

    async def postpone(self, delivery: Delivery, pause_us: int, failure: str) -> None:
        """As the port."""
        self.failures.append(failure)
        self.pauses.append(pause_us)
        self.due.append(Delivery(delivery.notice, delivery.channel, delivery.attempts + 1))

    async def drop(self, delivery: Delivery) -> None:
        """As the port."""
        self.dropped.append(delivery.channel)


class Ear:
    """A channel that takes notices, or does not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []
        self.is_deaf = False

    async def send(self, notice: Notice) -> None:
        """As the port."""
        if self.is_deaf:
            raise NotDelivered(f"the {self.name} is deaf")
        self.heard.append(notice.text)


async def test_each_threshold_is_announced_once_for_every_channel() -> None:
    """However often it is looked at, and anew in the next window."""
    shelf = Shelf()
    alerting = Alerting(outbox=shelf, channels=[Ear("webhook"), Ear("email")])
    for spent in (0, 499, 500, 500, 799, 800):
        await alerting.consider([BUDGET], {"b1": spent}, NOON_US)
    assert shelf.announced == [("50", "webhook"), ("50", "email"), ("80", "webhook"), ("80", "email")]
    await alerting.consider([BUDGET], {"b1": 0}, NOON_US + DAY_US)
    await alerting.consider([BUDGET], {"b1": 500}, NOON_US + DAY_US)
    assert len(shelf.announced) == 6


async def test_what_learning_may_spend_is_spent_in_silence() -> None:
    """Each day anew, which is nobody's news."""
    shelf = Shelf()
    [budget] = errand_budgets({"judge": 1_000})
    await Alerting(outbox=shelf, channels=[Ear("ear")]).consider([budget], {budget.id: 1_000}, NOON_US)
    assert shelf.announced == []


async def test_what_the_database_did_not_hear_is_announced_when_it_is_back() -> None:
    """Nothing is taken for announced before it is."""
    shelf = Shelf()
    alerting = Alerting(outbox=shelf, channels=[Ear("webhook")])
    shelf.is_away = True
    await alerting.consider([BUDGET], {"b1": 1_000}, NOON_US)
    await alerting.deliver()
    shelf.is_away = False
    await alerting.consider([BUDGET], {"b1": 1_000}, NOON_US)
    assert [percent for percent, _ in shelf.announced] == ["50", "80", "90", "100"]


async def test_without_a_channel_nothing_is_kept() -> None:
    """Nobody would ever take it."""
    shelf = Shelf()
    shelf.is_away = True
    alerting = Alerting(outbox=shelf, channels=[])
    await alerting.consider([BUDGET], {"b1": 1_000}, NOON_US)
    await alerting.deliver()
    assert shelf.announced == []


async def test_any_notice_can_be_announced() -> None:
    """For every channel, and for none where there is none."""
    notice = Notice(event_id="experiment:x:winner", kind="experiment.verdict", text="…", occurred_at_us=1, data={})
    shelf = Shelf()
    await Alerting(outbox=shelf, channels=[]).announce(notice)
    await Alerting(outbox=shelf, channels=[Ear("webhook"), Ear("email")]).announce(notice)
    assert shelf.announced == [("winner", "webhook"), ("winner", "email")]


async def test_a_deaf_channel_hears_everything_later_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ever more slowly, at least every 30 seconds; the log says it once, and once that it is over."""
    caplog.set_level("INFO", "farthing.insight.delivering")
    shelf, webhook, email = Shelf(), Ear("webhook"), Ear("email")
    alerting = Alerting(outbox=shelf, channels=[webhook, email])
    await alerting.consider([BUDGET], {"b1": 500}, NOON_US)
    webhook.is_deaf = True
    for _ in range(7):
        await alerting.deliver()
    assert shelf.done == [("50", "email")]
    assert shelf.pauses == [2_000_000, 4_000_000, 8_000_000, 16_000_000, 30_000_000, 30_000_000, 30_000_000]
    assert set(shelf.failures) == {"the webhook is deaf"}
    webhook.is_deaf = False
    await alerting.deliver()
    assert shelf.done == [("50", "email"), ("50", "webhook")]
    assert webhook.heard == email.heard
    assert caplog.messages == ["alerts wait: the webhook is deaf", "webhook takes alerts again"]


async def test_a_channel_that_this_worker_does_not_know_is_left_to_others() -> None:
    """During a rolling change of settings some workers know it and others do not."""
    shelf = Shelf()
    await Alerting(outbox=shelf, channels=[Ear("email")]).consider([BUDGET], {"b1": 500}, NOON_US)
    await Alerting(outbox=shelf, channels=[Ear("webhook")]).deliver()
    assert shelf.pauses == [30_000_000]
    assert shelf.done == []


async def test_a_channel_that_is_gone_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """After an hour in which nobody knew it; the log says once for each notice that nobody was told."""
    shelf = Shelf()
    alerting = Alerting(outbox=shelf, channels=[Ear("webhook")])
    await Alerting(outbox=shelf, channels=[Ear("email")]).consider([BUDGET], {"b1": 500}, NOON_US)
    for _ in range(200):
        await alerting.deliver()
    assert len(shelf.pauses) == UNKNOWN_ATTEMPTS - 1
    assert (shelf.dropped, shelf.due, shelf.done) == (["email"], [], [])
    [said] = [record.message for record in caplog.records if "channel no more" in record.message]
    assert said.startswith("one of the alerts is dropped: email is a channel no more (")


async def test_a_budget_that_refuses_is_told_to_be_at_its_end_once() -> None:
    """A hard one seldom comes to its last nano-dollar; if it does, that is no news any more."""
    shelf, ear = Shelf(), Ear("webhook")
    alerting = Alerting(outbox=shelf, channels=[ear])
    await alerting.consider([BUDGET], {"b1": 970}, NOON_US, {"b1"})
    await alerting.consider([BUDGET], {"b1": 970}, NOON_US, {"b1"})
    await alerting.consider([BUDGET], {"b1": 1_000}, NOON_US, {"b1"})
    assert [percent for percent, _ in shelf.announced] == ["50", "80", "90", "100"]
    await alerting.deliver()
    assert ear.heard[-1] == (
        "The day's budget of key k1 is used up: $0.00000097 of $0.000001 are spent. What is left is too little for "
        "what is asked, which is refused; it begins anew at 2025-12-02T00:00:00Z."
    )


async def test_other_channels_are_told_from_now_on() -> None:
    """A new one also hears what is true already; one that is gone hears nothing more."""
    shelf, webhook, email = Shelf(), Ear("webhook"), Ear("email")
    alerting = Alerting(outbox=shelf, channels=[webhook])
    await alerting.consider([BUDGET], {"b1": 500}, NOON_US)
    await alerting.deliver()
    alerting.configure([email])
    await alerting.consider([BUDGET], {"b1": 500}, NOON_US)
    await alerting.deliver()
    assert [channel for _, channel in shelf.done] == ["webhook", "email"]
    announced = list(shelf.announced)
    alerting.configure([Ear("email")])
    await alerting.consider([BUDGET], {"b1": 500}, NOON_US)
    assert shelf.announced == announced
