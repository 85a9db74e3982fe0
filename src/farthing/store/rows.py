"""An exchange as a row of `requests`."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from farthing.domain.exchange import Exchange
from farthing.store.columns import to_datetime
from farthing.store.schema import requests

_SOURCES = {"created_at": "created_at_us", "user_id": "user"}
"""Columns that are called otherwise than the field they hold."""
_TOKENS = "_tokens"

COLUMNS = tuple(column.name for column in requests.columns)
_CREATED_AT = COLUMNS.index("created_at")
_DOCUMENTS = tuple(COLUMNS.index(name) for name in ("tags", "decision", "attempts"))
"""Places of the columns in JSON."""


def _source(column: str) -> str:
    if column.endswith(_TOKENS):
        return f"usage.{column.removesuffix(_TOKENS)}"
    return "usage.estimated" if column == "estimated" else _SOURCES.get(column, column)


_values = attrgetter(*map(_source, COLUMNS))
_encode = msgspec.json.Encoder().encode


def row(exchange: Exchange) -> list[Any]:
    """The values in the order of `COLUMNS`, the moment in microseconds, an empty document as None."""
    values = [*_values(exchange)]
    for place in _DOCUMENTS:
        document = values[place]
        values[place] = _encode(document).decode() if document else None
    return values


def row_with_datetime(exchange: Exchange) -> list[Any]:
    """The same with the moment as the `datetime` that PostgreSQL's driver wants."""
    values = row(exchange)
    values[_CREATED_AT] = to_datetime(values[_CREATED_AT])
    return values


_BIGGEST = 10**13
"""Nano-dollars, tokens or microseconds that one request cannot reach; a million such rows still sum to 64 bits."""
LAST_MOMENT_US = 4_102_444_799_999_999
"""The end of 2099: a clock that shows more is wrong."""


def mended(exchange: Exchange) -> Exchange:
    """The same exchange without what no column or sum takes: NUL, broken characters, absurd numbers.

    A row that cannot be stored would hold up all that come after it.
    """
    tree = _mend(msgspec.to_builtins(exchange))
    tree["created_at_us"] = min(max(exchange.created_at_us, 0), LAST_MOMENT_US)
    return msgspec.convert(tree, Exchange)


def storable(text: str) -> str:
    """The text without NUL, which PostgreSQL refuses, and without half characters, which nobody encodes."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _mend(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    match value:
        case str():
            return storable(value)
        case bool():
            return value
        case int():
            return min(max(value, -_BIGGEST), _BIGGEST)
        case dict():
            return {_mend(name): _mend(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_mend(inner) for inner in value]
        case _:
            return value
