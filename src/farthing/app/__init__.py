"""Introduces the parts to one another: settings in, the wired application out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from farthing.app.gateway import Gateway
from farthing.dashboard import load_page
from farthing.http import ROUTES
from farthing.http.application import build_application
from farthing.http.front import FrontDoor
from farthing.settings import Settings, load
from farthing.telemetry import logs

VERSION = version("farthing")


class Application(FrontDoor):
    """The ASGI application, which can take over a changed configuration while it serves."""

    def __init__(self, gateway: Gateway, rest: FastAPI, *, max_body_bytes: int) -> None:
        super().__init__(
            hot=gateway.data_plane,
            rest=rest,
            new_id=gateway.new_id,
            max_body_bytes=max_body_bytes,
        )
        self._gateway = gateway

    def reload(self) -> None:
        """Reads the configuration again; a mistake in it is logged and changes nothing."""
        self._gateway.reload()


def create_app(settings: Settings) -> Application:
    """The application for these settings. Nothing is opened before its lifespan starts."""
    logs.configure(settings.log.level, settings.log.format)
    gateway = Gateway(settings, VERSION)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with gateway.running() as services:
            app.state.services = services
            app.state.is_ready = True
            yield
            app.state.is_ready = False

    rest = build_application(ROUTES, lifespan=lifespan, page=load_page(), version=VERSION)
    return Application(gateway, rest, max_body_bytes=settings.server.max_body_bytes)


def from_environment() -> Application:
    """The application of a worker process, whose settings all stand in the environment."""
    return create_app(load())
