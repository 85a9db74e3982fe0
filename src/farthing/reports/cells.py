"""Cells of a table that a spreadsheet opens: exact amounts, and names that cannot calculate."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal

from farthing.domain.budget import dollars

FORMULAS = tuple("=+-@＝＋－＠")  # noqa: RUF001 (some spreadsheets take the wide ones for the others)


def amount(nano: int) -> str:
    """Nano-dollars as US dollars, exact, with at least two decimals."""
    return dollars(nano).replace("$", "")


def decimal(nano: int) -> Decimal:
    """Nano-dollars as US dollars, exact."""
    return Decimal(amount(nano))


def one_line(text: str) -> str:
    """Without what breaks a line, or turns the direction of what stands beside it."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def harmless(text: str) -> str:
    """In one line, and not a formula, whatever spreadsheet opens it."""
    line = one_line(text)
    return f"'{line}" if line.lstrip().startswith(FORMULAS) else line


def name(text: str | None) -> str:
    """A name as a cell; empty where there is none."""
    return harmless(text or "")


def document(tags: Iterable[tuple[str, str]]) -> str:
    """Tags as a JSON object, which no spreadsheet calculates; empty where there is none."""
    named = dict(tags)
    return json.dumps(named, ensure_ascii=False) if named else ""


def lines(rows: Iterable[Sequence[str | int]]) -> bytes:
    """The rows as CSV (RFC 4180 but for the line's end, which is one character)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
