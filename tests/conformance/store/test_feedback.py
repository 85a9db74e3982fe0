"""Votes and ratings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import NotFound
from farthing.domain.exchange import Exchange
from farthing.ports import Verdict
from farthing.ports.learning import Lesson, Opinions
from farthing.store import Store
from tests.conformance.store.samples import NOON_US, answer, exchange


async def vote(store: Store, rating: int, principal: str | None = None, key: str = "aa") -> Verdict:
    """One vote of `acme`."""
    return await store.feedback.vote(key, rating, tenant="acme", principal=principal)  # type: ignore[arg-type]


def noted(one: Exchange, question: str) -> Lesson:
    """The question of a request."""
    return Lesson(
        request_id=one.request_id,
        created_at_us=one.created_at_us,
        tenant=one.tenant,
        model="small",
        prompt=question,
        cost=one.cost,
    )


@pytest.fixture
async def kept(store: Store) -> Store:
    """A store that keeps one answer under `aa`."""
    await store.cache_level.put("aa", answer())
    return store


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([1], Verdict(1.0, 1)),
        ([0], Verdict(0.5, 1)),
        ([-1, -1], Verdict(0.0, 2)),
        ([-1, -1, 1], Verdict(1 / 3, 3)),
        ([-1, -1, 0], Verdict(1 / 6, 3, invalidated=True)),
        ([1, -1, -1, -1], Verdict(0.25, 4, invalidated=True)),
        ([-1, -1, -1, 1, 1, 1], Verdict(0.5, 6, invalidated=True)),
    ],
)
async def test_votes_decide(kept: Store, ratings: list[int], expected: Verdict) -> None:
    """From three votes on a score under 0.3 ends an answer, and nothing brings it back."""
    verdict = [await vote(kept, rating) for rating in ratings][-1]
    assert verdict.quality_score == pytest.approx(expected.quality_score)
    assert (verdict.votes, verdict.invalidated) == (expected.votes, expected.invalidated)
    assert (await kept.cache_level.get("aa") is None) == expected.invalidated
    assert await kept.feedback.tombstones() == ({"aa"} if expected.invalidated else set())


async def test_a_known_principal_has_one_vote(kept: Store) -> None:
    """Voting again changes the mind, not the count; somebody else's vote is another."""
    verdicts = [await vote(kept, -1, principal="ann") for _ in range(5)]
    assert verdicts == [Verdict(0.0, 1)] * 5
    assert await vote(kept, 1, principal="ann") == Verdict(1.0, 1)
    assert await vote(kept, -1, principal="bob") == Verdict(0.5, 2)


async def test_a_vote_that_decides_ends_an_answer(kept: Store) -> None:
    """Only where it is against it, and whatever others think; it stands beside theirs."""
    await vote(kept, 1, principal="ann")
    verdicts = [
        await kept.feedback.vote("aa", 1, tenant="acme", principal="bob", decides=True),
        await kept.feedback.vote("aa", 0, tenant="acme", principal="bob", decides=True),
        await kept.feedback.vote("aa", -1, tenant="acme", principal="bob", decides=True),
    ]
    assert verdicts == [Verdict(1.0, 2), Verdict(0.75, 2), Verdict(0.5, 2, invalidated=True)]
    assert await kept.cache_level.get("aa") is None
    assert await kept.feedback.tombstones() == {"aa"}


async def test_votes_at_once_all_count(kept: Store) -> None:
    """No vote is lost to another that came at the same moment."""
    verdicts = await asyncio.gather(*(vote(kept, -1, principal=f"p{number}") for number in range(4)))
    assert sorted(verdict.votes for verdict in verdicts) == [1, 2, 3, 4]
    assert await kept.feedback.tombstones() == {"aa"}


async def test_votes_on_an_earlier_answer_do_not_count(kept: Store, clock: ManualClock) -> None:
    """A new answer to the same question starts afresh."""
    await vote(kept, -1)
    await vote(kept, -1)
    clock.advance(1)
    await kept.cache_level.put("aa", answer(created_at_us=clock.now_us()))
    assert await vote(kept, -1) == Verdict(0.0, 1)


async def test_a_vote_needs_an_answer_of_ones_own(kept: Store) -> None:
    """Unknown keys and other tenants' answers are not found; an administrator's vote counts everywhere."""
    with pytest.raises(NotFound):
        await vote(kept, 1, key="bb")
    with pytest.raises(NotFound):
        await kept.feedback.vote("aa", 1, tenant="bolt", principal=None)
    assert await kept.feedback.vote("aa", 1, tenant=None, principal="admin") == Verdict(1.0, 1)


async def test_an_answer_that_is_still_waiting_can_be_voted_on(store: Store) -> None:
    """What was put a moment ago is written before the vote is counted."""
    async with store.cache_level._writing:
        put = asyncio.ensure_future(store.cache_level.put("aa", answer()))
        await asyncio.sleep(0)
        put.cancel()
    assert await vote(store, 1) == Verdict(1.0, 1)


