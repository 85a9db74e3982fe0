"""What the process writes to standard error: one line an event, never a prompt, never a key."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

from farthing.domain.exchange import Exchange

SAMPLE = 100
"""One in this many undisturbed requests is logged; every error is."""


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Sends structlog and the standard library's logging to standard error in one form."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)


class LogSink:
    """Logs every failed request and a sample of the others."""

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger("farthing.requests")
        self._seen = 0

    def record(self, exchange: Exchange) -> None:
        """Writes at most one line."""
        self._seen += 1
        failed = exchange.status == "error"
        if not failed and self._seen % SAMPLE:
            return
        (self._log.warning if failed else self._log.info)(
            "request",
            request_id=exchange.request_id,
            status=exchange.status,
            route=exchange.route,
            provider=exchange.provider,
            model=exchange.model,
            cache=exchange.cache,
            tokens_in=exchange.usage.tokens_in,
            tokens_out=exchange.usage.tokens_out,
            cost_nano=exchange.cost,
            duration_ms=exchange.duration_us / 1000,
            error=exchange.error_code,
        )
