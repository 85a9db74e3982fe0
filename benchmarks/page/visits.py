"""The page in a real browser: everything that a view asks the gateway for, and how long each answer takes."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import msgspec
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.servers.process import program

GOAL_MS, PAINT_GOAL_MS = 300.0, 500.0
PATIENCE_MS = 30_000
MOMENTS = {"from", "to", "cursor", "limit"}
"""Parameters that do not tell one question from another."""
_IDENTIFIER = re.compile(r"/[0-9a-z_-]*[0-9a-f]{8,}[0-9a-f-]*(?=/|$)")

ADDRESSES: Mapping[str, str] = {
    "overview": "/",
    "overview, 24 h": "/?range=24h",
    "overview, 30 days by key": "/?range=30d&group=key",
    "overview, 30 days by tag": "/?range=30d&group=tag",
    "overview, 30 days by model": "/?range=30d&group=model",
    "overview, 7 days by user": "/?range=7d&group=user",
    "overview, all by user": "/?range=custom&from=2020-01-01&to=2100-01-01&group=user",
    "requests": "/?view=requests",
    "requests that failed": "/?view=requests&status=error",
    "requests of one model": "/?view=requests&model=model-3",
    "requests of one key": "/?view=requests&key=key-7",
    "requests of one team": "/?view=requests&team=team-2",
    "requests of one user": "/?view=requests&user=user-7",
    "requests with one tag": "/?view=requests&tag=feature%3Df1",
    "requests of one user and model": "/?view=requests&user=user-7&model=model-1",
    "requests refused: none": "/?view=requests&status=rejected",
    "requests of nobody": "/?view=requests&user=nobody",
    "requests of nobody, ever": "/?view=requests&user=nobody&range=custom&from=2020-01-01&to=2100-01-01",
    "requests of somebody rare": "/?view=requests&user=rare&range=custom&from=2020-01-01&to=2100-01-01",
    "requests with a tag that is not there": "/?view=requests&tag=feature%3Dnone",
    "requests of a session": "/?view=requests&session=rare&range=30d",
    "requests of a session that is not there": "/?view=requests&session=none&range=30d",
    "experiments": "/?view=experiments",
    "cache": "/?view=cache",
    "models": "/?view=models",
    "budgets": "/?view=budgets",
}
"""What is looked at, as its address stands in the browser; each of the six views, and filters of all kinds."""

_MARKS = """
globalThis.marks = {};
new MutationObserver(() => {
  if (!marks.sentence && document.querySelector(".hero h1")) marks.sentence = performance.now();
  if (!marks.whole && document.querySelector("#view[aria-busy=false]")) marks.whole = performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-busy"] });
"""


class Seen(msgspec.Struct, frozen=True):
    """An address when it was opened, in milliseconds since it was asked for; None for what never came."""

    paint: float | None
    sentence: float | None
    """The overview's first line, which tells what was saved."""
    whole: float | None
    """All that it asked for is shown."""
    calls: Sequence[tuple[str, float | None]]
    """Each question's name, and how long its answer took; None where it was refused."""


class Row(msgspec.Struct, frozen=True):
    """An address, or a question, over all visits: medians in milliseconds; None where a visit had none."""

    paint: float | None
    sentence: float | None
    whole: float | None
    slowest: str
    slowest_ms: float | None


@contextmanager
def browsing() -> Iterator[Browser]:
    """Debian's headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium-headless-shell"))
        yield browser
        browser.close()


def visit(browser: Browser, url: str, headers: dict[str, str]) -> Seen:
    """Opens the address in a window of its own, as somebody who was never there and shows these headers."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce", extra_http_headers=headers
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(_MARKS)
        finished: list[Request] = []
        page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108 (it marks what it is given)
        page.goto(url)
        page.wait_for_load_state("networkidle")
        marks = page.evaluate("marks")
        return Seen(_painted(page), marks.get("sentence"), marks.get("whole"), [*map(_timed, filter(_asks, finished))])
    finally:
        context.close()


def summed_up(visits: Sequence[Seen]) -> Row:
    """Medians, and the question that took longest."""
    by_name = answered(visits)
    slowest = max(by_name, key=lambda name: float("inf") if by_name[name] is None else by_name[name] or 0.0)
    middle = {name: _middle([getattr(seen, name) for seen in visits]) for name in ("paint", "sentence", "whole")}
    return Row(**middle, slowest=slowest, slowest_ms=by_name[slowest])


def answered(visits: Sequence[Seen]) -> dict[str, float | None]:
    """The median of each question's answers, or None where one was refused."""
    took: dict[str, list[float | None]] = defaultdict(list)
    for seen in visits:
        for name, milliseconds in seen.calls:
            took[name].append(milliseconds)
    return {name: _middle(found) for name, found in took.items()}


def _middle(found: Sequence[float | None]) -> float | None:
    known = [each for each in found if each is not None]
    return statistics.median(known) if len(known) == len(found) else None


def _painted(page: Page) -> float | None:
    entries = page.evaluate("performance.getEntriesByName('first-contentful-paint').map((one) => one.startTime)")
    return entries[0] if entries else None


def _asks(request: Request) -> bool:
    path = urlsplit(request.url).path
    return path != "/" and not path.startswith("/assets")


def _timed(request: Request) -> tuple[str, float | None]:
    response, timing = request.response(), request.timing
    is_good = response is not None and response.ok
    return question(request.url), timing["responseEnd"] - timing["requestStart"] if is_good else None


def question(url: str) -> str:
    """What an address asks, without the moments and the ids in it."""
    parts = urlsplit(url)
    asked = [f"{name}={value}" for name, value in parse_qsl(parts.query) if name not in MOMENTS]
    path = _IDENTIFIER.sub("/…", parts.path)
    return f"{path} {' '.join(asked)}".rstrip()
