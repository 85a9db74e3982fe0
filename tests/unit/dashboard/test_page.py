"""The static page."""

from __future__ import annotations

import re

from farthing.dashboard import load_page


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No address of another host stands in any of its files, and each of its parts is there."""
    page = load_page()
    assert set(page) == {"index.html", "page.css", "page.js"}
    text = b"".join(body for body, _ in page.values()).decode()
    assert not re.search(r"https?://|//cdn|@import", text)
    parts = re.findall(r'(?:src|href)="/assets/([^"]+)"', page["index.html"][0].decode())
    assert sorted(parts) == ["page.css", "page.js"]


def test_nothing_is_interpreted_or_inline() -> None:
    """A strict content policy holds: no inline script or style, and texts are set as texts."""
    page = load_page()
    html, script = page["index.html"][0].decode(), page["page.js"][0].decode()
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)


def test_files_bear_their_media_types() -> None:
    """A script that is no script to the browser does not run."""
    assert load_page()["page.js"][1] == "text/javascript; charset=utf-8"


def test_what_the_script_fills_in_is_on_the_page() -> None:
    """An element that was renamed on one side alone would leave the page empty."""
    page = load_page()
    html, script = page["index.html"][0].decode(), page["page.js"][0].decode()
    wanted = set(re.findall(r'byId\("([^"]+)"\)', script))
    assert {"sentence", "rows", "verdicts"} <= wanted
    assert wanted <= set(re.findall(r'\bid="([^"]+)"', html))
