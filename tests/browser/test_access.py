"""The page for people with poor eyes or without a mouse, as axe judges it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import Asked, Visit
from tests.servers.gateway import Gateway

VIEWS = ("overview", "requests", "experiments", "cache", "models", "budgets")


@pytest.fixture(scope="module")
def seen(gateway: Gateway) -> None:
    """Something of everything that the page shows."""
    asked = Asked(gateway)
    for _ in range(2):
        asked.chat("What is light?", x_farthing_tags="team=support", x_farthing_cache="on")
    asked.post("/admin/budgets", {"scope": "tenant", "window": "month", "limit": 10})
    trial = {"name": "Small", "control_strategy": "demo/large", "test_strategy": "demo/small", "sample_size": 400}
    asked.post("/experiments", trial)


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, theme: str) -> None:
    """In any view, in either theme, nor in the drawer."""
    page = visit(color_scheme=theme)
    home, found = page.url, []
    for view in VIEWS:
        page.goto(f"{home}?view={view}")
        expect(page.locator("main")).to_have_attribute("aria-busy", "false")
        found += _violations(page)
    page.goto(f"{home}?view=requests")
    page.locator("[data-request]").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Tokens")).to_be_visible()
    assert found + _violations(page) == []


def _violations(page: Page) -> list[tuple[str, str, str]]:
    """Where, which rule, and the first element that breaks it."""
    return [(page.url, one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]]
