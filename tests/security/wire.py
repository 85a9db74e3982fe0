"""HTTP/1.1 said byte by byte, so that a request may be as wrong as an attacker makes it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Self

from msgspec import Struct

SECONDS = 30.0
JSON = (("content-type", "application/json"),)
Pairs = Sequence[tuple[str, str]]


class Answer(Struct, frozen=True):
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


class Wire:
    """One connection. `exchange` sends bytes as they are and reads one answer."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def exchange(self, data: bytes, method: str = "POST") -> Answer:
        """What is answered. A gateway that hangs up before everything is sent may have answered already."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)
        response = http.client.HTTPResponse(self._socket, method=method)
        with contextlib.closing(response):
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def ask(self, method: str, path: str, body: bytes = b"", headers: Pairs = JSON) -> Answer:
        """A request in good form, its body by length."""
        length = (("content-length", str(len(body))),) if body else ()
        return self.exchange(request(method, path, (("host", self.host), *headers, *length)) + body, method)

    def hear_out(self, data: bytes) -> bytes:
        """All that is said to these bytes until the gateway hangs up."""
        self._socket.sendall(data)
        return b"".join(iter(lambda: self._socket.recv(65_536), b""))

    def is_closed(self) -> bool:
        """Whether the gateway has hung up, which it does right after its answer or not at all."""
        try:
            return not self._socket.recv(1)
        except ConnectionError:
            return True


def request(method: str, path: str, headers: Pairs) -> bytes:
    """Request line and headers. Text beyond Latin-1 is sent as UTF-8, as lax clients do."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return b"\r\n".join(_bytes(line) for line in lines)


def _bytes(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode()


def chunks(size: int, piece: bytes = b" " * 65_536) -> Iterator[bytes]:
    """At least `size` bytes in the chunked transfer coding, without its end."""
    for _ in range(size // len(piece) + 1):
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