async def test_ratings_of_a_request(store: Store) -> None:
    """Grades 1 to 5 become 0 to 1; a principal's last rating counts."""
    one = exchange()
    await store.ingest.write([one])

    async def rate(grade: int, principal: str | None) -> Verdict:
        details = {"is_correct": True, "comment": "fine"}
        return await store.feedback.rate(
            one.request_id,
            grade,
            tenant="acme",
            principal=principal,
            details=details,  # type: ignore[arg-type]
        )

    assert await rate(1, "ann") == Verdict(0.0, 1)
    assert await rate(5, "ann") == Verdict(1.0, 1)
    assert await rate(3, None) == Verdict(0.75, 2)
    assert await rate(3, None) == Verdict(pytest.approx(2 / 3), 3)  # type: ignore[arg-type]


async def test_only_people_are_counted_as_people(store: Store) -> None:
    """A judge's opinion and one that was told from a question asked again stand apart, each once."""
    one = exchange()
    await store.ingest.write([one])
    alike: dict[str, Any] = {"tenant": "acme"}
    assert await store.feedback.rate(one.request_id, 5, principal=None, **alike) == Verdict(1.0, 1)
    for grade in (2, 1.5):
        judged = await store.feedback.rate(one.request_id, grade, principal="judge:large", source="judge", **alike)
        assert judged == Verdict(1.0, 1)
    await store.feedback.rate(one.request_id, 2, principal="implicit", source="implicit", **alike)
    stats = await store.queries.quality_stats("acme")
    assert stats["by_model"] == [{"name": "small", "quality": 1.0, "votes": 1}]
    assert stats["by_source"] == [
        {"name": "explicit", "quality": 1.0, "votes": 1},
        {"name": "implicit", "quality": 0.25, "votes": 1},
        {"name": "judge", "quality": 0.125, "votes": 1},
    ]
    assert await store.lessons.opinions(0, 2 * NOON_US) == Opinions(1, 1.0, 0.0)
    performance = (await store.queries.routing_metrics("acme"))["strategy_performance"]
    assert performance["complexity"]["avg_quality"] == 1.0


@pytest.mark.parametrize(
    ("decision", "question", "pattern"),
    [
        ({"metadata": {"pattern": "code"}}, "Write a poem.", "code"),
        ({"metadata": {"words": 3}}, "Write a poem.", "creative"),
        ({"metadata": {"words": 3}}, None, "reasoning"),
        (None, "", None),
    ],
)
async def test_a_rating_knows_what_kind_of_question_it_is_about(
    store: Store, decision: dict[str, Any] | None, question: str | None, pattern: str | None
) -> None:
    """As the decision has it, else as the question reads that was noted, or that was kept with its answer."""
    one = exchange(decision=decision, cache_key=None if question == "" else "aa")
    await store.ingest.write([one])
    if question:
        await store.lessons.keep([noted(one, question)])
    if question != "":
        await store.cache_level.put("aa", answer(prompt="Prove the theorem."))
    await store.feedback.rate(one.request_id, 5, tenant="acme", principal=None)
    stats = await store.queries.quality_stats("acme")
    assert [found["name"] for found in stats["by_pattern"]] == ([] if pattern is None else [pattern])


@pytest.mark.parametrize("tenant", ["bolt", "acme"])
async def test_only_requests_of_ones_own_are_rated(store: Store, tenant: str) -> None:
    """Neither another tenant's request nor one that does not exist."""
    one, unwritten = exchange(), exchange()
    await store.ingest.write([one])
    request_id = one.request_id if tenant == "bolt" else unwritten.request_id
    with pytest.raises(NotFound):
        await store.feedback.rate(request_id, 5, tenant=tenant, principal=None)


async def test_quality_stats(store: Store) -> None:
    """Quality by provider, model and pattern; the best, worst and invalidated answers."""
    for key, prompt in (("aa", "good"), ("bb", "bad"), ("cc", "voted down")):
        await store.cache_level.put(key, answer(prompt=prompt))
    await store.cache_level.put("dd", answer(tenant="bolt", model="large"))
    await vote(store, 1)
    await vote(store, -1, key="bb")
    for _ in range(3):
        await vote(store, -1, key="cc")
    await store.feedback.vote("dd", 1, tenant="bolt", principal=None)
    stats = await store.queries.quality_stats("acme")
    expected = {"name": "small", "quality": 0.2, "votes": 5}
    assert stats["by_model"] == [expected]
    assert stats["by_provider"] == [{**expected, "name": "openai"}]
    assert stats["by_pattern"] == [{**expected, "name": "general"}]
    assert stats["by_source"] == [{**expected, "name": "explicit"}]
    assert [found["prompt"] for found in stats["best"]] == ["good", "bad"]
    assert [found["prompt"] for found in stats["worst"]] == ["bad", "good"]
    assert stats["invalidated"] == [
        {
            "cache_key": "cc",
            "prompt": "voted down",
            "provider": "openai",
            "model": "small",
            "quality": 0.0,
            "votes": 3,
        }
    ]
    assert [row["name"] for row in (await store.queries.quality_stats(None))["by_model"]] == ["large", "small"]


async def test_a_comment_that_cannot_be_stored_loses_only_what_is_broken(kept: Store) -> None:
    """NUL has no place in PostgreSQL's text."""
    verdict = await kept.feedback.vote("aa", 1, tenant="acme", principal=None, comment="a\x00b\ud800")
    assert verdict == Verdict(1.0, 1)
