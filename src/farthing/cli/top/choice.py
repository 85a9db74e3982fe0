"""What somebody at `farthing top` has chosen to see, by single keys."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from farthing.cli.top.sections import SECTIONS

FILTER, KEEP, DROP, ERASE = "/", ("\r", "\n"), "\x1b", ("\x7f", "\b")
LONGEST = 60
"""Characters of a filter."""
_VIEWS: dict[str, str | None] = {name[0]: name for name in SECTIONS} | {"a": None}


class Choice(Struct, frozen=True):
    """Which table has the screen for itself, None for all of them, and what its rows must contain."""

    only: str | None = None
    text: str = ""
    is_typing: bool = False

    def after(self, key: str) -> Choice:
        """What is chosen once this key is pressed; most change nothing."""
        if self.is_typing:
            return self._typed(key)
        if key == FILTER:
            return replace(self, is_typing=True)
        if key == DROP:
            return replace(self, text="")
        return replace(self, only=_VIEWS.get(key, self.only))

    def shows(self, row: list[str]) -> bool:
        """Whether a row has the text in one of its cells, in whatever case."""
        return any(self.text.casefold() in cell.casefold() for cell in row)

    def _typed(self, key: str) -> Choice:
        if key in KEEP:
            return replace(self, is_typing=False)
        if key == DROP:
            return replace(self, text="", is_typing=False)
        if key in ERASE:
            return replace(self, text=self.text[:-1])
        is_letter = len(key) == 1 and key.isascii() and key.isprintable()
        return replace(self, text=(self.text + key)[:LONGEST]) if is_letter else self
