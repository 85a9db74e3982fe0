"""Rows of the ledger as the exchanges that they were written from, as far as prices and sums depend on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import convert
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Exchange
from farthing.store.rows import USAGE_COLUMNS, tools_of
from farthing.store.schema import requests

Place = tuple[int, str]
"""Moment (µs) and id of a row."""

_FIELDS = (
    *("request_id", "status", "route", "dialect", "tenant", "key_id", "team", "requested_model", "stream"),
    *("provider", "model", "strategy", "tier", "confidence", "experiment_id", "arm"),
    *("cost", "baseline_cost", "price_version"),
    *("cache", "cache_level", "cache_key", "duration_us"),
)
"""What prices and sums depend on, called the same in an exchange and in its row."""
_READ = [requests.c[name] for name in (*_FIELDS, "created_at", "user_id", "tags", "attempts", *USAGE_COLUMNS.values())]


async def following(
    connection: AsyncConnection,
    after: Place,
    end_us: int,
    *where: sa.ColumnElement[bool],
    limit: int,
    lock: bool = False,
) -> list[Exchange]:
    """The next rows up to a moment, the oldest first. Locked ones are nobody else's until the transaction ends."""
    row = requests.c
    moment, request_id = after
    bounds = [row.created_at >= moment, row.created_at < end_us, *where]
    if request_id:
        bounds.append(sa.or_(row.created_at > moment, row.request_id > request_id))
    statement = sa.select(*_READ).where(*bounds).order_by(row.created_at, row.request_id).limit(limit)
    if lock:
        statement = statement.with_for_update()
    return [_exchange(record) for record in (await connection.execute(statement)).mappings()]


def beyond(found: Sequence[Exchange], limit: int) -> Place | None:
    """Where to go on after these rows; None where there are no more."""
    return (found[-1].created_at_us, found[-1].request_id) if len(found) == limit else None


def _exchange(record: Mapping[Any, Any]) -> Exchange:
    usage = {name: record[column] for name, column in USAGE_COLUMNS.items()}
    return Exchange(
        **{name: record[name] for name in _FIELDS},
        created_at_us=record["created_at"],
        user=record["user_id"],
        tags=record["tags"] or {},
        attempts=convert(record["attempts"] or (), tuple[Attempt, ...]),
        usage=convert(usage | tools_of(record["attempts"]), Usage),
    )
