"""The least that a proxy on uvloop and httptools can be: requests passed on, answers passed back, and nothing else.

It may be kept busy with each request as long as a gateway is: then its neighbours fall asleep in between, and what it
costs to wake them is seen, too.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import httptools
import uvloop

MEMORY, ENCRYPTED = "/memory", "/encrypted"
"""What a path begins with that is answered without asking anybody, or by the vendor behind TLS."""
_FROM_MEMORY, _BEHIND_TLS = MEMORY.encode(), ENCRYPTED.encode()
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_ASKED = b"POST %b HTTP/1.1\r\nhost: vendor\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Pool:
    """Kept connections to one vendor; a request waits where all are busy, until another one is open."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._context = context
        self._idle: list[Vendor] = []
        self._waiting: deque[tuple[Client, bytes]] = deque()
        self._connecting: set[asyncio.Task[Any]] = set()

    def ask(self, client: Client, request: bytes) -> None:
        """Sends the request; its client gets the answer."""
        if self._idle:
            self._idle.pop().ask(client, request)
            return
        self._waiting.append((client, request))
        name = "localhost" if self._context else None
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(
            lambda: Vendor(self), "127.0.0.1", self._port, ssl=self._context, server_hostname=name
        )
        task = loop.create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def free(self, vendor: Vendor) -> None:
        """The connection may be asked."""
        if self._waiting:
            vendor.ask(*self._waiting.popleft())
        else:
            self._idle.append(vendor)

    def lost(self, vendor: Vendor) -> None:
        """The connection is no more."""
        if vendor in self._idle:
            self._idle.remove(vendor)


class Vendor(asyncio.Protocol):
    """One connection to the vendor, which answers one request at a time."""

    _client: Client | None = None
    _is_stream = False

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (uvloop's are of no class that asyncio knows)
        """It may be asked."""
        self._transport = transport
        self._pool.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        """So is the client, if it had no whole answer yet."""
        self._pool.lost(self)
        if self._client is not None:
            self._client.close()

    def ask(self, client: Client, request: bytes) -> None:
        """Sends the request."""
        self._client = client
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Parsed as it comes."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, _: bytes) -> None:
        """Chunks are the one thing that matters."""
        if name.lower() == b"transfer-encoding":
            self._is_stream = True
            self._tell(_STREAM)

    def on_body(self, body: bytes) -> None:
        """Passed on as it comes where it streams, else kept until it is whole."""
        if self._is_stream:
            self._tell(b"%x\r\n%b\r\n" % (len(body), body))
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole, and the connection free for the next request."""
        if self._is_stream:
            self._is_stream = False
            self._tell(b"0\r\n\r\n")
        else:
            body = b"".join(self._body)
            self._body.clear()
            self._tell(_WHOLE % (len(body), body))
        self._client = None
        self._pool.free(self)

    def _tell(self, data: bytes) -> None:
        if self._client is not None:
            self._client.tell(data)


class Client(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, clear: Pool, encrypted: Pool, answer: bytes, busy_s: float) -> None:
        self._clear = clear
        self._encrypted = encrypted
        self._answer = answer
        self._busy_s = busy_s
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (as above)
        """It may ask."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parsed as it comes."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """It decides who answers."""
        self._path = url

    def on_body(self, body: bytes) -> None:
        """Kept until it is whole."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answered from memory, or by a vendor."""
        body = b"".join(self._body)
        self._body.clear()
        path = self._path
        end = time.perf_counter() + self._busy_s
        while time.perf_counter() < end:
            pass
        if path.startswith(_FROM_MEMORY):
            self._transport.write(self._answer)
        elif path.startswith(_BEHIND_TLS):
            self._encrypted.ask(self, _ASKED % (path.removeprefix(_BEHIND_TLS), len(body), body))
        else:
            self._clear.ask(self, _ASKED % (path, len(body), body))

    def tell(self, data: bytes) -> None:
        """A part of the answer."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """The rest of its answer does not come."""
        self._transport.close()


async def serve(port: int, vendor: int, encrypted: int, *, answer: str, busy_us: float = 0) -> None:
    """For ever. The vendor listens on two ports, the second with TLS, whose certificate is checked."""
    pools = Pool(vendor), Pool(encrypted, ssl.create_default_context())
    kept = answer.encode()
    whole = _WHOLE % (len(kept), kept)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(*pools, whole, busy_us / 1e6), "127.0.0.1", port)
    await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """`python benchmarks/floor.py`; runs until it is stopped."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--vendor", type=int, required=True, help="the vendor's port")
    options.add_argument("--encrypted", type=int, required=True, help="its port behind TLS")
    options.add_argument("--answer", required=True, help="what the memory holds")
    options.add_argument("--busy-us", type=float, default=0, help="spent on each request before it is passed on")
    chosen = options.parse_args(arguments)
    uvloop.run(serve(chosen.port, chosen.vendor, chosen.encrypted, answer=chosen.answer, busy_us=chosen.busy_us))


if __name__ == "__main__":
    main()
