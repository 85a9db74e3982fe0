"""How many results an experiment needs, asked over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.asgi import Client

PLAN = "/experiments/plan?effect=0.01"


@pytest.fixture
async def spent(open_client: Client) -> Client:
    """A gateway whose ledger has requests of ten users, each twice as long as the one before."""
    for number in range(10):
        body = {"prompt": "word " * 2**number, "user_id": f"u{number}"}
        assert (await open_client.post("/complete", body)).status == 200
    return open_client


async def planned(client: Client, query: str = "") -> Any:
    """What the plan says."""
    answer = await client.get(PLAN + query)
    assert answer.status == 200, answer.body
    return answer.json


async def test_more_arms_need_more_results(spent: Client) -> None:
    """Each has a third of them instead of half, and half of the level: (2.241 + 0.842)² in the place of 2.802²."""
    two, three = await planned(spent), await planned(spent, "&arms=3")
    assert (two["arms"], two["share"], three["arms"], three["share"]) == (2, 0.5, 3, pytest.approx(1 / 3))
    assert two["based_on"] == three["based_on"]
    assert three["sample_size"] % 3 == 0
    assert three["sample_size"] / two["sample_size"] == pytest.approx(1.5 * 1.2109, rel=0.001)


async def test_a_share_is_that_of_each_beside_control(spent: Client) -> None:
    """Two others of a quarter are three arms with half for control."""
    even, uneven = await planned(spent, "&arms=3"), await planned(spent, "&arms=3&share=0.25")
    assert uneven["share"] == 0.25
    # Between a quarter and a half 1/(w(1-w)) is 4.5 of three quarters, against 4 of two thirds.
    assert uneven["sample_size"] / even["sample_size"] == pytest.approx((4.5 / 0.75) / (4 / (2 / 3)), rel=0.001)


@pytest.mark.parametrize(
    ("query", "param"),
    [("&arms=3&share=0.5", "share"), ("&arms=1", "arms"), ("&arms=11", "arms"), ("&share=1", "share")],
)
async def test_control_keeps_a_share(open_client: Client, query: str, param: str) -> None:
    """Shares that leave none for it, fewer than two arms and more than ten are refused."""
    answer = await open_client.get(PLAN + query)
    assert answer.status == 400
    assert answer.json["error"]["param"] == param
