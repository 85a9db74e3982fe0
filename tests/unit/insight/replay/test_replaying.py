"""What another policy would have cost, and at what quality."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.insight.replay.policy import Known, Policy
from farthing.insight.replay.replaying import replay
from farthing.ports.replay import Decided
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, catalogue, unrouted
from tests.unit.insight.replay.samples import NOW_US, decided, known, pages, policy

LARGE_ONLY = catalogue(unrouted(SMALL), unrouted(MEDIUM), LARGE)
MILLION = 1_000_000


async def told(wanted: Policy, *rows: Decided, learned: Known | None = None, limit: int = 1_000) -> dict[str, Any]:
    """The report on these requests."""
    return await replay(pages(*rows), wanted, learned, limit=limit)


async def test_the_same_policy_costs_the_same() -> None:
    """To the nano-dollar, all of it counted."""
    found = await told(policy(), *[decided(rating=1.0, rated_us=NOW_US)] * 40)
    assert found["cost"] == {
        "actual_cost": 40 * 110_000,
        "cost": 40 * 110_000,
        "saved": 0,
        "percent": 0.0,
        "exact_share": 1.0,
        "unpriced_requests": 0,
    }
    same = {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["quality"]["would"] == found["quality"]["was"] == same
    assert found["quality"]["is_sure"]
    assert found["sentence"] == (
        "With complexity and a floor of 0.02 these 40 requests would have cost $0.0044 instead of $0.0044 (0.0% less), "
        "at a quality of 1.000 instead of 1.000: between +0.000 and +0.000, with 95% confidence."
    )
    assert not found["is_cut"]


async def test_another_model_costs_what_its_price_says() -> None:
    """A hundred times as much for the same tokens, which is an estimate."""
    found = await told(policy(catalogue=LARGE_ONLY), decided(), decided("large", cost=11 * MILLION))
    assert found["cost"]["actual_cost"] == 110_000 + 11 * MILLION
    assert found["cost"]["cost"] == 22 * MILLION
    assert found["cost"]["exact_share"] == 0.5
    assert found["models"] == [
        {"model": "large", "actual_requests": 1, "requests": 2, "actual_cost": 11 * MILLION, "cost": 22 * MILLION},
        {"model": "small", "actual_requests": 1, "requests": 0, "actual_cost": 110_000, "cost": 0},
    ]


async def test_a_longer_answer_costs_more() -> None:
    """Twice the output: 1,000 tokens of input and about 200 of output at 10 dollars per million."""
    learned = known({"small": 0.5, "large": 0.9}, {"small": 0.00003, "large": 0.006})
    found = await told(policy("learning"), decided(), learned=learned)
    assert found["cost"]["cost"] == pytest.approx(12 * MILLION, rel=0.01)


async def test_supposed_prices_count_for_what_answered() -> None:
    """With its own tokens, so that the cost is exact; a model without a price has none."""
    dear = catalogue(replace(SMALL, price=MEDIUM.price))
    found = await told(policy(catalogue=dear, repriced=frozenset({"small"})), decided())
    assert (found["cost"]["cost"], found["cost"]["exact_share"]) == (1_100_000, 1.0)
    unpriced = catalogue(replace(SMALL, price=None))
    found = await told(policy(catalogue=unpriced, repriced=frozenset({"small"})), decided())
    assert found["cost"]["unpriced_requests"] == 1


@pytest.mark.parametrize("offered", [LARGE, replace(LARGE, price=None)])
async def test_what_has_no_cost_is_counted(offered: Any) -> None:
    """Whether the answer had none or the choice has none, and no share is told of nothing."""
    row = decided(cost=None if offered is LARGE else 110_000)
    found = await told(policy(catalogue=catalogue(unrouted(SMALL), offered)), row)
    assert found["cost"]["unpriced_requests"] == 1
    assert (found["cost"]["exact_share"], found["cost"]["percent"]) == (None, None)
    assert found["sentence"].endswith("instead of $0.00; at what quality, the logs cannot say.")


async def test_what_was_explored_tells_of_what_was_not_chosen() -> None:
    """One in ten went to the large model, which is better: the quality of sending all there is known from those."""
    share = {"propensities": {"small": 0.9, "large": 0.1}}
    rows = [decided(rating=0.4, rated_us=NOW_US, metadata=share)] * 360
    rows += [decided("large", rating=0.8, rated_us=NOW_US, metadata=share)] * 40
    found = await told(policy(catalogue=LARGE_ONLY), *rows)
    quality = found["quality"]
    assert quality["would"]["mean"] == pytest.approx(0.8, abs=0.001)
    assert quality["was"]["mean"] == pytest.approx(0.44, abs=0.001)
    assert quality["difference"]["low"] > 0.3
    assert (quality["effective_sample_size"], quality["rated"], quality["explored_share"]) == (40, 400, 1.0)
    assert found["warnings"] == []
    assert "at a quality of 0.800 instead of 0.440" in found["sentence"]
    (pattern,) = found["patterns"]
    assert (pattern["pattern"], pattern["requests"], pattern["quality"]) == ("factual", 400, quality)


async def test_what_was_never_drawn_cannot_be_told() -> None:
    """No rating of the choice, no chance of it, no propensities: each is said, and no quality is claimed."""
    rows = [decided(rating=1.0, rated_us=NOW_US, metadata={"propensities": {"small": 1.0}})] * 40
    found = await told(policy(catalogue=LARGE_ONLY), *rows)
    assert not found["quality"]["is_sure"]
    assert [warning.split(":")[0] for warning in found["warnings"]] == [
        "The rated answers say as much as 0 of equal weight; 30 are needed",
        "In 100% of the requests the choice could not have been what answered",
        "No rating of answers of large can be used, and it would be chosen.",
    ]
    assert found["sentence"].endswith("(9900.0% more); at what quality, the logs cannot say.")


async def test_nothing_rated_is_nothing_known() -> None:
    """Of the quality; the cost is known all the same."""
    found = await told(policy(), decided(metadata={"propensities": {"small": 1.0}}))
    assert found["quality"] is None
    assert found["warnings"] == ["No answer was rated whose rating can be used: nothing is known of the quality."]
    assert found["patterns"][0]["quality"] is None


async def test_requests_without_propensities_are_counted() -> None:
    """They are older than exploration."""
    found = await told(policy(), decided(decision={"candidates": []}))
    assert "1 requests are older than exploration" in found["warnings"][1]


async def test_ratings_that_were_learned_from_are_left_out() -> None:
    """And counted: they would flatter what has learned from them."""
    learned = known({"small": 0.9, "large": 0.91})
    found = await told(policy("learning"), decided(rating=1.0, rated_us=1), learned=learned)
    assert found["quality"] is None
    assert any(warning.startswith("1 ratings are left out") for warning in found["warnings"])


async def test_nothing_learned_is_said() -> None:
    """The strategy decides as complexity does."""
    found = await told(policy("hybrid"), decided())
    assert "Nothing is learned yet: hybrid decides as complexity does." in found["warnings"]


async def test_requests_that_cannot_be_decided_are_left_out() -> None:
    """With the reason; where none is left there is nothing to tell."""
    learned = known({"small": 0.9})
    found = await told(policy("learning"), decided(prompt=None), decided(), learned=learned, limit=2)
    assert (found["requests"], found["left_out"]) == (1, {"the question was not kept": 1})
    assert found["warnings"][-1] == "1 requests are left out: the question was not kept."
    assert found["is_cut"]
    found = await told(policy("learning"), decided(prompt=None), learned=learned)
    assert found["sentence"] == "No request of this time can be decided anew."
    assert (found["cost"], found["quality"], found["models"], found["patterns"]) == (None, None, [], [])


async def test_other_ratings_stand_in_for_what_is_not_foretold() -> None:
    """Of the same model; an answer's own rating has no part in what is expected of it."""
    rows = [decided(rating=value, rated_us=NOW_US) for value in (1.0, 0.0)]
    found = await told(policy(), *rows, decided())
    assert found["quality"]["was"]["mean"] == pytest.approx(0.5)
