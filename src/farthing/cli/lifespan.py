"""Makes uvicorn say in one line why an application could not start."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from farthing.cli.garbage import resume
from farthing.cli.terminal import complain
from farthing.domain.errors import FarthingError
from farthing.settings import SettingsError

if TYPE_CHECKING:
    from uvicorn.lifespan.on import LifespanSendMessage

EXPECTED = (FarthingError, SettingsError, OSError)
"""What can stop a start without being a defect of ours: for these the message is enough."""


class _Lifespan(LifespanOn):
    """uvicorn's own, but for what begins with readiness and for how a failed start is told."""

    async def startup(self) -> None:
        """As uvicorn's own."""
        await super().startup()
        resume()

    async def send(self, message: LifespanSendMessage) -> None:
        """Takes the application's word; replaces a traceback by the error's message."""
        error = sys.exc_info()[1]
        if message["type"] == "lifespan.startup.failed" and isinstance(error, EXPECTED):
            complain(str(error))
            message["message"] = ""
        await super().send(message)


class ServerConfig(uvicorn.Config):
    """uvicorn's own, but for what it says."""

    def load(self) -> None:
        """Loads application and protocols."""
        super().load()
        self.lifespan_class = _Lifespan

    def configure_logging(self) -> None:
        """Leaves out the lines that say no more than the one before them."""
        super().configure_logging()
        logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "Application startup failed" not in record.getMessage()
