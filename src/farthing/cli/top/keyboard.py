"""Single keys from a terminal, read without waiting for the end of a line."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Pressed = Callable[[], str]
"""The next key that was pressed, or nothing."""


@contextmanager
def keyboard() -> Iterator[Pressed]:
    """Tells keys while it lasts, and leaves the terminal as it was; where none is typed on there are none."""
    if not sys.stdin.isatty():
        yield str
        return
    place = sys.stdin.fileno()
    before = termios.tcgetattr(place)

    def pressed() -> str:
        # Past the buffer of sys.stdin, which would keep a second key to itself.
        return os.read(place, 1).decode(errors="replace") if select.select([place], [], [], 0)[0] else ""

    tty.setcbreak(place)
    try:
        yield pressed
    finally:
        termios.tcsetattr(place, termios.TCSADRAIN, before)
