"""Notices that wait for their channels, over every database."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.store import Store
from farthing.store.outbox import KEPT_US
from tests.conformance.store.samples import NOON_US

LEASE_US = 30_000_000


def notice(event_id: str = "e1") -> Notice:
    """Something that happened."""
    return Notice(event_id=event_id, kind="test", text="It is so.", occurred_at_us=NOON_US, data={"a": [1, None]})


async def test_a_notice_is_given_out_once_to_one_worker(store: Store) -> None:
    """As it was announced, and to nobody else while the lease lasts."""
    await store.outbox.announce([notice()], ["email", "webhook"])
    first, second = await asyncio.gather(*(store.outbox.claim(limit=10, lease_us=LEASE_US) for _ in range(2)))
    claimed = sorted([*first, *second], key=lambda delivery: delivery.channel)
    assert [(each.notice, each.channel, each.attempts) for each in claimed] == [
        (notice(), "email", 1),
        (notice(), "webhook", 1),
    ]
    assert await store.outbox.claim(limit=10, lease_us=LEASE_US) == []


async def test_many_workers_that_notice_announce_once(store: Store) -> None:
    """At the same moment or later, delivered or not."""
    await asyncio.gather(*(store.outbox.announce([notice("e2"), notice("e1")], ["email"]) for _ in range(4)))
    claimed = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    assert sorted(each.notice.event_id for each in claimed) == ["e1", "e2"]
    for each in claimed:
        await store.outbox.delivered(each)
    await store.outbox.announce([notice()], ["email"])
    assert await store.outbox.claim(limit=10, lease_us=LEASE_US) == []


async def test_what_was_not_taken_is_due_again(store: Store, clock: ManualClock) -> None:
    """After its pause; where its worker died in between, after the lease."""
    await store.outbox.announce([notice()], ["email"])
    [first] = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    await store.outbox.postpone(first, 5_000_000, "it was away")
    clock.advance(4.9)
    assert await store.outbox.claim(limit=10, lease_us=LEASE_US) == []
    clock.advance(0.1)
    [second] = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    assert second.attempts == 2
    clock.advance(30)
    [third] = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    assert third.attempts == 3


async def test_the_oldest_come_first(store: Store, clock: ManualClock) -> None:
    """No more than were asked for."""
    for event_id in ("c", "a", "b"):
        await store.outbox.announce([notice(event_id)], ["email"])
        clock.advance(1)
    claimed = await store.outbox.claim(limit=2, lease_us=LEASE_US)
    assert [each.notice.event_id for each in claimed] == ["c", "a"]


async def test_old_notices_are_forgotten_in_the_end(store: Store, clock: ManualClock) -> None:
    """Taken or not: of a channel that is gone for so long nobody expects any more."""
    await store.outbox.announce([notice("taken"), notice("waits")], ["email"])
    for each in await store.outbox.claim(limit=10, lease_us=LEASE_US):
        if each.notice.event_id == "taken":
            await store.outbox.delivered(each)
    clock.advance(KEPT_US / 1e6 - 1)
    await store.outbox.sweep()
    await store.outbox.announce([notice("taken"), notice("new")], ["email"])
    clock.advance(2)
    await store.outbox.sweep()
    claimed = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    assert [each.notice.event_id for each in claimed] == ["new"]
    await store.outbox.announce([notice("taken")], ["email"])
    [again] = await store.outbox.claim(limit=10, lease_us=LEASE_US)
    assert again.notice.event_id == "taken"


async def test_what_is_dropped_is_as_if_it_had_not_been_announced(store: Store, clock: ManualClock) -> None:
    """On that channel; it may be announced there again."""
    await store.outbox.announce([notice()], ["email", "webhook"])
    first, _ = sorted(await store.outbox.claim(limit=10, lease_us=LEASE_US), key=lambda one: one.channel)
    await store.outbox.drop(first)
    clock.advance(30)
    assert [one.channel for one in await store.outbox.claim(limit=10, lease_us=LEASE_US)] == ["webhook"]
    await store.outbox.announce([notice()], ["email", "webhook"])
    assert [one.channel for one in await store.outbox.claim(limit=10, lease_us=LEASE_US)] == ["email"]


async def test_it_tells_how_each_delivery_stands(store: Store, clock: ManualClock) -> None:
    """The newest first: announced, tried in vain, taken; reports wait apart from alerts."""
    outbox, began_us = store.report_outbox, clock.now_us()
    await outbox.announce([notice("old")], ["email", "webhook"])
    clock.advance(1)
    await outbox.announce([notice("new")], ["email"])
    email, webhook, *_ = sorted(await outbox.claim(limit=2, lease_us=LEASE_US), key=lambda one: one.channel)
    await outbox.postpone(email, 5_000_000, "it was away")
    await outbox.postpone(webhook, 0, "it was away")
    await outbox.delivered(webhook)
    told = [
        (one.notice.event_id, one.channel, one.announced_us, one.attempts, one.due_us, one.delivered_us, one.failure)
        for one in await outbox.track(None, 10)
    ]
    later_us = began_us + 1_000_000
    assert told == [
        ("new", "email", later_us, 0, later_us, None, None),
        ("old", "email", began_us, 1, later_us + 5_000_000, None, "it was away"),
        ("old", "webhook", began_us, 1, later_us, later_us, None),
    ]
    assert [one.notice.event_id for one in await outbox.track(None, 1)] == ["new"]
    assert await store.outbox.track(None, 10) == []


async def test_it_tells_a_tenants_own(store: Store) -> None:
    """However many of others were announced later."""
    for tenant in ("acme", "other"):
        await store.report_outbox.announce([replace(notice(tenant), data={"tenant": tenant})], ["email"])
    assert [one.notice.event_id for one in await store.report_outbox.track("acme", 1)] == ["acme"]
