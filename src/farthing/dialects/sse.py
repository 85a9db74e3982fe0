"""Server-sent events as bytes: cut out of a stream without decoding its text, and written."""

from __future__ import annotations

import re

from farthing.dialects.base import Event
from farthing.domain.errors import UpstreamInvalid

MAX_EVENT = 1024 * 1024
"""Bytes that one event may have."""

_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LONGEST_BLANK_LINE = 4
_CR = 0x0D


class Framer:
    """Cuts one stream into events; however its bytes are split into chunks, the events are the same.

    Comments and events without data are dropped, as is a byte order mark. An event over `limit` bytes raises
    `UpstreamInvalid`.
    """

    __slots__ = ("_is_fresh", "_limit", "_searched", "pending")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self.pending = bytearray()
        """Of an event whose end has not come."""
        self._searched = 0
        self._is_fresh = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk."""
        if self._is_fresh:
            return self._begin(chunk)
        # `in` asks whether the needle is a number before it searches: `find` takes half the time.
        if self.pending or chunk.find(b"\r") >= 0 or len(chunk) > self._limit:
            self.pending += chunk
            return self._cut(ended=False)
        # Nearly every chunk is one event.
        if chunk.endswith(b"\n\n") and (event := plain(chunk)) is not None:
            return [event]
        return self._split(chunk)

    def close(self) -> list[Event]:
        """The last event where the stream ended without its blank line; `raw` then has the blank line it lacked."""
        events = self._cut(ended=True)
        rest = bytes(self.pending)
        self.pending.clear()
        # A last CR may be half of a CRLF, which would be one line's end.
        if (event := _event(rest, rest + (b"\n" if rest.endswith(b"\n") else b"\n\n"))) is not None:
            events.append(event)
        return events

    def _begin(self, chunk: bytes) -> list[Event]:
        """As `feed`, until it is known whether the stream begins with a byte order mark."""
        start = bytes(self.pending + chunk)
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self.pending += chunk
            return []
        self._is_fresh = False
        self.pending.clear()
        return self.feed(start.removeprefix(_BOM))

    def _split(self, chunk: bytes) -> list[Event]:
        blocks = chunk.split(b"\n\n")
        if rest := blocks.pop():
            self.pending += rest
        events = []
        for block in blocks:
            raw = block + b"\n\n"
            if (event := plain(raw) or _event(block, raw)) is not None:
                events.append(event)
        return events

    def _cut(self, *, ended: bool) -> list[Event]:
        events: list[Event] = []
        start = 0
        while found := _BLANK_LINE.search(self.pending, max(start, self._searched)):
            end = found.end()
            # A final CR may be half of a CRLF.
            if end - start > self._limit or (end == len(self.pending) and self.pending[-1] == _CR and not ended):
                break
            raw = bytes(self.pending[start:end])
            if (event := _event(raw, raw)) is not None:
                events.append(event)
            start = end
        del self.pending[:start]
        self._searched = max(0, len(self.pending) - _LONGEST_BLANK_LINE)
        # What came before the long event is still good: it is handed out, and the next call raises.
        if len(self.pending) > self._limit and not events:
            raise self._too_long()
        return events

    def _too_long(self) -> UpstreamInvalid:
        return UpstreamInvalid(
            f"The provider sent an event of more than {self._limit:,} bytes: ask for a shorter answer."
        )


def frame(data: bytes, name: bytes = b"") -> bytes:
    """An event that holds `data`, which must be one line."""
    return b"event: %b\ndata: %b\n\n" % (name, data) if name else b"data: %b\n\n" % data


def plain(raw: bytes) -> Event | None:
    """The event in these bytes, if it is written as nearly all are: at most a name, then one line of data.

    There is to be no CR among them.
    """
    end = raw.find(b"\n")
    if end == len(raw) - 2 and raw.startswith(b"data: "):
        return Event(b"", raw[6:end], raw)
    start = end + 7
    if raw.startswith(b"event: ") and raw.startswith(b"data: ", end + 1) and raw.find(b"\n", start) == len(raw) - 2:
        return Event(raw[7:end], raw[start:-2], raw)
    return None


def _event(block: bytes, raw: bytes) -> Event | None:
    name = b""
    data = []
    for line in block.splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(name, b"\n".join(data), raw) if data else None
