"""What the page says where something is missing, wrong, or not for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Asked, Visit
from tests.servers.gateway import Gateway, running

ADMIN = "sk-master-key-of-these-tests-and-nothing-else"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One that wants a key."""
    with running("", environment={"FARTHING_MASTER_KEY": ADMIN}) as gateway:
        Asked(gateway, ADMIN).chat("What is a key?")
        yield gateway


def opened(visit: Visit, **told: dict[str, Any]) -> Page:
    """The page behind its door; what is `told` goes over what the gateway says at that address."""
    page = visit()
    for name, change in told.items():
        _say(page, f"**/{name.replace('__', '/')}*", change)
    page.get_by_label("Key").fill(ADMIN)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("[data-request]")).to_have_count(1)
    return page


def _say(page: Page, address: str, change: dict[str, Any]) -> None:
    def answer(route: Any) -> None:
        said = route.fetch()
        route.fulfill(response=said, body=json.dumps({**said.json(), **change}))

    page.route(address, answer)


def test_a_key_opens_the_page_and_stays_in_it(visit: Visit) -> None:
    """It is nowhere that another page, or the next visitor, could read."""
    page = opened(visit)
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    assert ADMIN not in page.evaluate(kept)
    page.reload()
    expect(page.get_by_label("Key")).to_be_visible()


def test_a_wrong_key_is_told_so(visit: Visit) -> None:
    """And may be tried again."""
    page = visit()
    page.get_by_label("Key").fill("sk-wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".door")).to_contain_text("key")
    expect(page.get_by_label("Key")).to_have_value("")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"health": {"providers": {"openai": "open"}}}, "openai does not answer"),
        ({"health": {"redis": "away"}}, "Redis is away"),
        ({"routing__metrics": {"stale": True, "age_seconds": 42.4}}, "these figures are 42 s old"),
        ({"v1__savings": {"unpriced_requests": 3}}, "3 requests of this time went to models whose price is not known"),
        (
            {"admin__budgets": {"data": [{"name": "team", "limit": 5, "spent": 5, "is_hard": True, "window": "day"}]}},
            "Spent: team ($5.00 of $5.00). Requests beyond it are refused.",
        ),
    ],
)
def test_what_is_wrong_stands_above_the_figures(visit: Visit, told: dict[str, Any], words: str) -> None:
    """In words, whatever colour it has."""
    page = opened(visit, **told)
    expect(page.locator("#notices")).to_contain_text(words)
    expect(page.locator("#notices")).to_contain_text("Demo mode.")


def test_a_measured_saving_has_its_interval(visit: Visit) -> None:
    """And the quality that it cost; without enough data it says why there is none."""
    quality = {"difference": -0.002, "difference_interval": [-0.009, 0.005], "note": None}
    measured = {
        "saved": 10.2,
        "interval": [8.1, 12.9],
        "requests": {"held_back": 412},
        "quality": quality,
        "note": None,
    }
    page = opened(visit, v1__savings={"measured": measured})
    expect(page.locator(".answer")).to_contain_text(
        "Measured against 412 requests that the baseline answered by chance: routing saved $10.20 (95%: $8.10 to "
        "$12.90). Quality changed by −0.2 points of 100 (−0.9 to +0.5)."
    )


def test_a_forecast_stands_beside_its_budget(visit: Visit) -> None:
    """With its interval, what it means for the budget, and how far the last one was off."""
    budget = {"budget_id": "b", "name": "All", "limit": 50, "spent": 20, "is_hard": True, "window": "month"}
    told = {
        "forecast": 40.0,
        "interval": [30.0, 55.0],
        "note": None,
        "past": [{"month": "2026-10", "error_percent": 3.3}],
    }
    page = opened(visit, admin__budgets={"data": [budget]}, v1__forecast={**told, "budgets": [{**budget, **told}]})
    expect(page.locator(".budget")).to_contain_text(
        "$40.00 (95%: $30.00 to $55.00) at the end of the month: perhaps over the budget. For October it was off by 3%."
    )


def test_each_candidate_has_its_interval(visit: Visit) -> None:
    """As a band with its ends in words, and where enough is; of what nothing is known none is drawn."""
    known = {"model": "demo/small", "estimated_cost": 0.001, "estimated_quality": 0.93, "reason": "good enough"}
    unknown = {"model": "new", "estimated_cost": 0.01, "estimated_quality": None, "reason": "not known"}
    candidates = [{**known, "quality_interval": [0.85, 0.97]}, {**unknown, "quality_interval": None}]
    change = {"model": "demo/small", "decision": {"candidates": candidates, "metadata": {"least": 0.9}}}
    page = opened(visit, v1__requests__=change)
    shown = page.locator(".why .candidates li")
    expect(shown.first).to_contain_text("● demo/small")
    expect(shown.first).to_contain_text("chosen: good enough (95%: 0.85 to 0.97)")
    places = "(all) => all.map((one) => [one.className, one.style.left, one.style.width])"
    assert shown.first.locator(".scale i").evaluate_all(places) == [
        ["band", "25%", "60%"],
        ["least", "50%", ""],
        ["", "65%", ""],
    ]
    expect(shown.last).to_contain_text("quality unknown")
    expect(page.locator(".why")).to_contain_text("on a scale from 0.8 to 1. Band: its 95% interval")


def test_little_data_is_called_so(visit: Visit) -> None:
    """One request makes no trend."""
    page = opened(visit)
    expect(page.locator(".answer")).to_contain_text("That is little data")
    expect(page.locator("div.paid")).to_contain_text("Too little data for a line")


def test_whoever_may_not_see_budgets_is_not_told_that_there_are_none(visit: Visit) -> None:
    """The forecast stands there alone."""
    page = visit()
    page.route("**/admin/budgets*", lambda route: route.fulfill(status=403, json={"error": {"message": "No."}}))
    page.get_by_label("Key").fill(ADMIN)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("div.budget")).to_contain_text("Forecast")
    expect(page.locator("div.budget")).not_to_contain_text("No budget")
