"""Draws `farthing top` in a terminal of any size."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from msgspec.structs import replace
from rich.box import ROUNDED
from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from farthing.cli.terminal import shown
from farthing.cli.top.choice import Choice
from farthing.cli.top.feed import Watch
from farthing.cli.top.sections import BAR_BLOCKS, SECTIONS, USUAL, WIDE, Section, month, numbers, pace, sentence, spark

KEYS = "q quit · m models · t teams · e experiments · r requests · a all · / filter"
LOW = 16
"""Lines from which on there is room for more than the sentence and tables."""
WIDEST = 120
"""Characters of the panel, beyond which its figures are too far apart."""
LEAST_ROWS = 3
FRAME = 2
"""Lines of a panel beside its own, and of a table beside its rows: its head, and the line before it."""
STYLES = {
    "● healthy": "green",
    "◐ trying": "yellow",
    "○ away": "bold red",
    "cached": "cyan",
    "error": "bold red",
    "interrupted": "yellow",
    "rejected": "yellow",
}


def screen(watch: Watch, url: str, *, choice: Choice, width: int, height: int) -> Group:
    """What is to be seen on so many characters and lines."""
    parts: list[RenderableType] = [_title(watch, url), *_paragraph(sentence(watch.figures), width, "bold")]
    if watch.trouble is not None:
        parts += _paragraph(watch.trouble, width, "bold yellow")
    left = height - len(parts) - 1
    if height >= LOW:
        lines = _figures(watch, width)
        parts.append(Panel(Group(*lines), box=ROUNDED, border_style="dim", padding=(0, 1), width=min(width, WIDEST)))
        left -= len(lines) + FRAME
    names = SECTIONS if choice.only is None else [choice.only]
    sections = [_narrowed(SECTIONS[name](watch.figures), choice) for name in names]
    tables = [
        _table(section, rows, width) for section, rows in zip(sections, _shares(sections, left), strict=True) if rows
    ]
    return Group(*parts, *tables, _line(_bottom(choice), "dim"))


def _narrowed(section: Section, choice: Choice) -> Section:
    if not choice.text:
        return section
    rows = [row for row in section.rows if choice.shows(row)]
    return replace(section, rows=rows, empty=f"none of the {section.name} has {choice.text}")


def _bottom(choice: Choice) -> str:
    if choice.is_typing:
        return f"/{choice.text}▏ enter keeps it, esc drops it"
    return f"{KEYS}: {choice.text}" if choice.text else KEYS


def _title(watch: Watch, url: str) -> Text:
    figures = watch.figures
    title = _line("farthing top", "bold")
    title.append("  ● live" if watch.line.is_open else "  ○ reconnecting", "green" if watch.line.is_open else "yellow")
    title.append(f"  {pace(figures)}", "not bold")
    if figures.age_s >= 1:
        title.append(f"  {figures.age_s:.0f} s old", "yellow")
    if figures.is_demo:
        title.append("  DEMO: simulated models", "yellow")
    return title.append(f"  {shown(url)}", "dim not bold")


def _figures(watch: Watch, width: int) -> list[RenderableType]:
    """Lines: the four numbers side by side or in pairs, the budget, what the last hours cost."""
    cells = [_number(name, value) for name, value in numbers(watch.figures)]
    across = 4 if width >= WIDE else 2 if width >= USUAL else 1
    lines: list[RenderableType] = []
    for start in range(0, len(cells), across):
        grid = Table.grid(expand=True, padding=(0, 1))
        for _ in range(across):
            grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_row(*cells[start : start + across])
        lines.append(grid)
    lines += [_number(name, value) for name, value in month(watch.figures)]
    return [*lines, _number("Last 24 hours", spark(watch.figures.hours))]


def _number(name: str, value: str) -> Text:
    text = Text(f"{name}  ", style="dim", no_wrap=True, overflow="ellipsis")
    return text.append(shown(value), "bold not dim")


def _paragraph(text: str, width: int, style: str) -> list[RenderableType]:
    return [_line(line, style) for line in wrap(shown(text), width)]


def _line(text: str, style: str) -> Text:
    return Text(shown(text), style=style, no_wrap=True, overflow="ellipsis")


def _shares(sections: Sequence[Section], lines: int) -> list[int]:
    """How many rows each table gets: a few each, as long as a few fit, and what is left to the first that have more."""
    wanted = [max(len(section.rows), 1) for section in sections]
    given = [0] * len(sections)
    for place, rows in enumerate(wanted):
        few = min(rows, LEAST_ROWS)
        if lines >= few + FRAME:
            given[place] = few
            lines -= few + FRAME
    for place, rows in enumerate(wanted):
        if given[place]:
            more = min(rows - given[place], lines)
            given[place] += more
            lines -= more
    return given


def _table(section: Section, rows: int, width: int) -> RenderableType:
    if not section.rows:
        return Group("", _line(section.empty, "dim"))
    places = [place for place, column in enumerate(section.columns) if column.from_width <= width]
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for place in places:
        column = section.columns[place]
        justify: JustifyMethod = "right" if column.is_number else "left"
        table.add_column(column.title.upper(), justify=justify, no_wrap=True, overflow="ellipsis")
    for row in section.rows[:rows]:
        table.add_row(*(Text(shown(row[place]), _style(row[place])) for place in places))
    return Group("", table)


def _style(cell: str) -> str:
    return "cyan" if cell.startswith(BAR_BLOCKS) else STYLES.get(cell, "")
