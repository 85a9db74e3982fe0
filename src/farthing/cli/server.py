"""One process that serves: tells when it is ready, and lets go in steps when it is told to end.

Told to end, it first says that it is not ready and serves on, so that balancers send their requests elsewhere (the lame
duck). Then it takes no more connections and finishes what is under way (the drain). What is not finished by then is cut
short: its caller and its record are told so. Any further signal ends the step it is in.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Any, Protocol

import uvicorn
from msgspec import Struct

from farthing.cli.door import Door, most_callers
from farthing.cli.lifespan import ServerConfig
from farthing.cli.listening import BACKLOG
from farthing.http.sockets import LONGEST_MESSAGE, PING_S
from farthing.settings import Settings

RETIRE = signal.SIGUSR1
"""Tells a worker that its successor listens: it takes no more connections, and nobody is told that it is not ready."""
INTERRUPT = signal.SIGUSR2
"""What a worker hears of Ctrl-C; the terminal tells its whole group, and twice would mean to hurry."""

_KEEP_ALIVE_S = 75
"""Longer than the 60 s of common load balancers, so that none of them reuses a connection that is just closing."""
_TICK_S = 0.05
_CUT_S = 0.3
"""For callers to hear that they were cut short."""
_CLOSING_S = 0.9
"""After the drain for everything else, the cut included; what is not in the database by then is in the journal."""

logger = logging.getLogger(__name__)


class Application(Protocol):
    """What is served."""

    def leave(self) -> None:
        """Says that it is not ready, and serves on."""

    def cut_short(self) -> None:
        """Answers that are cancelled from now on had no time to finish."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI's own types)
        """Serves as ASGI has it."""


class Patience(Struct, frozen=True):
    """Seconds for each step of the end."""

    lame_duck: float
    drain: float


class Step(IntEnum):
    """How far the end has come."""

    SERVE, LAME_DUCK, DRAIN, CUT, CLOSE = range(5)


class Server(uvicorn.Server):
    """Serves one application on sockets that are listening already."""

    def __init__(
        self,
        application: Application,
        settings: Settings,
        *,
        tell_ready: Callable[[], None],
        beat: Callable[[], None] = lambda: None,
        reload: Callable[[], object] | None = None,
        interrupt: signal.Signals = signal.SIGINT,
    ) -> None:
        """`beat` is called several times a second while the loop turns, `reload` at SIGHUP; `interrupt` is Ctrl-C."""
        super().__init__(ServerConfig(application, **_options(settings)))
        self._application = application
        self._patience = Patience(lame_duck=settings.lame_duck_s, drain=settings.server.drain_s)
        self._tell_ready = tell_ready
        self._beat = beat
        self._reload = reload
        self._interrupt = interrupt
        self._step = Step.SERVE
        self._has_successor = False
        self._deadline = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens everything, listens, and says so."""
        connections = self.server_state.connections
        door = Door(sockets or [], self.config.http_protocol_class, connections=connections, most=most_callers())
        self.config.http_protocol_class = door  # type: ignore[assignment]
        await super().startup(sockets)
        if self._reload is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        self._tell_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals over while it serves. It ends in good order, so nobody gets them a second time."""
        numbers = (signal.SIGTERM, self._interrupt, RETIRE)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, number: int, _frame: FrameType | None) -> None:
        """The first signal begins the end; people who press Ctrl-C wait for no balancer. Each further one hurries."""
        if self._step is Step.SERVE:
            self.should_exit = True
            self._has_successor = number == RETIRE
            if not self._has_successor:
                self._application.leave()
            self._step = Step.DRAIN if number == self._interrupt else Step.LAME_DUCK
        elif self._step is Step.CLOSE:
            os._exit(0)
        elif number != RETIRE:
            self._step = Step(min(self._step + 1, Step.CUT))

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's own, with a sign of life."""
        self._beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Goes through the steps, each of which ends early where nothing is left to wait for."""
        if self._has_successor:
            await self._stop_listening(sockets)
        await self._during(Step.LAME_DUCK, self._patience.lame_duck, self._is_left_alone)
        await self._stop_listening(sockets)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._during(Step.DRAIN, self._patience.drain, self._is_idle)
        await self._cut_short()
        await self._close()

    async def _during(self, step: Step, seconds: float, is_done: Callable[[], bool]) -> None:
        """Serves on until the time is over, the next step is asked for, or nothing is left to do."""
        now = asyncio.get_running_loop().time
        end = self._deadline = now() + seconds
        self._step = max(self._step, step)
        while self._step is step and now() < end and not is_done():
            await self.on_tick(0)
            for connection in self.server_state.connections:
                _retire(connection)
            await asyncio.sleep(_TICK_S)

    def _is_left_alone(self) -> bool:
        """Whether nobody can come any more, and nobody is there."""
        return self._has_successor and self._is_idle()

    def _is_idle(self) -> bool:
        return not self.server_state.connections and not self.server_state.tasks

    async def _stop_listening(self, sockets: list[socket.socket] | None) -> None:
        """Takes in who waits already, then nobody."""
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()

    async def _cut_short(self) -> None:
        """Ends what is left, having said so."""
        if self._step is Step.CUT:
            self._deadline = asyncio.get_running_loop().time()
        if not (tasks := list(self.server_state.tasks)):
            return
        self._application.cut_short()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CUT_S)

    async def _close(self) -> None:
        """Closes the application; a database that is silent does not keep us for longer than was promised."""
        self._step = Step.CLOSE
        try:
            async with asyncio.timeout_at(self._deadline + _CLOSING_S):
                await self.lifespan.shutdown()
        except TimeoutError:
            logger.warning("not everything could be closed in time; the journal keeps what the database did not take")
            os._exit(0)


def _retire(connection: Any) -> None:  # noqa: ANN401 (one of the server's protocols, of which some are not ours)
    if hasattr(connection, "retire"):
        connection.retire()


def _options(settings: Settings) -> dict[str, Any]:
    """For uvicorn."""
    return {
        "interface": "asgi3",
        "loop": "uvloop",
        "http": "farthing.http.lane:Lane" if settings.server.fast_lane else "farthing.http.connection:Connection",
        "ws": "farthing.http.sockets:LiveSocket",
        "ws_max_size": LONGEST_MESSAGE,
        "ws_ping_interval": PING_S,
        "ws_ping_timeout": PING_S,
        # Nothing large is sent, and what a client packs might burst.
        "ws_per_message_deflate": False,
        "backlog": BACKLOG,
        "lifespan": "on",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "timeout_keep_alive": _KEEP_ALIVE_S,
    }
