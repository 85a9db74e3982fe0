"""Questions that were answered, joined with what people thought of the answers, on every database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.routing.weighing import Tried
from farthing.ports.learning import Finding, Lesson, Opinions, Pair, Rated
from farthing.store import Store, deleting
from farthing.store.learning import lessons as module
from tests.conformance.store.samples import DAY_US, MINUTE_US, NOON_US, answer, exchange

MILLIDOLLAR = 1_000_000


def lesson(number: int, **changes: Any) -> Lesson:
    """A question of that number, asked so many minutes after noon."""
    fields: dict[str, Any] = {
        "request_id": f"019adb00-0000-7000-8000-{number:012}",
        "created_at_us": NOON_US + number * MINUTE_US,
        "tenant": "acme",
        "model": "small",
        "prompt": f"Question {number}?",
        "cost": MILLIDOLLAR,
        "cache_key": f"key-{number}",
    }
    return Lesson(**{**fields, **changes})


async def bought(store: Store, *lessons: Lesson) -> None:
    """Requests in the ledger, their answers and their questions."""
    rows = [
        exchange(
            request_id=each.request_id, created_at_us=each.created_at_us, model=each.model, cache_key=each.cache_key
        )
        for each in lessons
    ]
    await store.ingest.write([*rows])
    for each in lessons:
        await store.cache_level.put(str(each.cache_key), answer(model=each.model, created_at_us=each.created_at_us))
    await store.lessons.keep(lessons)


async def rate(store: Store, each: Lesson, grade: Any, *, by: str | None = None, **details: Any) -> None:
    """Somebody's opinion of the answer."""
    await store.feedback.rate(each.request_id, grade, tenant=None, principal=by, details=details)  # type: ignore[arg-type]


async def test_a_rated_answer_teaches_and_others_do_not(store: Store, clock: ManualClock) -> None:
    """Its question, its model, its cost in dollars, and how good it was, from 0 to 1."""
    first, second = lesson(1), lesson(2)
    await bought(store, first, second)
    clock.advance(3_600)
    await rate(store, first, 4)
    assert await store.lessons.rated() == [Rated("Question 1?", "small", 0.75, 0.001, clock.now_us())]
    assert await store.lessons.counts() == {"small": 1}


async def test_a_later_rating_takes_the_place_of_all_that_was_said_before(store: Store) -> None:
    """Who told that an answer helps, and then only that it is bad, does not mean both."""
    one = lesson(1)
    await bought(store, one)
    await rate(store, one, 5, by="ann", is_correct=True, is_helpful=True)
    await rate(store, one, 1, by="ann", is_correct=False)
    assert [found.quality for found in await store.lessons.rated()] == [0.0]


async def test_all_opinions_of_one_answer_count_alike(store: Store, clock: ManualClock) -> None:
    """Each is the mean of grade, correctness and helpfulness; a vote on the kept answer is one as well."""
    one = lesson(1)
    await bought(store, one)
    clock.advance(3_600)
    await rate(store, one, 5, by="ann", is_correct=True, is_helpful=False)
    await rate(store, one, 3, by="bob", is_correct=False)
    await store.feedback.vote("key-1", 1, tenant=None, principal="cat")
    (found,) = await store.lessons.rated()
    assert found.quality == pytest.approx((2 / 3 + 0.25 + 1) / 3)
    assert await store.lessons.counts() == {"small": 1}


async def mark(store: Store, each: Lesson, grade: float, *, source: Any, by: str) -> None:
    """What was not said by a person."""
    await store.feedback.rate(each.request_id, grade, tenant=None, principal=by, source=source)


async def test_people_are_believed_before_a_judge_and_both_before_a_question_asked_again(
    store: Store, clock: ManualClock
) -> None:
    """Of each answer the best who judged it count alone; one whose question was only asked again is not rated."""
    marked, judged, said = (lesson(number) for number in (1, 2, 3))
    await bought(store, marked, judged, said)
    clock.advance(3_600)
    for each in (marked, judged, said):
        await mark(store, each, 2, source="implicit", by="implicit")
    for each in (judged, said):
        await mark(store, each, 3.5, source="judge", by="judge:large")
    await rate(store, said, 5)
    found = [(each.source, each.quality) for each in await store.lessons.rated()]
    assert found == [("implicit", 0.25), ("judge", 0.625), ("explicit", 1.0)]
    assert await store.lessons.counts() == {"small": 2}


