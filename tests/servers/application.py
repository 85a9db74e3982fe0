"""A web application of ours on loopback, served from a thread so that blocking code can call it."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from aiohttp import web

START_SECONDS = 10.0


class Served:
    """Serves the application on a free port between `__enter__` and `__exit__`."""

    def __init__(self, application: web.Application) -> None:
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = ""
        """Where it is, without a path."""

    def __enter__(self) -> Self:
        """Returns once it listens."""
        self._thread.start()
        if not self._listening.wait(START_SECONDS):
            raise TimeoutError("the application does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        """Drops every connection and ends the thread."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        # Whoever hangs by design must not hold up the end.
        runner = web.AppRunner(self._application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._listening.set()
            await self._over.wait()
        finally:
            await runner.cleanup()
