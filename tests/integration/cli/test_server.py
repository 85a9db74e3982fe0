"""One process that serves: it begins when all is open, and lets go in steps."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from uvicorn.config import STARTUP_FAILURE

from farthing.cli.lifespan import EXPECTED
from farthing.cli.server import RETIRE, Server
from farthing.domain.errors import Unavailable
from farthing.settings import load
from farthing.settings.sections import ServerSettings

LONG_S = 600
QUESTION = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


class App:
    """Answers at once, or once it is allowed to, and notes what becomes of it."""

    def __init__(self, failure: BaseException | None = None, *, never_closes: bool = False) -> None:
        self.told: list[str] = []
        self.may_answer = asyncio.Event()
        self._failure = failure
        self._never_closes = never_closes

    def leave(self) -> None:
        """Notes it."""
        self.told.append("leave")

    def cut_short(self) -> None:
        """Notes it."""
        self.told.append("cut short")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serves as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.told.append("asked")
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        if self._failure is not None:
            try:
                raise self._failure
            except EXPECTED:
                await send({"type": "lifespan.startup.failed", "message": "Traceback"})
                return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.told.append("closed")
        if self._never_closes:
            await asyncio.Event().wait()
        await send({"type": "lifespan.shutdown.complete"})


class Serving:
    """A server on a free port, as long as a test needs it."""

    def __init__(self, app: App, *, lame_duck_s: float = 0, drain_s: int = LONG_S) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        settings = replace(load(), server=ServerSettings(lame_duck_s=lame_duck_s, drain_s=drain_s, fast_lane=False))
        self.ready = asyncio.Event()
        self.server = Server(app, settings, tell_ready=self.ready.set)
        self.status = 0
        """How the process would have ended."""
        self._listener = listener
        self._task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            await self.server.serve(sockets=[self._listener])
        except SystemExit as end:
            self.status = int(end.code or 0)
        finally:
            self._listener.close()

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which something was asked."""
        await self.ready.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(QUESTION)
        return reader, writer

    def tell(self, number: int) -> None:
        """A signal arrives."""
        self.server.handle_exit(number, None)

    async def over(self) -> None:
        """Returns once it has ended."""
        await asyncio.wait_for(self._task, 30)


async def until(is_so: Callable[[], bool]) -> None:
    """Returns once it is so."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 (what is looked at knows of no event)
            await asyncio.sleep(0.01)


async def test_what_is_under_way_is_finished() -> None:
    """Told to end it says so, answers who has asked, and closes what was open."""
    app = App()
    serving = Serving(app)
    reader, writer = await serving.ask()
    await until(lambda: "asked" in app.told)
    serving.tell(signal.SIGTERM)
    app.may_answer.set()
    answer = await reader.read()
    await serving.over()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")
    assert app.told == ["asked", "leave", "closed"]


async def test_what_is_not_finished_in_time_is_cut_short() -> None:
    """Past the drain the application is told before whoever still waits is let go."""
    app = App()
    serving = Serving(app, drain_s=0)
    reader, writer = await serving.ask()
    await until(lambda: "asked" in app.told)
    serving.tell(signal.SIGTERM)
    await serving.over()
    assert b"ok" not in await reader.read()
    writer.close()
    assert app.told == ["asked", "leave", "cut short", "closed"]


async def test_each_further_signal_hurries() -> None:
    """One ends the wait for balancers, the next the drain; that a successor listens is no reason to hurry."""
    app = App()
    serving = Serving(app, lame_duck_s=LONG_S)
    _, writer = await serving.ask()
    await until(lambda: "asked" in app.told)
    for number in (signal.SIGTERM, RETIRE, signal.SIGTERM, signal.SIGTERM):
        serving.tell(number)
    await serving.over()
    writer.close()
    assert app.told == ["asked", "leave", "cut short", "closed"]


async def test_who_has_a_successor_says_nothing() -> None:
    """It takes nobody in any more, and ends once it is left alone; signals are again whose they were."""
    before = signal.getsignal(RETIRE)
    app = App()
    serving = Serving(app, lame_duck_s=LONG_S)
    await serving.ready.wait()
    os.kill(os.getpid(), RETIRE)
    await serving.over()
    assert app.told == ["closed"]
    assert signal.getsignal(RETIRE) is before


async def test_what_cannot_be_closed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is silent does not keep the process; a signal meanwhile ends it at once."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    app = App(never_closes=True)
    serving = Serving(app, drain_s=0)
    await serving.ready.wait()
    serving.tell(signal.SIGTERM)
    await until(lambda: "closed" in app.told)
    serving.tell(signal.SIGTERM)
    assert ended == [0]
    await serving.over()
    assert ended == [0, 0]


async def test_what_is_expected_to_go_wrong_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for a database that is away at the start."""
    serving = Serving(App(Unavailable("The database does not answer.")))
    await serving.over()
    assert serving.status == STARTUP_FAILURE
    assert not serving.ready.is_set()
    assert "The database does not answer." in capsys.readouterr().err