def gave_way(number: int, **changes: Any) -> Lesson:
    """A question that the large model answered, after a check of what the small one had said."""
    found = Finding(
        model="small", check="agreement", score=0.0, expected=0.5, belief=0.25, is_served=False, cost=MILLIDOLLAR // 10
    )
    return lesson(number, model="large", checked=replace(found, **changes))


async def judge(store: Store, each: Lesson, *, served: float, first: float) -> None:
    """What a judge made of both answers of one request."""
    pair = Pair(
        request_id=each.request_id,
        other_request_id=each.request_id,
        created_at_us=each.created_at_us,
        tenant="acme",
        pattern="factual",
        served_model="large",
        other_model="small",
        baseline_model="large",
        served_quality=served,
        other_quality=first,
        cost=1,
    )
    await store.comparisons.keep(pair)
    await mark(store, each, 1 + 4 * served, source="judge", by="judge:huge")


async def test_where_an_answer_gave_way_the_rating_of_the_other_also_tells_of_it(
    store: Store, clock: ManualClock
) -> None:
    """As good as its check left it, or as a judge found it: those that passed are not all there were."""
    passed = lesson(1, checked=replace(gave_way(1).checked, score=1.0, belief=0.75, is_served=True))  # type: ignore[type-var]
    guessed, judged, marked, unrated = (gave_way(number) for number in (2, 3, 4, 5))
    await bought(store, passed, guessed, judged, marked, unrated)
    clock.advance(3_600)
    since_us = clock.now_us() - 1
    await rate(store, passed, 5)
    await rate(store, guessed, 4)
    await judge(store, judged, served=1.0, first=0.125)
    await mark(store, marked, 2, source="implicit", by="implicit")
    now_us = clock.now_us()
    assert await store.lessons.rated() == [
        Rated("Question 1?", "small", 1.0, 0.001, now_us),
        Rated("Question 2?", "large", 0.75, 0.001, now_us),
        Rated("Question 2?", "small", 0.25, 0.0001, now_us, is_guess=True),
        Rated("Question 3?", "large", 1.0, 0.001, now_us, "judge"),
        Rated("Question 3?", "small", 0.125, 0.0001, now_us, "judge"),
        Rated("Question 4?", "large", 0.25, 0.001, now_us, "implicit"),
    ]
    found = await store.lessons.ratings(after=0, since_us=since_us)
    assert [(each.prompt[9], each.model, each.quality) for each in found] == [
        ("1", "small", 1.0),
        ("2", "large", 0.75),
        ("2", "small", 0.25),
        ("3", "large", 1.0),
        ("3", "small", 0.125),
    ]
    assert await store.lessons.ratings(after=found[-1].id, since_us=since_us) == []
    assert await store.lessons.counts() == {"small": 2, "large": 2}


async def test_a_judge_also_tells_of_an_answer_that_could_not_be_checked(store: Store, clock: ManualClock) -> None:
    """What it has cost alone is not known any more."""
    unchecked = lesson(1, model="large")
    await bought(store, unchecked)
    clock.advance(3_600)
    await judge(store, unchecked, served=1.0, first=0.125)
    now_us = clock.now_us()
    assert await store.lessons.rated() == [
        Rated("Question 1?", "large", 1.0, 0.001, now_us, "judge"),
        Rated("Question 1?", "small", 0.125, None, now_us, "judge"),
    ]
    found = await store.lessons.ratings(after=0, since_us=now_us - 1)
    assert [(each.model, each.quality) for each in found] == [("large", 1.0), ("small", 0.125)]
    assert await store.lessons.counts() == {"large": 1, "small": 1}
    assert await store.lessons.tried() == []


