"""Routed requests with their questions and ratings, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from farthing.background.clock import ManualClock
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt
from farthing.ports import Stretch
from farthing.ports.learning import Lesson
from farthing.ports.replay import Decided
from farthing.store import Store
from farthing.store.queries import replay as module
from tests.conformance.store.samples import MINUTE_US, NOON_US, answer, exchange

ALWAYS = Stretch(0, NOON_US * 2)


def its_id(number: int) -> str:
    """Of the request of that number."""
    return f"019adb00-0000-7000-8000-{number:012}"


async def bought(store: Store, number: int, *, prompt: str | None = None, **changes: Any) -> None:
    """A request so many minutes after noon, and its question where that is kept."""
    fields = {"created_at_us": NOON_US + number * MINUTE_US, "cache_key": f"key-{number}"}
    row = exchange(request_id=its_id(number), **fields | changes)
    await store.ingest.write([row])
    if prompt is not None:
        lesson = Lesson(
            request_id=row.request_id,
            created_at_us=row.created_at_us,
            tenant=row.tenant,
            model=row.model or "",
            prompt=prompt,
            cost=row.cost,
            cache_key=row.cache_key,
        )
        await store.lessons.keep([lesson])


async def found(
    store: Store, *, tenant: str | None = None, stretch: Stretch = ALWAYS, limit: int = 10
) -> list[Decided]:
    """All of them."""
    return [row async for page in store.queries.decided(tenant, stretch, limit=limit) for row in page]


async def test_a_request_is_told_as_it_was_decided(store: Store, clock: ManualClock) -> None:
    """With its question and the mean of its ratings."""
    await bought(
        store, 1, prompt="Who?", usage=Usage(prompt=3, completion=4), decision={"metadata": {"pattern": "code"}}
    )
    clock.advance(3_600)
    for by, grade in (("ann", 5), ("bob", 2)):
        await store.feedback.rate(its_id(1), grade, tenant=None, principal=by)
    (row,) = await found(store)
    assert row == Decided(
        created_at_us=NOON_US + MINUTE_US,
        model="small",
        strategy="complexity",
        tier="simple",
        score=0.125,
        decision={"metadata": {"pattern": "code"}},
        is_first=True,
        usage=Usage(prompt=3, completion=4),
        cost=300,
        prompt="Who?",
        rating=0.625,
        rated_us=clock.now_us(),
    )


async def test_what_nobody_decided_is_left_out(store: Store) -> None:
    """Models asked by name, answers that were kept or broke, and what the gateway asks for itself."""
    await bought(store, 1, strategy="passthrough")
    await bought(store, 2, strategy="shadow")
    await bought(store, 3, status="cached")
    await bought(store, 4, status="error", model=None)
    await bought(store, 5, strategy="hybrid", decision=None, attempts=())
    (row,) = await found(store)
    assert (row.strategy, row.decision, row.prompt, row.rating, row.is_first) == ("hybrid", {}, None, None, True)


async def test_another_try_is_told(store: Store) -> None:
    """The model that answered is not the one that was drawn."""
    tries = [
        Attempt(model="large", provider="openai", error="timeout", charge=UNSET),
        Attempt(model="small", provider="p"),
    ]
    await bought(store, 1, attempts=tuple(tries))
    (row,) = await found(store)
    assert not row.is_first


async def test_a_vote_on_the_kept_answer_counts(store: Store, clock: ManualClock) -> None:
    """For the request that bought it."""
    await bought(store, 1, prompt="Who?")
    await store.cache_level.put("key-1", answer(model="small", created_at_us=NOON_US + MINUTE_US))
    clock.advance(3_600)
    await store.feedback.vote("key-1", -1, tenant=None, principal="ann")
    assert [row.rating for row in await found(store)] == [0.0]


async def test_people_are_believed_before_a_judge(store: Store) -> None:
    """A judge before nobody; what people only seem to think not at all."""
    for number in (1, 2, 3):
        await bought(store, number)
    await store.feedback.rate(its_id(1), 1, tenant=None, principal="judge:big", source="judge")
    await store.feedback.rate(its_id(1), 5, tenant=None, principal="ann")
    await store.feedback.rate(its_id(2), 1, tenant=None, principal="judge:big", source="judge")
    await store.feedback.rate(its_id(3), 1, tenant=None, principal=None, source="implicit")
    assert [row.rating for row in await found(store)] == [None, 0.0, 1.0]


async def test_the_newest_come_first_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tenant and the time that are asked for, and no more than are asked for."""
    for number in range(1, 8):
        await bought(store, number, tenant="other" if number == 4 else "acme", prompt=str(number))
    monkeypatch.setattr(module, "PAGE", 2)

    async def told(**wanted: Any) -> list[str | None]:
        return [row.prompt for row in await found(store, **wanted)]

    assert await told() == ["7", "6", "5", "4", "3", "2", "1"]
    assert await told(tenant="acme", limit=4) == ["7", "6", "5", "3"]
    assert await told(stretch=Stretch(NOON_US + 2 * MINUTE_US, NOON_US + 5 * MINUTE_US)) == ["4", "3", "2"]
    assert await told(stretch=Stretch(), limit=1) == ["7"]
