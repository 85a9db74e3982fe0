"""Events of a stream that differ in their text alone, which nearly all do: understood without decoding them."""

from __future__ import annotations

from typing import Self

from farthing.dialects.base import Piece
from farthing.dialects.sse import plain
from farthing.domain.chat import TextDelta

_CR = 0x0D
_PADDING, _END = b',"obfuscation":"', b'"}\n\n'
"""What stands around letters and digits by which OpenAI hides how long a text is."""


class Stencil:
    """What stands around the text in an event's bytes; around that of the next it is mostly the same, byte for byte."""

    __slots__ = ("_after", "_before", "_choice", "_end", "_least", "_padding", "_start")

    def __init__(self, before: bytes, after: bytes, padding: bytes, choice: int) -> None:
        self._before = before
        self._after = after
        self._padding = padding
        self._choice = choice
        self._start = len(before)
        self._end = -len(after)
        self._least = len(before) + len(after) + 1

    @classmethod
    def of(cls, one: Piece, other: Piece) -> Self | None:
        """That of two events which each say one thing; None unless they say two texts and differ in nothing else.

        That the bytes between say what was understood, and not others like them, is seen by the difference.
        """
        said, raw = one.deltas[0], one.raw
        if not isinstance(said, TextDelta) or said == other.deltas[0] or _CR in raw or plain(raw) is None:
            return None
        body, found, padding = raw.rpartition(_PADDING)
        before, *after = (body if found else raw).split(b'"%b"' % said.text.encode())
        if len(after) != 1:
            return None
        stencil = cls(before + b'"', b'"' + after[0], found and found + padding, said.choice)
        seen = stencil.piece(other.raw)
        return stencil if seen is not None and seen.deltas[0] == other.deltas[0] else None

    def piece(self, raw: bytes) -> Piece | None:
        """What an event says, if these are the bytes of one.

        None where it differs in more than its text, says nothing, or holds what JSON escapes or forbids.
        """
        body = raw
        if self._padding:
            body, _, padding = raw.rpartition(_PADDING)
            if not padding.endswith(_END) or not padding[: -len(_END)].isalnum():
                return None
        if len(body) < self._least or not body.startswith(self._before) or not body.endswith(self._after):
            return None
        try:
            text = body[self._start : self._end].decode()
        except UnicodeDecodeError:
            return None
        if not text.isprintable() or '"' in text or "\\" in text:
            return None
        return Piece((TextDelta(text, self._choice),), raw)


def unlearned(_: bytes, /) -> None:
    """What is known of an event before one like it was read."""