async def test_checked_answers_tell_how_good_they_were(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people say of those that were served, what a judge says of those that gave way; the newest opinions."""
    served = replace(gave_way(1).checked, score=1.0, is_served=True)  # type: ignore[type-var]
    passed, judged, unjudged, unrated = lesson(1, checked=served), gave_way(2), gave_way(3), gave_way(4)
    await bought(store, passed, judged, unjudged, unrated, lesson(5))
    await rate(store, passed, 5, by="ann")
    await rate(store, passed, 4, by="bob")
    await judge(store, judged, served=1.0, first=0.125)
    await rate(store, unjudged, 5)
    await mark(store, unrated, 2, source="implicit", by="implicit")
    await rate(store, lesson(5), 5)
    facts: dict[str, Any] = {"model": "small", "check": "agreement", "expected": 0.5}
    tried = [Tried(score=0.0, quality=0.125, **facts), Tried(score=1.0, quality=0.875, **facts)]
    assert await store.lessons.tried() == tried
    monkeypatch.setattr(module, "MOST_TRIED", 2)
    assert await store.lessons.tried() == tried[:1]


async def test_checked_answers_are_read_while_a_long_analysis_runs(store: Store) -> None:
    """Whoever waits for them could not tell meanwhile which keys are revoked."""
    async with store._engines.reading("analysis") as connection:
        await connection.execute(sa.select(1))
        async with asyncio.timeout(5):
            assert await store.lessons.tried() == []


async def test_what_somebody_has_asked_is_found(store: Store) -> None:
    """From a moment on, by session or user, as it was noted."""
    known = {"asker": "user a\x00nn", "context": "c", "checked": gave_way(1).checked}
    before, since = (lesson(number, answered_us=NOON_US + number * MINUTE_US, **known) for number in (1, 2))
    await store.lessons.keep([before, since, lesson(3, asker="user bob", answered_us=since.answered_us), lesson(4)])
    found = await store.lessons.asked(["user a\x00nn", "session s"], NOON_US + 2 * MINUTE_US)
    assert found == [replace(since, asker="user a\ufffdnn")]


async def test_a_vote_is_for_the_model_that_answered(store: Store, clock: ManualClock) -> None:
    """Of two answers that were kept under one key one after the other, the vote judges the second."""
    before, after = lesson(1, cache_key="same"), lesson(2, cache_key="same", model="large")
    await bought(store, before, after)
    clock.advance(3_600)
    await store.feedback.vote("same", -1, tenant=None, principal="ann")
    assert [(each.model, each.quality) for each in await store.lessons.rated()] == [("large", 0.0)]


async def test_who_was_served_a_kept_answer_judges_whoever_gave_it(store: Store, clock: ManualClock) -> None:
    """The request that is rated bought nothing; the one that did is what is learned from."""
    await bought(store, lesson(1), lesson(2))
    served = exchange(status="cached", model="small", cache_key="key-1", created_at_us=NOON_US + 5 * MINUTE_US)
    await store.ingest.write([served])
    clock.advance(3_600)
    await store.feedback.rate(served.request_id, 2, tenant=None, principal="ann")
    assert [(each.prompt, each.quality) for each in await store.lessons.rated()] == [("Question 1?", 0.25)]
    assert await store.lessons.counts() == {"small": 1}


async def test_an_unpriced_answer_teaches_quality_alone(store: Store, clock: ManualClock) -> None:
    """Unknown is never 0; characters that no column takes are replaced."""
    odd = lesson(1, cost=None, prompt="a\x00b")
    await bought(store, odd)
    clock.advance(3_600)
    await rate(store, odd, 1)
    assert await store.lessons.rated() == [Rated("a\ufffdb", "small", 0.0, None, clock.now_us())]


async def test_the_newest_are_learned_from(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were asked."""
    monkeypatch.setattr(module, "MOST_RATED", 2)
    asked = [lesson(number) for number in (3, 1, 2)]
    await bought(store, *asked)
    for each in asked:
        await rate(store, each, 5)
    assert [each.prompt for each in await store.lessons.rated()] == ["Question 2?", "Question 3?"]


async def test_a_lesson_is_kept_once(store: Store) -> None:
    """Whoever writes it again, after an outage, changes nothing; nothing to write is not written."""
    await store.lessons.keep([])
    await store.lessons.keep([lesson(1)])
    await store.lessons.keep([lesson(1, prompt="Another?"), lesson(2)])
    assert await store.lessons.sweep(keep_prompts=False) == 2


async def test_old_questions_are_forgotten(store: Store, clock: ManualClock) -> None:
    """After ninety days, rated or not."""
    await bought(store, lesson(1), lesson(2))
    await rate(store, lesson(1), 5)
    clock.advance(90 * 86_400 + 60)
    assert await store.lessons.sweep(keep_prompts=True) == 0
    clock.advance(60)
    assert await store.lessons.sweep(keep_prompts=True) == 1
    assert await store.lessons.rated() == []


async def test_of_too_many_those_stay_that_were_rated(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the newest."""
    monkeypatch.setattr(module, "MOST_UNRATED", 2)
    monkeypatch.setattr(deleting, "CHUNK", 1)
    await bought(store, *(lesson(number) for number in range(6)))
    clock.advance(3_600)
    await rate(store, lesson(0), 5)
    await store.feedback.vote("key-1", 1, tenant=None, principal="ann")
    assert await store.lessons.sweep(keep_prompts=True) == 2
    for number in (4, 5):
        await rate(store, lesson(number), 1)
    assert [each.prompt[9] for each in await store.lessons.rated()] == ["0", "1", "4", "5"]


async def test_nothing_is_kept_of_those_who_do_not_want_it(store: Store) -> None:
    """Switching it off deletes what is there."""
    await bought(store, lesson(1))
    await rate(store, lesson(1), 5)
    assert await store.lessons.sweep(keep_prompts=False) == 1
    assert await store.lessons.counts() == {}


async def test_opinions_of_a_time_are_summed(store: Store, clock: ManualClock) -> None:
    """The first moment counts, the last does not; without any there is nothing to tell."""
    await bought(store, lesson(1), lesson(2), lesson(3))
    await rate(store, lesson(1), 1)
    await rate(store, lesson(2), 5)
    clock.advance(86_400)
    await rate(store, lesson(3), 3)
    assert await store.lessons.opinions(NOON_US, NOON_US + DAY_US) == Opinions(2, 0.5, 0.25)
    assert await store.lessons.opinions(NOON_US + DAY_US, NOON_US + DAY_US + 1) == Opinions(1, 0.5, 0.0)
    assert await store.lessons.opinions(NOON_US + DAY_US + 1, NOON_US + 2 * DAY_US) == Opinions(0, 0.0, 0.0)


async def test_ratings_are_followed_in_the_order_in_which_they_came(store: Store, clock: ManualClock) -> None:
    """Each once; of a question that was not kept, or of a kept answer, nothing can be learned at once."""
    first, second, gone = lesson(1), lesson(2, model="large"), lesson(3)
    await bought(store, first, second)
    await store.ingest.write([exchange(request_id=gone.request_id, created_at_us=gone.created_at_us)])
    clock.advance(3_600)
    since_us = clock.now_us()
    await rate(store, first, 1, by="early")
    clock.advance(1)
    await rate(store, second, 5, by="ann", is_correct=False)
    await rate(store, gone, 5, by="ann")
    await store.feedback.vote("key-1", 1, tenant=None, principal="ann")
    await rate(store, first, 2, by="ann")
    found = await store.lessons.ratings(after=0, since_us=since_us)
    told = [(each.prompt, each.model, each.quality) for each in found]
    assert [each for each in told if each[0]] == [("Question 2?", "large", 0.5), ("Question 1?", "small", 0.25)]
    assert [each.id for each in found] == sorted({each.id for each in found})
    assert await store.lessons.ratings(after=found[1].id, since_us=since_us) == found[2:]
    assert await store.lessons.ratings(after=found[-1].id, since_us=since_us) == []
