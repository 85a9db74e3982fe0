"""A mail server that keeps what it is handed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Letterbox:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.has_some = threading.Event()
        self.reply = "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Takes a mail, or says why not."""
        self.envelopes.append(envelope)
        self.has_some.set()
        return self.reply

    @contextmanager
    def serving(self) -> Iterator[int]:
        """On a port of the loopback interface."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = int(probe.getsockname()[1])
        controller = Controller(self, hostname="127.0.0.1", port=free)
        controller.start()
        try:
            yield free
        finally:
            controller.stop()
