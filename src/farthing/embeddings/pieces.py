"""Texts as the pieces of words that the model knows, told apart as it has learned them (WordPiece, Wu et al. 2016)."""

from __future__ import annotations

from pathlib import Path
from unicodedata import category, normalize

BEGIN, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
INNER = "##"
"""Marks a piece that begins inside a word."""
_LONGEST_WORD = 100
"""Letters; a longer word is unknown."""
READ_CHARS = 4_096
"""Of a text: as many tokens as the model reads are seldom longer."""
_ASCII = 128
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class _Signs(dict[int, str]):
    """What each character becomes, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _plain(chr(code))
        return found


class Pieces:
    """The table of pieces, and how texts are cut into them."""

    def __init__(self, path: Path) -> None:
        """`path` is that of the table: UTF-8, a piece in each line."""
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        self._numbers = {piece: number for number, piece in enumerate(lines)}
        self._signs = _Signs()

    def of(self, text: str, most: int) -> list[int]:
        """The numbers of a text's pieces between those of its begin and its end, so many in all at most."""
        numbers, found = self._numbers, [self._numbers[BEGIN]]
        for word in normalize("NFD", text[:READ_CHARS]).translate(self._signs).lower().split():
            if len(found) >= most:
                break
            whole = numbers.get(word)
            found += self._split(word) if whole is None else (whole,)
        return [*found[: most - 1], numbers[END]]

    def _split(self, word: str) -> list[int]:
        """The longest piece that fits first; the unknown one alone where some part is none."""
        unknown = [self._numbers[UNKNOWN]]
        if len(word) > _LONGEST_WORD:
            return unknown
        found: list[int] = []
        start, end = 0, len(word)
        while start < end:
            number = self._numbers.get(f"{INNER}{word[start:end]}" if start else word[:end])
            if number is not None:
                found.append(number)
                start, end = end, len(word)
            else:
                end -= 1
                if end == start:
                    return unknown
        return found


def _plain(sign: str) -> str:
    """The character itself, or a blank, or nothing; with blanks around what is a word of its own."""
    kind = category(sign)
    if sign.isspace():
        return " "
    if kind.startswith("C") or kind == "Mn" or sign == "\N{REPLACEMENT CHARACTER}":
        return ""
    is_mark = kind.startswith("P") or (ord(sign) < _ASCII and not sign.isalnum())
    return f" {sign} " if is_mark or any(low <= ord(sign) <= high for low, high in _IDEOGRAPHS) else sign
