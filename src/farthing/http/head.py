"""What a request's head says, understood once: clients send the same head again and again, but for the length."""

from __future__ import annotations

import re

import httptools

from farthing.domain.errors import FarthingError
from farthing.domain.values import Value
from farthing.http.facts import Head
from farthing.http.headers import (
    MOST_HEADERS,
    Headers,
    app_name,
    check_media_type,
    credential,
    directives,
    is_local,
)

MOST_HEADS = 1024
"""Heads remembered at a time; when they are more, all are forgotten."""
LONGEST_REMEMBERED = 8 * 1024
"""Bytes of a head that is remembered; longer ones are left to the server."""
HEAD_END = b"\r\n\r\n"
LONGEST_LENGTH = 12
"""Digits of a length that is understood here."""
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,%d})\r\n" % LONGEST_LENGTH, re.IGNORECASE)
_NOT_PLAIN = frozenset({b"content-encoding", b"expect", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_PLAIN_CONNECTION = frozenset({b"", b"keep-alive"})


def understand(headers: Headers, path: str = "") -> Head:
    """The facts in these headers. Raises `InvalidRequest` or `UnsupportedMediaType` naming what cannot be."""
    key = credential(headers)
    check_media_type(headers)
    return Head(
        path=path,
        credential=key,
        directives=directives(headers),
        app=app_name(headers),
        forward=headers.forward,
        is_local=is_local(headers),
    )


class Frame(Value, frozen=True):
    """A head as it comes again and again: its bytes on both sides of the length's digits, and what they say."""

    before: bytes
    after: bytes
    head: Head

    def measure(self, data: bytes) -> tuple[int, int] | None:
        """Where the body begins and how long it is, in bytes; None where `data` does not begin with this head."""
        if not data.startswith(self.before):
            return None
        begin = len(self.before)
        end = data.find(b"\r", begin)
        digits = data[begin:end]
        if not digits.isdigit() or len(digits) > LONGEST_LENGTH or not data.startswith(self.after, end):
            return None
        return end + len(self.after), int(digits)


class Heads:
    """Remembers heads by their bytes, the digits of the length left out."""

    def __init__(self, paths: frozenset[str]) -> None:
        """`paths` are those that are served from here."""
        self._paths = paths
        self._known: dict[tuple[bytes, bytes], Frame | None] = {}

    def find(self, data: bytes) -> Frame | None:
        """The head in front; None for anything but a plain POST of a sized JSON body to one of the paths."""
        size = data.find(HEAD_END) + len(HEAD_END)
        found = _LENGTH.search(data, 0, size)
        if found is None:
            return None
        around = data[: found.start(1)], data[found.end(1) : size]
        try:
            return self._known[around]
        except KeyError:
            return self._learn(*around)

    def _learn(self, before: bytes, after: bytes) -> Frame | None:
        if len(before) + len(after) > LONGEST_REMEMBERED:
            return None
        if len(self._known) >= MOST_HEADS:
            self._known.clear()
        head = _Reader().read(b"%b0%b" % (before, after), self._paths)
        frame = Frame(before, after, head) if head is not None else None
        if head is None or not (head.directives.idempotency_key or head.directives.feedback):
            # What names one request does not come again in another's head.
            self._known[before, after] = frame
        return frame


class _Reader:
    """Has a head parsed by the server's own parser, so that both understand the same."""

    def __init__(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_whole = False

    def on_url(self, url: bytes) -> None:
        """The parser has read a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header."""
        self._headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        """The parser has read everything, which is a head and no body."""
        self._is_whole = True

    def read(self, raw: bytes, paths: frozenset[str]) -> Head | None:
        """The head, unless the server had better look at it itself."""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(raw)
            path = httptools.parse_url(self._url).path.decode("ascii")
            plain = self._is_whole and parser.get_method() == b"POST" and parser.get_http_version() == "1.1"
            if not plain or path not in paths or not self._is_plain():
                return None
            return understand(Headers(self._headers), path)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, UnicodeDecodeError, FarthingError):
            return None

    def _is_plain(self) -> bool:
        """Whether the connection stays, and the body comes as it is and at once."""
        names = [name for name, _ in self._headers]
        connection = dict(self._headers).get(b"connection", b"").strip().lower()
        return (
            len(names) <= MOST_HEADERS
            and names.count(b"content-length") == 1
            and names.count(b"connection") <= 1
            and connection in _PLAIN_CONNECTION
            and _NOT_PLAIN.isdisjoint(names)
        )
