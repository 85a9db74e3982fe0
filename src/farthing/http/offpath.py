"""Whatever the data plane does not answer: the lifespan, the probes, and FastAPI once somebody asks for it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from farthing.http.errors import Message, Send
from farthing.http.front import Asgi
from farthing.http.hot import Receive, Scope
from farthing.http.probes import PROBES, answer_probe
from farthing.http.services import Services


class OffPath:
    """The application behind the front door. A gateway that is only asked for answers never loads FastAPI."""

    def __init__(
        self,
        *,
        running: Callable[[], AbstractAsyncContextManager[Services]],
        build: Callable[[Services], Asgi],
    ) -> None:
        """`running` opens everything for as long as its block lasts; `build` makes the other routes' application."""
        self._running = running
        self._build = build
        self._services: Services | None = None
        self._built: asyncio.Future[Asgi] | None = None
        self._is_leaving = False

    def leave(self) -> None:
        """`/readyz` says no from now on, and everything else goes on: time to send requests elsewhere."""
        self._is_leaving = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the lifespan, or one request or socket."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] in PROBES:
            await answer_probe(scope, send, is_ready=self._is_ready)
        else:
            application = await self._application()
            await application(scope, receive, send)

    @property
    def _is_ready(self) -> bool:
        return self._services is not None and not self._is_leaving and self._services.may_serve()

    async def _live(self, receive: Receive, send: Send) -> None:
        """Opens everything, says so, and closes it when the server ends. Raises what stopped the start or the end."""
        await receive()
        step = "startup"
        try:
            async with self._running() as services:
                self._services = services
                await send(_told(step, "complete"))
                await receive()
                step = "shutdown"
                self._services = None
        except BaseException:
            await send({**_told(step, "failed"), "message": traceback.format_exc()})
            raise
        await send(_told(step, "complete"))

    async def _application(self) -> Asgi:
        if self._built is None or _has_failed(self._built):
            if self._services is None:
                raise RuntimeError("the application's lifespan has not started")
            # In a thread: answers that are on their way must not wait while FastAPI is imported.
            self._built = asyncio.get_running_loop().run_in_executor(None, self._build, self._services)
        return await asyncio.shield(self._built)


def _has_failed(building: asyncio.Future[Asgi]) -> bool:
    """A failure may pass, such as that of a full disk: whoever comes next tries again."""
    return building.done() and building.exception() is not None


def _told(step: str, end: str) -> Message:
    return {"type": f"lifespan.{step}.{end}"}
