"""Reads the cost exports of providers: CSV files whose columns every vendor calls otherwise."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from farthing.domain.pricing import NANO
from farthing.domain.reconciliation import Charge

DAYS = ("day", "date", "usage_date_utc", "usage_date", "start_time_iso", "starting_at", "start_time")
MODELS = ("model", "model_name", "line_item")
COSTS = ("cost_usd", "amount_value", "amount_usd", "cost")
TOKENS = ("tokens", "total_tokens")
SPLIT_TOKENS = ("input_tokens", "output_tokens", "tokens_in", "tokens_out")
CURRENCIES = ("currency", "amount_currency", "cost_currency")
"""Names of columns in small letters, with `_` for anything between words; of several the first counts."""

_MOST_USD = 10**9
_MOST_DIGITS = 15
_SECONDS = range(10**9, 10**10)
"""Moments that some exports write as seconds since 1970."""


class BadInvoice(ValueError):
    """A file that is no invoice; the message names line and column."""


class Invoiced(Struct, frozen=True):
    """The charges of a month, and how many lines were for other months."""

    charges: Sequence[Charge]
    left_out: int


class _Columns(Struct, frozen=True, kw_only=True):
    """Where in a line what stands."""

    day: int
    model: int
    cost: int
    tokens: tuple[int, ...]
    currency: int | None
    names: Sequence[str]


def read_invoice(text: str, month: str, naming: Callable[[str], str]) -> Invoiced:
    """The charges of a month such as `2026-11`, each model under the name that `naming` gives it.

    Raises `BadInvoice`.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter(text), strict=True)
    charges, left_out, columns = [], 0, None
    for number, cells in _numbered(lines):
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None:
            columns = _columns(cells, number)
            continue
        charge = _charge(cells, columns, number, naming)
        if charge.day.startswith(f"{month}-"):
            charges.append(charge)
        else:
            left_out += 1
    if columns is None:
        raise BadInvoice("line 1: the file is empty")
    return Invoiced(charges, left_out)


def _delimiter(text: str) -> str:
    head = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=head.count)


def _numbered(lines: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its line. `csv` counts the last of several lines of one record."""
    number = 1
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInvoice(f"line {number}: this is no CSV ({error})") from error
        yield number, cells
        number = lines.line_num + 1  # type: ignore[attr-defined]


def _columns(header: Sequence[str], number: int) -> _Columns:
    names = [cell.strip() for cell in header]
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(re.sub(r"\W+", "_", name.lower()).strip("_"), place)

    def place_of(what: str, known: Sequence[str]) -> int:
        found = _first(places, known)
        if found is None:
            raise BadInvoice(f"line {number}: no column tells the {what}: expected one called {', '.join(known)}")
        return found

    total = _first(places, TOKENS)
    split = tuple(places[name] for name in SPLIT_TOKENS if name in places)
    return _Columns(
        day=place_of("day", DAYS),
        model=place_of("model", MODELS),
        cost=place_of("cost in USD", COSTS),
        tokens=split if total is None else (total,),
        currency=_first(places, CURRENCIES),
        names=names,
    )


def _first(places: Mapping[str, int], known: Sequence[str]) -> int | None:
    return next((places[name] for name in known if name in places), None)


def _charge(cells: Sequence[str], columns: _Columns, number: int, naming: Callable[[str], str]) -> Charge:
    if len(cells) != len(columns.names):
        raise BadInvoice(f"line {number}: {len(cells)} columns where the first line has {len(columns.names)}")

    def bad(place: int, expected: str) -> BadInvoice:
        return BadInvoice(f'line {number}, column {columns.names[place]}: "{cells[place][:40]}" is no {expected}')

    day, cost = _day(cells[columns.day].strip()), _nano(cells[columns.cost])
    if day is None:
        raise bad(columns.day, "day such as 2026-11-02")
    if cost is None:
        raise bad(columns.cost, "amount in USD")
    if columns.currency is not None and cells[columns.currency].strip().upper() != "USD":
        raise bad(columns.currency, "currency that can be compared: expected USD")
    tokens = None
    for place in columns.tokens:
        count = _count(cells[place])
        if count is None:
            raise bad(place, "number of tokens")
        tokens = (tokens or 0) + count
    # OpenAI's exports say `gpt-5-mini-2025-08-07, input`.
    model = cells[columns.model].partition(",")[0].strip()
    return Charge(day=day, model=naming(model) if model else "", cost=cost, tokens=tokens)


def _day(text: str) -> str | None:
    """The day in UTC that a day, a moment or a number of seconds since 1970 names."""
    try:
        if text.isdecimal() and int(text) in _SECONDS:
            moment = datetime.fromtimestamp(int(text), UTC)
        else:
            moment = datetime.fromisoformat(text)
            # Exports in UTC often leave out to say so.
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%d")


def _nano(text: str) -> int | None:
    """Nano-dollars, half to even; None for what is no amount."""
    plain = text.strip().replace("$", "", 1)
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d*)?", plain):
        plain = plain.replace(",", "")
    try:
        usd = Decimal(plain)
    except InvalidOperation:
        return None
    if not usd.is_finite() or abs(usd) > _MOST_USD:
        return None
    return int((usd * NANO).to_integral_value())


def _count(text: str) -> int | None:
    plain = text.strip().replace(",", "") or "0"
    return int(plain) if plain.isdecimal() and len(plain) <= _MOST_DIGITS else None
