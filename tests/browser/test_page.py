"""The page as people use it: live, by keyboard, on a telephone, and after the gateway was away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Asked, Visit
from tests.servers.gateway import Gateway

VIEWS = ("overview", "requests", "experiments", "cache", "models", "budgets")
TELEPHONE = {"width": 390, "height": 844}
ROWS = "[data-request]"


@pytest.fixture(scope="module")
def busy(gateway: Gateway) -> Asked:
    """Whoever has asked the gateway a few questions."""
    asked = Asked(gateway)
    for number in range(6):
        asked.chat(f"What is {number} times {number}?", x_farthing_tags="team=support,feature=sums")
    asked.chat("Who was here?", model="demo/large")
    return asked


def test_the_first_request_appears_by_itself(visit: Visit, asked: Asked) -> None:
    """A list of what is left to do gives way to figures, without a reload; the sums follow the rows."""
    page = visit()
    expect(page.get_by_role("heading", name="Nothing was asked yet.")).to_be_visible()
    expect(page.locator("#pulse")).to_contain_text("live")
    page.evaluate("window.isSame = true")
    asked.chat("What is a farthing?")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_role("heading", name="Nothing was asked yet.")).to_be_hidden()
    asked.chat("And what is a penny?")
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.locator("main .figures")).to_contain_text("2 requests")
    assert page.evaluate("window.isSame")


def test_three_requests_paint_the_page(visit: Visit) -> None:
    """The page, its style sheet and its script; figures and icon are asked for behind them."""
    page = visit()
    kinds = page.evaluate("performance.getEntriesByType('resource').map((one) => one.initiatorType)")
    assert sorted(kind for kind in kinds if kind in {"link", "script", "css", "img"})[:2] == ["link", "script"]
    assert page.evaluate("performance.getEntriesByType('resource').filter((one) => /[.]js/.test(one.name)).length") == 1


def test_the_foot_tells_how_old_the_prices_are(visit: Visit) -> None:
    """Those of a demo are its own, and have no age."""
    expect(visit().locator("#foot")).to_contain_text("with the same tokens. Prices are of demo. Farthing ")


def test_the_sentence_leads_to_its_rows(visit: Visit, busy: Asked) -> None:
    """What was saved, how it is known, and the requests behind the figure."""
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_contain_text("saved")
    figure = page.locator(".figure").first
    expect(figure).to_contain_text("counted")
    figure.get_by_role("button", name="Spend").hover()
    expect(figure.get_by_role("tooltip")).to_contain_text("tokens at the prices of their day")
    figure.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Requests")
    expect(page.locator(ROWS)).not_to_have_count(0)
    assert "view=requests" in page.url


def test_the_keyboard_is_enough(visit: Visit, busy: Asked) -> None:
    """The keys j and k move, Enter opens a request with every candidate, Escape closes it, Space pauses."""
    page = visit()
    expect(page.locator(ROWS)).not_to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator(ROWS).first
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="Why this model?")).to_be_visible()
    assert "request=" in page.url
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert "request=" not in page.url
    page.keyboard.press("Space")
    expect(page.get_by_text("go on")).to_be_visible()


def test_filters_live_in_the_address(visit: Visit, busy: Asked) -> None:
    """Whoever is sent it sees the same, and the browser's way back leads back."""
    page = visit("/?view=requests&model=demo%2Flarge")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_label("model")).to_have_value("demo/large")
    page.get_by_label("model").fill("nothing")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("No request of this time is like that.")).to_be_visible()
    page.go_back()
    expect(page.locator(ROWS)).to_have_count(1)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_telephone(visit: Visit, busy: Asked, view: str) -> None:
    """Tables scroll by themselves, the page does not."""
    page = visit(f"/?view={view}", viewport=TELEPHONE)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"]


def test_the_page_goes_on_when_the_gateway_is_back(visit: Visit, gateway: Gateway, busy: Asked) -> None:
    """It says that the gateway is away, and shows what is new once it has come again."""
    page = visit()
    expect(page.locator("#pulse")).to_contain_text("live")
    gateway.stop()
    expect(page.locator("#pulse")).to_have_text("reconnecting")
    gateway.start()
    expect(page.locator("#pulse")).to_contain_text("live")
    busy.chat("Are you back?", model="demo/medium")
    expect(page.locator("main .rows")).to_contain_text("demo/medium")


def test_an_experiments_band_moves(visit: Visit, asked: Asked) -> None:
    """As results come in, without a reload."""
    made = asked.post(
        "/experiments",
        {"name": "Small", "control_strategy": "demo/large", "test_strategy": "demo/small", "sample_size": 400},
    )
    page = visit(f"/?view=experiments&experiment={made['id']}")
    expect(page.get_by_text("The band appears with the first results")).to_be_visible()
    _report(asked, made["id"], range(60))
    band = page.locator(".chart")
    expect(band).to_have_attribute("aria-label", re.compile(r"^After 60 results"))
    _report(asked, made["id"], range(60, 120))
    expect(band).to_have_attribute("aria-label", re.compile(r"^After 120 results"))
    expect(page.locator(".chip").first).to_have_text("collecting")


def _report(asked: Asked, experiment: str, users: range) -> None:
    """One result of each user, those of test at half the cost."""
    for user in users:
        arm, cost = (("control", 0.02), ("test", 0.01))[user % 2]
        result = {"provider": "demo", "model": "m", "cost": cost + user / 1e5, "latency_ms": 9}
        asked.post(
            f"/experiments/{experiment}/results", {"user_id": f"user-{user}", "assigned_strategy": arm, **result}
        )
