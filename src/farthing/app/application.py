"""The application as a server runs it: settings in, ASGI out."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib.metadata import version

from farthing.app.gateway import Gateway
from farthing.http.desk import Desk
from farthing.http.front import Asgi, FrontDoor
from farthing.http.offpath import OffPath
from farthing.http.services import Services
from farthing.settings import Settings, load
from farthing.telemetry import logs

VERSION = version("farthing")


class Application(FrontDoor):
    """The ASGI application, which can take over a changed configuration while it serves."""

    def __init__(self, gateway: Gateway, *, max_body_bytes: int, is_successor: bool = False) -> None:
        """`is_successor` says that whoever serves now goes on where this one does not start."""
        running = partial(gateway.running, is_successor=is_successor)
        self._off_path = off_path = OffPath(running=running, build=_off_path)
        super().__init__(
            hot=gateway.data_plane,
            rest=off_path,
            new_id=gateway.new_id,
            max_body_bytes=max_body_bytes,
        )
        self._gateway = gateway

    @property
    def desk(self) -> Desk | None:
        """Where the fast lane finds the hot routes, once the lifespan has started."""
        return self._gateway.desk

    def leave(self) -> None:
        """Says that it is not ready, and serves on: balancers send their requests elsewhere."""
        self._off_path.leave()

    def cut_short(self) -> None:
        """Answers that are cancelled from now on had no time to finish: their callers and records are told so."""
        if self.desk is not None:
            self.desk.stop()

    def reload(self) -> asyncio.Task[None]:
        """Reads the configuration again; a mistake in it is logged and changes nothing. Done when the task is."""
        return self._gateway.reload()


def create_app(settings: Settings, *, is_successor: bool = False) -> Application:
    """The application for these settings. Nothing is opened before its lifespan starts.

    A successor does not start with settings that a running process would not take over.
    """
    logs.configure(settings.log.level, settings.log.format)
    gateway = Gateway(settings, VERSION)
    return Application(gateway, max_body_bytes=settings.server.max_body_bytes, is_successor=is_successor)


def from_environment() -> Application:
    """The application of a worker process, whose settings all stand in the environment."""
    return create_app(load())


def _off_path(services: Services) -> Asgi:
    # FastAPI and its models take 0.1 s and 10 MiB, and a gateway may run for ever without being asked for them.
    from farthing.dashboard import load_page
    from farthing.http.application import build_application
    from farthing.http.routes import ROUTES

    return build_application(ROUTES, services=services, page=load_page())
