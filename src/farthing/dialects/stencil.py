"""Events of a stream that differ in their text alone, which nearly all do: understood without decoding them."""

from __future__ import annotations

from typing import Self

SAMPLE = "sample of a text"
"""What an event may be made to say, to learn whether its text is where it seems to be."""
_PADDING, _END = b',"obfuscation":"', b'"}'
"""What stands around letters and digits by which OpenAI hides how long a text is."""


class Stencil:
    """What stands around the text in an event's data; around that of the next it is mostly the same, byte for byte."""

    __slots__ = ("_after", "_before", "_end", "_least", "_padding", "_start")

    def __init__(self, before: bytes, after: bytes, padding: bytes) -> None:
        self._before = before
        self._after = after
        self._padding = padding
        self._start = len(before)
        self._end = -len(after)
        self._least = len(before) + len(after) + 1

    @classmethod
    def around(cls, data: bytes, text: str) -> Self | None:
        """That of an event which says this; None where it does not stand there as it is, or stands there twice."""
        body, found, padding = data.rpartition(_PADDING)
        before, *after = (body if found else data).split(b'"%b"' % text.encode())
        if len(after) != 1:
            return None
        stencil = cls(before + b'"', b'"' + after[0], found and found + padding)
        return stencil if stencil.text(data) == text else None

    def filled(self, text: str) -> bytes:
        """An event's data that says this text, which must need no escapes in JSON."""
        return b"%b%b%b%b" % (self._before, text.encode(), self._after, self._padding)

    def text(self, data: bytes) -> str | None:
        """What an event says; None where it differs in more, says nothing, or holds what JSON escapes or forbids."""
        if self._padding:
            data, _, padding = data.rpartition(_PADDING)
            if not padding.endswith(_END) or not padding[:-2].isalnum():
                return None
        if len(data) < self._least or not data.startswith(self._before) or not data.endswith(self._after):
            return None
        try:
            text = data[self._start : self._end].decode()
        except UnicodeDecodeError:
            return None
        return text if text.isprintable() and '"' not in text and "\\" not in text else None
