"""`GET /v1/requests`: the ledger row by row, newest first."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import aclosing
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.calls import calls_of
from farthing.domain.chat import Usage
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.exchange import Attempt, Exchange
from farthing.domain.pricing import TOKEN_CLASSES
from farthing.ports import Filter, Rows
from farthing.store.columns import Identifier, Moment
from farthing.store.queries.narrowing import spans
from farthing.store.queries.quality import of_tenant
from farthing.store.rows import tools_of
from farthing.store.schema import requests

_SEAL_BYTES = 8
TOKENS_IN = ("prompt", "cached", "cached_audio", "cache_write_5m", "cache_write_1h", "audio_in", "image_in")
TOKENS_OUT = tuple(name for name in TOKEN_CLASSES if name not in TOKENS_IN)
"""Classes of tokens that models read, and those that they write."""
_LARGE = ("decision", "attempts")
_COLUMNS = [column for column in requests.columns if column.name not in _LARGE]


_EQUAL = {
    "status": requests.c.status,
    "model": requests.c.model,
    "provider": requests.c.provider,
    "key": requests.c.key_id,
    "team": requests.c.team,
    "user": requests.c.user_id,
    "session": requests.c.session,
}


async def page(
    connection: AsyncConnection, tenant: str | None, wanted: Filter, *, limit: int, cursor: str | None = None
) -> Rows:
    """At most `limit` rows after the cursor.

    Raises `InvalidRequest` for a cursor that was not given out for this tenant and filter.
    """
    where, until_us = [*_conditions(connection, wanted), *of_tenant(requests.c.tenant, tenant)], None
    if cursor is not None:
        last_us, last = _read_cursor(cursor, tenant, wanted)
        where.append(_older_than(last_us, last))
        until_us = last_us + 1
    where += [requests.c.created_at >= sa.bindparam("start"), requests.c.created_at < sa.bindparam("end")]
    statement = (
        sa.select(*_COLUMNS)
        .where(*where)
        .order_by(requests.c.created_at.desc(), requests.c.request_id.desc())
        .limit(sa.bindparam("left"))
    )
    found: list[sa.RowMapping] = []
    async with aclosing(spans(connection, tenant, wanted, until_us)) as parts:
        async for start_us, end_us in parts:
            given = {"start": start_us, "end": end_us, "left": limit + 1 - len(found)}
            found += (await connection.execute(statement, given)).mappings()
            if len(found) > limit:
                break
    more = found[limit - 1] if len(found) > limit else None
    return Rows(
        [_summary(row) for row in found[:limit]],
        _write_cursor(more["created_at"], more["request_id"], tenant, wanted) if more else None,
    )


async def one(connection: AsyncConnection, tenant: str | None, request_id: str) -> dict[str, Any]:
    """A row with its decision. Raises `NotFound`, also where the row is another tenant's."""
    row = await find(connection, tenant, request_id)
    usage = {name: row[f"{name}_tokens"] for name in TOKEN_CLASSES} | tools_of(row["attempts"])
    return {
        **_summary(row),
        "app": row["app"],
        "upstream_id": row["upstream_id"],
        "score": row["score"],
        "reason": row["reason"],
        "experiment_id": row["experiment_id"],
        "arm": row["arm"],
        "usage": usage,
        "price_version": row["price_version"],
        "cache_key": row["cache_key"],
        "finish": row["finish"],
        "decision": row["decision"],
        "attempts": row["attempts"] or [],
        "calls": _calls(row, usage),
    }


def _calls(row: Mapping[str, Any], usage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What models were asked for it, each with what it was for and its cost."""
    names = "request_id", "status", "route", "dialect", "tenant", "provider", "model", "cost"
    exchange = Exchange(
        **{name: row[name] for name in names},
        created_at_us=row["created_at"],
        attempts=msgspec.convert(row["attempts"] or (), tuple[Attempt, ...]),
        usage=msgspec.convert(usage, Usage),
    )
    cascade = (row["decision"] or {}).get("metadata", {}).get("cascade", {})
    told = [msgspec.to_builtins(call) for call in calls_of(exchange, cascade)]
    return [{"latency_ms": _milliseconds(call.pop("duration_us")), **call} for call in told]


async def find(connection: AsyncConnection, tenant: str | None, request_id: str) -> Mapping[str, Any]:
    """The row as it is stored. Raises `NotFound`."""
    unknown = NotFound("There is no request with this id.", param="request_id")
    try:
        known_form = str(UUID(request_id)) == request_id
    except ValueError:
        raise unknown from None
    statement = sa.select(requests).where(requests.c.request_id == request_id, *of_tenant(requests.c.tenant, tenant))
    row = (await connection.execute(statement)).mappings().first() if known_form else None
    if row is None:
        raise unknown
    return dict(row)


def _conditions(connection: AsyncConnection, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """All but the moments."""
    found = [column == value for name, column in _EQUAL.items() if (value := getattr(wanted, name)) is not None]
    if wanted.tag is not None:
        name, _, value = wanted.tag.partition("=")
        each = sa.func.json_each if connection.dialect.name == "sqlite" else sa.func.jsonb_each_text
        tags = each(requests.c.tags).table_valued("key", "value")
        found.append(sa.exists().select_from(tags).where(tags.c.key == name, tags.c.value == value))
    return found


def _older_than(created_at_us: int, request_id: str) -> sa.ColumnElement[bool]:
    place = sa.tuple_(sa.literal(created_at_us, Moment), sa.literal(request_id, Identifier))
    return sa.tuple_(requests.c.created_at, requests.c.request_id) < place


def _seal(place: bytes, tenant: str | None, wanted: Filter) -> bytes:
    """Binds a cursor to its question, so that it continues no other."""
    question = msgspec.json.encode((tenant, wanted))
    return blake2b(place + question, digest_size=_SEAL_BYTES).digest()


def _write_cursor(created_at_us: int, request_id: str, tenant: str | None, wanted: Filter) -> str:
    place = created_at_us.to_bytes(8, "big") + UUID(request_id).bytes
    return urlsafe_b64encode(place + _seal(place, tenant, wanted)).decode().rstrip("=")


def _read_cursor(cursor: str, tenant: str | None, wanted: Filter) -> tuple[int, str]:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raw = b""
    place, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
    if len(raw) != 8 + 16 + _SEAL_BYTES or seal != _seal(place, tenant, wanted):
        raise InvalidRequest(
            "The cursor does not belong to this list: take `next_cursor` from an answer to the same query.",
            code="invalid_parameter",
            param="cursor",
        )
    return int.from_bytes(place[:8], "big"), str(UUID(bytes=place[8:]))


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000


def _summary(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of the list: money in nano-dollars, `created_at` in µs."""
    names = ("request_id", "created_at", "status", "provider", "model", "strategy", "tier", "confidence")
    more = ("cost", "baseline_cost", "savings", "estimated", "cache", "cache_level", "tenant", "key_id", "team")
    rest = ("session", "requested_model", "route", "dialect", "stream", "http_status", "error_code")
    return {
        **{name: row[name] for name in (*names, *more, *rest)},
        "user": row["user_id"],
        "tags": row["tags"] or {},
        "tokens_in": sum(row[f"{name}_tokens"] for name in TOKENS_IN),
        "tokens_out": sum(row[f"{name}_tokens"] for name in TOKENS_OUT),
        "cache_hit": row["cache"] == "hit",
        "latency_ms": _milliseconds(row["duration_us"]),
        "first_token_ms": _milliseconds(row["first_token_us"]),
        "upstream_ms": _milliseconds(row["upstream_us"]),
    }
