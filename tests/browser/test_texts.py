"""S49: nothing that a user or a model wrote is interpreted where it is shown."""

from __future__ import annotations

from itertools import product

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Asked, Visit
from tests.servers.gateway import Gateway

ACTS = ("window.hit=1", "fetch('/stats').then(hit)", "document.title='hit'", "location='//evil.example/'")
SHAPES = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    "<a href='javascript:{}'>open</a>",
    "[open](javascript:{})",
    "![seen](https://evil.example/?{})",
    '"><script>{}</script>',
    "'-{}-'",
    "</td></tr></table><script>{}</script>",
    "</textarea><img src=x onerror={}>",
    "<details open ontoggle={}>",
    "<input autofocus onfocus={}>",
    "<body onload={}>",
    "<math><mtext><style><img src=x onerror={}>",
    "<template><script>{}</script></template>",
    "<object data='javascript:{}'></object>",
    "<embed src='javascript:{}'>",
    "<form action='javascript:{}'><button autofocus>",
    "<style>@import 'javascript:{}';</style>",
    "<link rel=stylesheet href='javascript:{}'>",
    "<base href='javascript:{}//'>",
    "${{{}}}",
    "{{{{constructor.constructor('{}')()}}}}",
)
CORPUS = [shape.format(act) for shape, act in product(SHAPES, ACTS)]
FOREIGN = (
    "script, img, iframe, object, embed, base, form[action], math, svg, details, template, style, link[rel=import]"
)
VIEWS = ("overview", "requests", "experiments", "cache", "models", "budgets")


@pytest.fixture(scope="module")
def poisoned(gateway: Gateway) -> None:
    """A hundred requests, each with a text of the corpus wherever a caller may write one."""
    asked = Asked(gateway)
    names = {"name": CORPUS[0], "description": CORPUS[1], "hypothesis": CORPUS[2], "sample_size": 10}
    asked.post("/experiments", {**names, "control_strategy": "demo/large", "test_strategy": "demo/small"})
    for text in (CORPUS[0], *CORPUS):
        written = {"x-farthing-tags": _tag(text), "user-agent": text, "x-farthing-cache": "on"}
        body = {"model": "demo/small", "messages": [{"role": "user", "content": text}], "user": text, "max_tokens": 90}
        asked.post("/v1/chat/completions", body, written)


def _tag(text: str) -> str:
    """The text as a tag can hold it."""
    return "team=" + "".join(letter for letter in text if letter not in ',="\\')[:60]


def test_the_corpus_is_a_hundred_texts() -> None:
    """Each another."""
    assert len(set(CORPUS)) == 100


@pytest.mark.usefixtures("poisoned")
def test_texts_stay_texts(visit: Visit) -> None:
    """In every view and in the drawer: no element of theirs, no handler, no address of theirs is asked."""
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    home = page.url
    for view in VIEWS:
        for group in ("user", "tag") if view == "overview" else ("user",):
            page.goto(f"{home}?view={view}&group={group}")
            expect(page.locator("main")).to_have_attribute("aria-busy", "false")
            _check(page)
    page.goto(f"{home}?view=cache")
    expect(page.get_by_text(CORPUS[0], exact=True).first).to_be_visible()
    page.goto(f"{home}?view=requests")
    page.locator("[data-request]").first.click()
    expect(page.get_by_role("dialog")).to_contain_text(CORPUS[-1])
    _check(page)
    assert [url for url in asked if not url.startswith(home)] == []


def _check(page: Page) -> None:
    """Nothing has run, and nothing is there that could."""
    assert page.evaluate("window.hit") is None
    assert page.title().endswith("Farthing")
    assert page.locator("body").locator(FOREIGN).count() == 0
    names = "[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())"
    assert [name for name in page.evaluate(names) if name.startswith("on")] == []
    links = "[...document.querySelectorAll('a')].map((one) => one.protocol)"
    assert set(page.evaluate(links)) <= {"http:"}
