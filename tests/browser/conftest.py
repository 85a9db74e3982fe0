"""The page in Debian's headless Chromium, before a gateway in demo mode."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers.gateway import Gateway, running
from tests.servers.process import program

PATIENCE_MS = 10_000
DESK = {"width": 1280, "height": 900}


class Asked:
    """Somebody who asks this gateway, with or without a key."""

    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        self._port = gateway.port
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What is answered to this body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_MS / 1000)
        described = {"content-type": "application/json", **self._headers, **(headers or {})}
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body), described)
            answer = connection.getresponse()
            told: dict[str, Any] = json.load(answer)
        assert answer.status in {200, 201}, told
        return told

    def chat(self, prompt: str, *, model: str = "auto", **headers: str) -> dict[str, Any]:
        """A question of one message; keywords are headers."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 50}
        return self.post(
            "/v1/chat/completions", body, {name.replace("_", "-"): value for name, value in headers.items()}
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module: while it is there its event loop runs, and no test can have another."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium-headless-shell"))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway of the module's own, with nothing in its ledger."""
    with running("") as gateway:
        yield gateway


@pytest.fixture
def asked(gateway: Gateway) -> Asked:
    """Whoever asks the module's gateway."""
    return Asked(gateway)


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, gateway: Gateway) -> Iterator[Visit]:
    """Opens a path of the gateway's page in a window of its own; keywords are those of `Browser.new_context`.

    What the page's script or its content policy complain of fails the test.
    """
    complaints: list[str] = []
    contexts = []

    def open_page(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(gateway.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
