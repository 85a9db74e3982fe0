"""A gateway before an upstream that counts, and before callers who mean no good."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web

from farthing.cli import main
from tests.security.wire import Wire
from tests.servers.application import Served
from tests.servers.gateway import Gateway

VENDOR_KEY = "sk-vendor-canary-8f14e45fceea167a"
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


class Upstream:
    """Answers every chat request alike, and counts them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How often anybody asked."""
        with self._lock:
            return self._calls

    @property
    def application(self) -> web.Application:
        """What is to be served."""
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        with self._lock:
            self._calls += 1
        return web.json_response(ANSWER)


@pytest.fixture(scope="package")
def served() -> Iterator[tuple[Upstream, str]]:
    """The upstream and its address."""
    upstream = Upstream()
    with Served(upstream.application) as server:
        yield upstream, server.url


@pytest.fixture(scope="package")
def settings(served: tuple[Upstream, str]) -> str:
    """farthing.toml with two models at the upstream."""
    models = "".join(
        f'[[models]]\nname = "{name}"\nprovider = "there"\ntier = "{tier}"\ninput_usd_per_mtok = 1.0\n'
        "output_usd_per_mtok = 2.0\ncontext_tokens = 100000000\n"
        for name, tier in (("small", "simple"), ("large", "complex"))
    )
    access = f'[providers.there]\ndialect = "openai"\nbase_url = "{served[1]}/v1"\napi_key_env = "THERE_KEY"\n'
    return f"{access}{models}"


@pytest.fixture(scope="package")
def started() -> Iterator[Callable[[Gateway], Gateway]]:
    """Starts gateways that live as long as the tests of this folder run."""
    with contextlib.ExitStack() as stack:

        def start(gateway: Gateway) -> Gateway:
            stack.callback(gateway.remove)
            gateway.start()
            return gateway

        yield start


@pytest.fixture(scope="package", params=["lane", "asgi"])
def gateway(request: pytest.FixtureRequest, settings: str, started: Callable[[Gateway], Gateway]) -> Gateway:
    """Open to everybody on this machine, with the fast lane and without."""
    lane = str(request.param == "lane")
    return started(Gateway(settings, environment={"THERE_KEY": VENDOR_KEY, "FARTHING_SERVER__FAST_LANE": lane}))


@pytest.fixture
def upstream(served: tuple[Upstream, str]) -> Iterator[Upstream]:
    """The upstream; a test that uses it must not have reached it."""
    before = served[0].calls
    yield served[0]
    assert served[0].calls == before


@pytest.fixture
def wire(gateway: Gateway) -> Iterator[Wire]:
    """A connection to the open gateway."""
    with Wire(gateway.port) as connection:
        yield connection


def make_key(gateway: Gateway, name: str, *options: str) -> str:
    """The secret of a new key, made by the command that people use, but in this process: another takes a second."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(gateway.folder)
        patch.setattr(os, "environ", dict(gateway.environment or {}))
        patch.setattr(sys, "argv", ["farthing", "keys", "create", name, *options])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
    return said.getvalue().strip()
