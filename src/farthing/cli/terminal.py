"""How commands answer: tables and lines for people, JSON for programs, one line for an error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
GatewayUrl = Annotated[
    str | None, typer.Option("--url", help="The gateway to ask.", show_default="FARTHING_URL, else the configured one")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default=False)]


_OBEYED = re.compile("[\x7f-\x9f]")
"""What JSON leaves as it is and a terminal may take for a command."""


class CommandError(Exception):
    """Ends a command; the message says in one line what is wrong and what to do."""


def shown(text: str) -> str:
    """The text with whatever a terminal could obey, such as an escape sequence, spelt out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def say(line: str) -> None:
    """One line on standard output, in which nothing is obeyed."""
    print(shown(line))


def complain(message: str) -> None:
    """One line on standard error, in which nothing is obeyed."""
    print(f"farthing: {shown(' '.join(message.split()))}", file=sys.stderr)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Shows that something is done which may take long, where somebody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def advancing(text: str) -> Iterator[Callable[[float], None]]:
    """A bar, where somebody watches; what it gives is told the share that is done, from 0 to 1."""
    if not sys.stderr.isatty():
        yield lambda _share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def print_json(value: Any) -> None:  # noqa: ANN401 (whatever JSON can say)
    """The value as JSON on standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=None if not sys.stdout.isatty() else 2)
    print(_OBEYED.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Rows under their columns; those named in `numbers` are aligned to the right. Plain where nobody watches.

    Nothing in a cell is obeyed.
    """
    rows = [[shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, rows, numbers)
        return
    widths = [max(len(line[place]) for line in [columns, *rows]) for place in range(len(columns))]
    for line in [columns, *rows]:
        cells = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def age_of_prices(prices: Mapping[str, Any]) -> str:
    """A line on what prices are known from, as answers about money tell it."""
    newest = "" if prices["newest"] is None else f", the newest of {prices['newest']}"
    return f"prices: {prices['source']}{newest}"


def usd(amount: float | None) -> str:
    """An amount in US dollars: cents where there are dollars, else enough digits to see it; unknown is never 0."""
    if amount is None:
        return "unknown"
    digits = 2 if amount == 0 or abs(amount) >= 1 else 6 if abs(amount) >= 0.000_001 else 9  # noqa: PLR2004
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"
