"""What people do on the page: look at one team, remove a wrong answer, begin an experiment and end it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Asked, Visit
from tests.servers.gateway import Gateway


@pytest.fixture(scope="module")
def teams(gateway: Gateway) -> Asked:
    """Whoever has asked five questions for support and one for search."""
    asked = Asked(gateway)
    for number in range(5):
        asked.chat(f"What is {number} times {number}?", x_farthing_tags="team=support", model="demo/large")
    asked.chat("Who was here?", x_farthing_tags="team=search")
    return asked


def test_the_sums_of_one_tag_alone(visit: Visit, teams: Asked) -> None:
    """Chosen among those that have asked; what is not kept of one alone is said so, and the way back leads back."""
    page = visit()
    expect(page.locator(".figures")).to_contain_text("6 requests")
    page.get_by_label("Whose").select_option("tag")
    expect(page.locator("#known option")).to_have_count(2)
    page.get_by_label("Which one").fill("team=support")
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", level=1)).to_contain_text("so far, tag team=support")
    expect(page.locator(".figures")).to_contain_text("5 requests")
    expect(page.locator("[data-request]")).to_have_count(5)
    expect(page.locator("div.sources")).to_contain_text("kept of all requests together")
    expect(page.locator("div.groups")).to_contain_text("kept by one of these at a time")
    assert "tag=team%3Dsupport" in page.url
    page.reload()
    expect(page.get_by_label("Which one")).to_have_value("team=support")
    expect(page.locator(".figures")).to_contain_text("5 requests")
    page.locator(".figure").first.get_by_role("link").click()
    expect(page.locator("[data-request]")).to_have_count(5)
    page.go_back()
    page.get_by_label("Whose").select_option("All requests")
    expect(page.locator(".figures")).to_contain_text("6 requests")


def test_a_group_leads_to_its_sums(visit: Visit, teams: Asked) -> None:
    """From spend by model to what that model has cost."""
    page = visit("/?group=model")
    page.locator("div.groups").get_by_role("link", name="demo/large").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("model demo/large")
    expect(page.locator(".figures")).to_contain_text("5 requests")


def test_another_traffic_is_worked_out(visit: Visit, teams: Asked) -> None:
    """In a sentence with what it rests on; what cannot be is told in the gateway's words."""
    page = visit()
    form = page.get_by_role("form", name="What if")
    form.get_by_label("Requests a month").fill("6000")
    form.get_by_role("button", name="Work it out").click()
    expect(page.get_by_text("a month saved")).to_be_visible()
    expect(page.get_by_text("for 6,000 requests.")).to_be_visible()
    expect(page.get_by_text("This is counted, by 6 requests.")).to_be_visible()
    form.get_by_label("Baseline").fill("nobody")
    form.get_by_role("button", name="Work it out").click()
    expect(page.get_by_text("There is no price to compare 'nobody'")).to_be_visible()


def test_two_filters_are_not_summed(visit: Visit, teams: Asked) -> None:
    """The page says so, and that its sums are of all; the rows heed both."""
    page = visit("/?tag=team%3Dsupport&model=demo%2Fsmall")
    expect(page.locator(".answer")).to_contain_text("These are the sums of all requests")
    expect(page.locator(".answer")).to_contain_text("none are kept by model and tag together.")
    expect(page.locator(".figures")).to_contain_text("6 requests")
    expect(page.locator("[data-request]")).to_have_count(0)


def test_a_wrong_answer_is_removed(visit: Visit, asked: Asked) -> None:
    """At the second press; then it is served to nobody, and stands among those that are out of service."""
    question = "What is the capital of Norway?"
    for _ in range(2):
        asked.chat(question, x_farthing_cache="on")
    page = visit("/?view=cache")
    row = page.locator("div.asked tr", has_text=question)
    row.get_by_role("button", name="Remove it").click()
    row.get_by_role("button", name="Nobody is served it again. Sure?").click()
    expect(page.locator("div.worst")).to_contain_text("Out of service")
    expect(page.locator("div.worst")).to_contain_text(question)
    asked.chat(question, x_farthing_cache="on")
    page.goto(page.url.replace("view=cache", "view=requests"))
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("demo/")
    expect(first).not_to_contain_text("kept answer")


def test_an_experiment_is_begun_and_ended(visit: Visit) -> None:
    """By its form; a mistake is told in the gateway's words, and it ends at the second press."""
    page = visit("/?view=experiments")
    page.get_by_label("Name").fill("Small for support")
    page.get_by_label("Control: what answers today").fill("unheard-of")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("form.stacked")).to_contain_text("`control_strategy` is wrong")
    page.get_by_label("Control: what answers today").fill("demo/large")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Small for support")).to_be_visible()
    assert "experiment=" in page.url
    page.get_by_role("button", name="End it without a verdict").click()
    page.get_by_role("button", name="Sure?").click()
    expect(page.locator(".entries")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="End it")).to_have_count(0)
