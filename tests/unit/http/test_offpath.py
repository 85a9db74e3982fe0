"""What is not hot: made when first asked for, once, and never before the start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from farthing.http.front import Asgi
from farthing.http.offpath import OffPath
from farthing.http.services import Services
from tests.servers.asgi import Client, lifespan


class Ready:
    """Services that do nothing but say whether callers may be sent here."""

    is_willing = True

    def may_serve(self) -> bool:
        """As it is told."""
        return self.is_willing


SERVICES = cast("Services", Ready())


@asynccontextmanager
async def opened() -> AsyncIterator[Services]:
    """Services that do nothing."""
    yield SERVICES


async def empty(_scope: Any, _receive: Any, send: Any) -> None:
    """An application that says 204."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_the_application_is_made_when_first_asked_for_and_once() -> None:
    """In a thread of its own, so that nobody waits for it but who asked; probes do without it."""
    built: list[tuple[Services, bool]] = []
    may_go_on = threading.Event()

    def build(services: Services) -> Asgi:
        built.append((services, threading.current_thread() is threading.main_thread()))
        assert may_go_on.wait(10)
        return empty

    rest = OffPath(running=opened, build=build)
    client = Client(rest)
    async with lifespan(rest):
        assert (await client.get("/readyz")).status == 200
        assert built == []
        leaver, *waiting = [asyncio.create_task(client.get("/stats")) for _ in range(4)]
        await asyncio.sleep(0)
        leaver.cancel()
        assert (await client.get("/livez")).status == 200
        may_go_on.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [204, 204, 204]
        assert (await client.get("/stats")).status == 204
    assert built == [(SERVICES, False)]


async def test_what_could_not_be_made_is_made_for_whoever_asks_next() -> None:
    """A failure that passes is not kept for ever."""
    failures = [OSError("no space")]

    def build(_: Services) -> Asgi:
        if failures:
            raise failures.pop()
        return empty

    rest = OffPath(running=opened, build=build)
    async with lifespan(rest):
        with pytest.raises(OSError, match="no space"):
            await Client(rest).get("/stats")
        assert (await Client(rest).get("/stats")).status == 204


async def test_who_leaves_is_not_ready_and_serves_on() -> None:
    """From one moment to the next, and alive all the while."""
    rest = OffPath(running=opened, build=lambda _: empty)
    client = Client(rest)
    async with lifespan(rest):
        rest.leave()
        assert [(await client.get(path)).status for path in ("/readyz", "/livez", "/stats")] == [503, 200, 204]


async def test_who_knows_no_keys_yet_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes is answered all the same."""
    rest = OffPath(running=opened, build=lambda _: empty)
    client = Client(rest)
    async with lifespan(rest):
        monkeypatch.setattr(Ready, "is_willing", False)
        assert [(await client.get(path)).status for path in ("/readyz", "/livez", "/stats")] == [503, 200, 204]
        monkeypatch.undo()
        assert (await client.get("/readyz")).status == 200


async def test_before_the_start_there_is_nothing_to_answer_with() -> None:
    """As on the hot routes."""
    rest = OffPath(running=opened, build=lambda _: empty)
    with pytest.raises(RuntimeError, match="lifespan"):
        await Client(rest).get("/stats")


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_what_stops_the_start_or_the_end_is_told_to_the_server(step: str) -> None:
    """With its traceback, and raised."""

    @asynccontextmanager
    async def failing() -> AsyncIterator[Services]:
        if step == "startup":
            raise OSError("no space")
        yield SERVICES
        raise OSError("no space")

    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message: Any) -> None:
        told.append(message)

    with pytest.raises(OSError, match="no space"):
        await OffPath(running=failing, build=lambda _: empty)({"type": "lifespan"}, receive, send)
    assert told[-1]["type"] == f"lifespan.{step}.failed"
    assert "OSError: no space" in told[-1]["message"]
