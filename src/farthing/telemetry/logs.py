"""What the process writes to standard error: one line an event, never a prompt, never a key."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from farthing.domain.exchange import Exchange

SAMPLE = 100
"""One in this many undisturbed requests is logged; every error is."""

_json = msgspec.json.Encoder(enc_hook=repr).encode


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Sends everything that is logged to standard error in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)


class LogSink:
    """Logs every failed request and a sample of the others."""

    def __init__(self) -> None:
        self._log = logging.getLogger("farthing.requests")
        self._seen = 0

    def record(self, exchange: Exchange) -> None:
        """Writes at most one line."""
        self._seen += 1
        failed = exchange.status == "error"
        if not failed and self._seen % SAMPLE:
            return
        facts = {
            "request_id": exchange.request_id,
            "status": exchange.status,
            "route": exchange.route,
            "provider": exchange.provider,
            "model": exchange.model,
            "cache": exchange.cache,
            "tokens_in": exchange.usage.tokens_in,
            "tokens_out": exchange.usage.tokens_out,
            "cost_nano": exchange.cost,
            "duration_ms": exchange.duration_us / 1000,
            "error": exchange.error_code,
        }
        self._log.log(logging.WARNING if failed else logging.INFO, "request", extra={"facts": facts})


class _Line(logging.Formatter):
    """A record's moment, level, message and facts. What our own code does not say by name stands in the message."""

    def parts(self, record: logging.LogRecord) -> dict[str, Any]:
        """In the order in which they are read."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        said = {"timestamp": moment.replace("+00:00", "Z"), "level": record.levelname.lower()}
        return {**said, "event": record.getMessage(), **getattr(record, "facts", {})}

    def trace(self, record: logging.LogRecord) -> str | None:
        """The traceback, where an exception is told."""
        return self.formatException(record.exc_info) if record.exc_info else None


class _Json(_Line):
    """For programs."""

    def format(self, record: logging.LogRecord) -> str:
        """One object in one line, the traceback inside."""
        trace = self.trace(record)
        return _json(self.parts(record) | ({"exception": trace} if trace else {})).decode()


class _Text(_Line):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it."""
        parts = self.parts(record)
        head = f"{parts.pop('timestamp')} [{parts.pop('level'):<8}] {_plain(parts.pop('event'))}"
        facts = (f"{name}={_plain(value)}" for name, value in parts.items())
        lines = [" ".join([head, *facts]), self.trace(record)]
        return "\n".join(line for line in lines if line)


def _plain(value: object) -> str:
    """Text that can neither end its line nor speak to the terminal."""
    text = str(value)
    return text if text.isprintable() else repr(text)
