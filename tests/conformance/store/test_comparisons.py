"""Pairs of answers to the same question, on every database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from farthing.background.clock import ManualClock
from farthing.ports.learning import Graded, Pair
from farthing.store import Store
from tests.conformance.store.samples import DAY_US, MINUTE_US, NOON_US, exchange


def pair(number: int, **changes: Any) -> Pair:
    """A pair of that number, asked so many minutes after noon."""
    fields: dict[str, Any] = {
        "request_id": f"019adb00-0000-7000-8000-{number:012}",
        "other_request_id": f"019adb00-0000-7000-9000-{number:012}",
        "created_at_us": NOON_US + number * MINUTE_US,
        "tenant": "acme",
        "pattern": "code",
        "served_model": "small",
        "other_model": "large",
        "baseline_model": "large",
        "served_quality": 0.625,
        "other_quality": 0.75,
        "rule": "support",
        "short": 0.02,
        "cost": 5_000,
    }
    return Pair(**{**fields, **changes})


async def pairs(store: Store, *, since_us: int = 0, limit: int = 10) -> Sequence[Pair]:
    """Those of one rule's promise."""
    return await store.comparisons.pairs("support", "large", since_us=since_us, limit=limit)


async def test_pairs_under_a_promise_come_back_as_they_were_kept(store: Store) -> None:
    """The newest first, of one rule and one baseline, from a moment on, and not more than were asked for."""
    first, second = pair(1), pair(2, cost=None)
    others = pair(3, rule="sales"), pair(4, baseline_model="huge"), pair(5, short=None), pair(6, rule="", short=None)
    for each in (first, *others, second):
        await store.comparisons.keep(each)
    assert await pairs(store) == [second, first]
    assert await pairs(store, since_us=second.created_at_us) == [second]
    assert await pairs(store, limit=1) == [second]


async def test_a_pair_is_kept_once(store: Store) -> None:
    """What was written down first stays."""
    await store.comparisons.keep(pair(1))
    await store.comparisons.keep(pair(1, served_quality=0.0))
    assert await pairs(store) == [pair(1)]


async def test_pairs_are_kept_as_long_as_questions(store: Store, clock: ManualClock) -> None:
    """Ninety days."""
    await store.comparisons.keep(pair(1, created_at_us=clock.now_us() - 91 * DAY_US))
    await store.comparisons.keep(pair(2, created_at_us=clock.now_us() - 89 * DAY_US))
    assert await store.comparisons.sweep() == 1
    assert [each.request_id for each in await pairs(store)] == [pair(2).request_id]


async def test_grades_stand_beside_what_people_said(store: Store) -> None:
    """Of the answers that were served, the oldest first; a judge is no person."""
    pairs = pair(1), pair(2, served_model="large", served_quality=1.0)
    await store.ingest.write([exchange(request_id=each.request_id) for each in pairs])
    for each in pairs[::-1]:
        await store.comparisons.keep(each)
    for grade, by, source in ((4, "ada", "explicit"), (5, "bob", "explicit"), (1, "judge:huge", "judge")):
        await store.feedback.rate(pairs[0].request_id, grade, tenant=None, principal=by, source=source)  # type: ignore[arg-type]
    pairs_now = await store.comparisons.pairs("support", "large", since_us=0, limit=9)
    assert [each.told for each in pairs_now] == [None, 0.875]
    assert await store.comparisons.graded() == [Graded("small", 0.625, 0.875), Graded("large", 1.0, None)]
