"""An exchange as a row of `requests`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from farthing.domain.pricing import TOOL_CLASSES
from farthing.store.columns import to_datetime

_RENAMED = {"created_at_us": "created_at", "user": "user_id", "usage": "savings"}
"""Columns that are called otherwise than the field in whose place they stand."""


USAGE_COLUMNS = {
    name: name if name == "estimated" else f"{name}_tokens"
    for name in Usage.__struct_fields__
    if name not in TOOL_CLASSES
}
"""By field of a usage; calls of the vendor's own tools stand with the try that made them, in `attempts`."""
COLUMNS = (*(_RENAMED.get(field.name, field.name) for field in fields(Exchange)), *USAGE_COLUMNS.values())
"""The columns of `requests` in the order of a row: an exchange's fields, and behind them those of its usage."""
_CREATED_AT, _TAGS, _DECISION, _ATTEMPTS, _SAVINGS = map(
    COLUMNS.index, ("created_at", "tags", "decision", "attempts", "savings")
)
_encode = msgspec.json.Encoder().encode


def row(exchange: Exchange) -> list[Any]:
    """The values in the order of `COLUMNS`, the moment in microseconds, an empty document as None."""
    usage = exchange.usage
    values = [*astuple(exchange), *astuple(usage)[: len(USAGE_COLUMNS)]]
    values[_TAGS] = _text(exchange.tags)
    used_tools = exchange.attempts and (usage.web_searches or usage.file_searches)
    values[_ATTEMPTS] = _text(_with_tools(exchange) if used_tools else exchange.attempts)
    if not isinstance(exchange.decision, str):
        values[_DECISION] = _text(exchange.decision)
    values[_SAVINGS] = exchange.savings
    return values


def _with_tools(exchange: Exchange) -> list[dict[str, Any]]:
    """The attempts, the last one with the calls of the vendor's own tools."""
    *others, last = msgspec.to_builtins(exchange.attempts)
    return [*others, last | {name: getattr(exchange.usage, name) for name in TOOL_CLASSES}]


def tools_of(attempts: Sequence[Mapping[str, Any]] | None) -> dict[str, int]:
    """The calls of the vendor's own tools that a row's attempts tell of, by field of a usage; empty where none."""
    return {name: attempts[-1][name] for name in TOOL_CLASSES if name in attempts[-1]} if attempts else {}


def _text(document: object) -> str | None:
    return _encode(document).decode() if document else None


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
    tree = msgspec.to_builtins(exchange)
    if isinstance(exchange.decision, str):
        # A character that no database takes hides in the text behind an escape.
        tree["decision"] = _tree(exchange.decision)
    tree = _mend(tree)
    tree["created_at_us"] = min(max(exchange.created_at_us, 0), LAST_MOMENT_US)
    return msgspec.convert(tree, Exchange)


def _tree(text: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None


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
