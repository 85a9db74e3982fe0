"""Starts the gateway: checks what must hold, tells what it will be, serves until a signal ends it."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic
from types import FrameType

import typer
from msgspec import Struct
from uvicorn.config import STARTUP_FAILURE

from farthing.cli.banner import banner, ready_line
from farthing.cli.configured import settings_for
from farthing.cli.garbage import resume
from farthing.cli.lifespan import EXPECTED
from farthing.cli.listening import listen
from farthing.cli.rehearsal import rehearsed
from farthing.cli.server import Server
from farthing.cli.terminal import CommandError, print_json
from farthing.domain.keys import Key
from farthing.settings import SHORTEST_KEY, Settings, address, export

_OPEN_FILES = 65_536
"""Shells allow 1,024 unless asked, where one worker can have thousands of answers under way."""


class Start(Struct, frozen=True, kw_only=True):
    """What the command line says of a start; None leaves a setting as it is."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    config: Path | None = None
    as_json: bool = False
    demo: bool = False

    def environment(self) -> dict[str, str]:
        """The same as variables, which a reload and the worker processes read as well."""
        values = {
            "FARTHING_SERVER__HOST": self.host,
            "FARTHING_SERVER__PORT": self.port,
            "FARTHING_SERVER__WORKERS": self.workers,
            "FARTHING_CONFIG": self.config,
            "FARTHING_DEMO": 1 if self.demo else None,
        }
        return {name: str(value) for name, value in values.items() if value is not None}


def run(start: Start, *, started: float) -> None:
    """Serves until a signal ends it; `started` is a moment of the monotonic clock.

    Raises `CommandError` where the gateway cannot or must not start.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    _allow_open_files()
    export(start.environment())
    settings = settings_for(None)
    _check_access(settings)
    listeners = listen(settings.server.host, settings.server.port, number=settings.server.workers)
    url = address(*listeners[0].getsockname()[:2])
    if not start.as_json:
        print("\n".join(banner(settings, url)), flush=True)

    def tell_ready() -> None:
        seconds = monotonic() - started
        if start.as_json:
            print_json({"status": "ready", "address": url, "demo": settings.demo, "seconds": round(seconds, 2)})
        else:
            print(ready_line(seconds))
        sys.stdout.flush()

    with rehearsed():
        if settings.server.workers == 1:
            _serve_alone(settings, listeners[0], tell_ready)
        else:
            _serve_together(settings, listeners, tell_ready)


def _allow_open_files() -> None:
    """Takes what the system lets this process and its workers have: an answer under way holds two files open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Ends the process with status 0: a gateway that was told to stop and did has not failed."""
    raise SystemExit(0)


def _serve_alone(settings: Settings, listener: socket.socket, tell_ready: Callable[[], None]) -> None:
    from farthing.app.application import create_app
    from farthing.cli.database import make_new

    try:
        app = create_app(settings)
    except EXPECTED as error:
        raise CommandError(str(error)) from error
    make_new(settings.database)
    try:
        Server(app, settings, tell_ready=tell_ready, reload=app.reload).run(sockets=[listener])
    except SystemExit as end:
        raise typer.Exit(1 if end.code == STARTUP_FAILURE else 0) from end


def _serve_together(settings: Settings, listeners: Sequence[socket.socket], tell_ready: Callable[[], None]) -> None:
    from farthing.cli.worker import Worker
    from farthing.cli.workers import Workers
    from farthing.telemetry import logs

    logs.configure(settings.log.level, settings.log.format)
    workers = Workers(listeners, number=settings.server.workers, start=Worker, tell_ready=tell_ready)
    resume()
    if not workers.run():
        raise typer.Exit(1)


def _check_access(settings: Settings) -> None:
    """Raises `CommandError` where others reach what no key protects, or one that can be guessed."""
    if settings.has_short_key and not settings.is_loopback:
        raise CommandError(
            f"{settings.server.host} can be reached by others, who could guess FARTHING_MASTER_KEY: take at least "
            f"{SHORTEST_KEY} random characters"
        )
    if settings.needs_key:
        _require_key(settings)


def _require_key(settings: Settings) -> None:
    """Raises `CommandError` unless there is a key for callers to show: in the database, or while it is away on disk."""
    from farthing.cli.database import CLOCK, with_store
    from farthing.cli.keys import is_usable

    keys: Iterable[Key] | None
    try:
        keys = with_store(settings.database, lambda store: store.keys.list())
    except CommandError:
        keys = _remembered(settings)
        if keys is None:
            raise
    if not any(is_usable(key, CLOCK.now_us()) for key in keys):
        make = "" if settings.demo else ", or make a key with `farthing keys create NAME`,"
        raise CommandError(
            f"{settings.server.host} can be reached by others: set FARTHING_MASTER_KEY{make} before the gateway "
            "listens there"
        )


def _remembered(settings: Settings) -> Iterable[Key] | None:
    """The keys that this host knew less than ten minutes ago."""
    from farthing.app.keyfile import KeyFile
    from farthing.app.storage import shared_secret
    from farthing.cli.database import CLOCK

    if settings.key_file is None:
        return None
    known = KeyFile(settings.key_file, shared_secret(settings), CLOCK).read()
    return None if known is None else known.changes.keys.values()
