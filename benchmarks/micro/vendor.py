"""A vendor in a process of its own that gives every request the same answer: `python -m benchmarks.micro.vendor`."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self, cast

import uvloop

from benchmarks.machine import ROOT
from benchmarks.micro.samples import completion

ANSWER = completion(1)
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: req_1\r\n\r\n%b"
    % (len(ANSWER), ANSWER)
)
_LENGTH = b"content-length:"


class Vendor:
    """Starts it and ends it."""

    def __init__(self) -> None:
        self.url = ""

    def __enter__(self) -> Self:
        """Returns once it listens."""
        command = [sys.executable, "-m", "benchmarks.micro.vendor"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Its process has ended on return."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid


class _Answering(asyncio.Protocol):
    """One connection: an answer for each body that is complete. Requests are never sent before an answer is here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class that asyncio knows.
        self._transport = cast("asyncio.Transport", transport)
        self._heard = b""

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if end and len(body) >= _announced(head):
            self._heard = b""
            self._transport.write(_RESPONSE)


def _announced(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.removeprefix(_LENGTH)) for line in lines if line.startswith(_LENGTH))


async def _serve() -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()


if __name__ == "__main__":
    uvloop.run(_serve())
