"""Votes on kept answers and ratings of requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from farthing.domain.ids import uuid7
from farthing.settings import Settings
from tests.servers.asgi import Client, running
from tests.unit.http.conftest import SECRETS

PROMPT = {"prompt": "What is Python?"}


async def ask(client: Client) -> dict[str, Any]:
    """The native route's answer, which is kept."""
    answer = await client.post("/complete", PROMPT)
    assert answer.status == 200
    body: dict[str, Any] = answer.json
    return body


async def vote(client: Client, cache_key: str, rating: int) -> dict[str, Any]:
    """What a vote is answered."""
    answer = await client.post("/feedback", {"cache_key": cache_key, "rating": rating})
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json
    return body


@pytest.mark.parametrize(
    ("ratings", "scores", "invalidated"),
    [
        ([-1, -1, -1], [0.0, 0.0, 0.0], True),
        ([-1, -1, 0], [0.0, 0.0, 1 / 6], True),
        ([-1, 1, -1], [0.0, 0.5, 1 / 3], False),
        ([0, 0, 0], [0.5, 0.5, 0.5], False),
        ([1, 1, 1], [1.0, 1.0, 1.0], False),
        ([1, -1, -1, -1], [1.0, 0.5, 1 / 3, 0.25], True),
        ([-1, -1], [0.0, 0.0], False),
    ],
)
async def test_from_three_votes_on_an_answer_most_dislike_is_never_served_again(
    open_client: Client, settings: Settings, ratings: list[int], scores: list[float], invalidated: bool
) -> None:
    """Under 0.3, and not before: neither from memory nor, by another process, from the database."""
    key = (await ask(open_client))["cache_key"]
    assert (await ask(open_client))["cache_hit"] is True
    verdicts = [await vote(open_client, key, rating) for rating in ratings]
    assert [verdict["quality_score"] for verdict in verdicts] == pytest.approx(scores)
    assert [verdict["invalidated"] for verdict in verdicts] == [False] * (len(ratings) - 1) + [invalidated]
    assert all(verdict["success"] and verdict["message"] for verdict in verdicts)
    assert (await ask(open_client))["cache_hit"] is not invalidated
    assert (await open_client.get("/cache/stats")).json["total_entries"] == (0 if invalidated else 1)
    async with running(settings) as other:
        assert (await ask(Client(other)))["cache_hit"] is not invalidated


async def test_one_key_has_one_vote(client: Client) -> None:
    """Its last one; three keys of the tenant are three votes."""
    key = (await ask(client.with_key(SECRETS.acme)))["cache_key"]
    for _ in range(3):
        assert (await vote(client.with_key(SECRETS.acme), key, -1))["invalidated"] is False
    assert (await vote(client.with_key(SECRETS.small_only), key, -1))["invalidated"] is False
    assert (await vote(client.with_key(SECRETS.admin), key, -1))["invalidated"] is True


async def test_another_tenants_answer_is_not_there(client: Client) -> None:
    """As if there were none, for votes as for ratings."""
    said = await ask(client.with_key(SECRETS.acme))
    stranger = client.with_key(SECRETS.other)
    for body in ({"cache_key": said["cache_key"], "rating": 1}, {"request_id": said["request_id"], "quality_score": 5}):
        answer = await stranger.post("/feedback", body)
        assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")
    assert (await stranger.post("/complete", PROMPT)).json["cache_hit"] is False


async def test_who_is_in_charge_removes_an_answer(client: Client) -> None:
    """It is bought anew, its key keeps nothing any more, and the vote tells who it was; again changes nothing."""
    caller, admin = client.with_key(SECRETS.acme), client.with_key(SECRETS.admin)
    key = (await ask(caller))["cache_key"]
    refused = await caller.get(f"/cache/{key}", method="DELETE")
    assert (refused.status, (await ask(caller))["cache_hit"]) == (403, True)
    for _ in range(2):
        answer = await admin.get(f"/cache/{key}", method="DELETE")
        assert (answer.status, answer.json) == (200, {"cache_key": key, "removed": True})
        assert (await ask(caller))["cache_hit"] is False
    quality = (await admin.get("/quality/stats")).json
    assert [(one["cache_key"], one["quality"], one["votes"]) for one in quality["invalidated"]] == [(key, 0.0, 1)]
    assert (await admin.get("/cache/never", method="DELETE")).json["error"]["code"] == "not_found"


@pytest.mark.parametrize("grade", [1, 2, 3, 4, 5])
async def test_a_rating_counts_right_after_the_answer(open_client: Client, grade: int) -> None:
    """Even if the row has not reached the database yet; 1 to 5 become 0 to 1."""
    request_id = (await ask(open_client))["request_id"]
    opinion = {"request_id": request_id, "quality_score": grade, "is_correct": True, "is_helpful": False}
    answer = await open_client.post("/feedback", {**opinion, "comment": "a\u2028b\x00"})
    assert (answer.status, answer.json["quality_score"], answer.json["invalidated"]) == (200, (grade - 1) / 4, False)
    quality = (await open_client.get("/quality/stats")).json
    assert quality["by_model"] == [{"name": "demo/small", "quality": (grade - 1) / 4, "votes": 1}]


async def test_a_rating_may_come_with_the_next_request(open_client: Client) -> None:
    """Which is answered as ever; the rating is there soon, and one of what is not there changes nothing."""
    request_id = (await ask(open_client))["request_id"]
    headers = [("x-farthing-feedback", f"{request_id}=2, never=5")]
    answer = await open_client.post("/complete", {"prompt": "And what is Ruby?"}, headers=headers)
    assert (answer.status, answer.json["cache_hit"]) == (200, False)
    until = time.monotonic() + 10
    while not (quality := (await open_client.get("/quality/stats")).json)["by_model"]:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    assert quality["by_model"] == [{"name": "demo/small", "quality": 0.25, "votes": 1}]
    assert quality["by_pattern"] == [{"name": "factual", "quality": 0.25, "votes": 1}]


@pytest.mark.parametrize(
    "body",
    [
        {"cache_key": "never", "rating": 1},
        {"cache_key": "0" * 64, "rating": -1},
        {"request_id": "never", "quality_score": 1},
        {"request_id": uuid7(1, 1), "quality_score": 1},
    ],
)
async def test_what_is_not_there_cannot_be_judged(open_client: Client, body: dict[str, Any]) -> None:
    """404, by the name of the field."""
    answer = await open_client.post("/feedback", body)
    assert (answer.status, answer.json["error"]["param"]) == (404, next(iter(body)))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "cache_key"),
        ({"rating": 1}, "cache_key"),
        ({"cache_key": "a", "request_id": "b", "rating": 1}, "cache_key"),
        ({"cache_key": "a"}, "rating"),
        ({"cache_key": "a", "quality_score": 5}, "rating"),
        ({"request_id": "a"}, "quality_score"),
        ({"request_id": "a", "rating": 1}, "quality_score"),
        ({"cache_key": "a", "rating": 2}, "rating"),
        ({"cache_key": "a" * 129, "rating": 1}, "cache_key"),
        ({"request_id": "a", "quality_score": 0}, "quality_score"),
        ({"request_id": "a", "quality_score": 6}, "quality_score"),
        ({"request_id": "a", "quality_score": 5, "is_correct": "yes"}, "is_correct"),
        ({"cache_key": "a", "rating": 1, "comment": "x" * 2001}, "comment"),
    ],
)
async def test_half_a_judgement_is_refused(open_client: Client, body: dict[str, Any], param: str) -> None:
    """By the field that is missing or wrong."""
    answer = await open_client.post("/feedback", body)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
