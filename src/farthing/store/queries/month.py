"""The monthly report: a month in sums, and its charges summed from the rows page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import DAY_US
from farthing.domain.report import DIMENSIONS, Basis, Charge
from farthing.ports import Stretch
from farthing.store.columns import Identifier, Moment
from farthing.store.engine import Engines
from farthing.store.queries.quality import of_tenant
from farthing.store.queries.requests import TOKENS_IN, TOKENS_OUT
from farthing.store.queries.savings import savings
from farthing.store.queries.usage import usage
from farthing.store.schema import requests

PAGE = 20_000
"""Rows that one transaction reads."""
MOST = 50_000
"""Charges that are held at a time. Of a day with more, such as one whose tags all differ, some come in parts."""
BATCH = 1_000

_ROW = requests.c
_PLACE = sa.tuple_(_ROW.created_at, _ROW.request_id)
_ALIKE = (_ROW.tenant, _ROW.provider, _ROW.model, _ROW.key_id, _ROW.team, _ROW.tags, _ROW.estimated)
_IS_UNPRICED = _ROW.cost.is_(None)
_ADDED = (
    *(sum((_ROW[f"{name}_tokens"] for name in names), sa.literal(0)) for names in (TOKENS_IN, TOKENS_OUT)),
    *(_ROW.cost, _ROW.baseline_cost, _ROW.savings),
)

_Place = tuple[int, str]
_Rows = Sequence[Sequence[Any]]
"""What is alike, whether the cost is unknown, and the sums."""
_Found = dict[tuple[Any, ...], list[int]]


async def month(connection: AsyncConnection, tenant: str | None, stretch: Stretch) -> dict[str, Any]:
    """`{usage: {dimension: …}, savings, estimated: {requests, cost}}`."""
    return {
        "usage": {dimension: await usage(connection, tenant, dimension, stretch) for dimension in DIMENSIONS},
        "savings": await savings(connection, tenant, stretch),
        "estimated": dict((await connection.execute(estimates(tenant, stretch))).mappings().one()),
    }


def estimates(tenant: str | None, stretch: Stretch) -> sa.Select[int, int]:
    """How many costs are estimates, and what they come to. Only rows tell, but an index holds those alone."""
    [cost] = _sums([_ROW.cost])
    # As an expression, or SQLite would read all rows of the tenant by their own index.
    whose = of_tenant(sa.func.coalesce(_ROW.tenant, ""), tenant)
    return sa.select(sa.func.count().label("requests"), cost.label("cost")).where(
        *whose, *_within(None, stretch.from_us or 0, stretch.to_us or 0), _ROW.estimated, ~_IS_UNPRICED
    )


async def charges(engines: Engines, tenant: str | None, stretch: Stretch) -> AsyncIterator[list[Charge]]:
    """The charges of a stretch of whole days, day by day; what is alike is one, unless there are over `MOST`.

    Each page is read in a transaction of its own: whoever writes them down may be slow.
    """
    for day_us in range(stretch.from_us or 0, stretch.to_us or 0, DAY_US):
        found: _Found = {}
        async for page in _pages(engines, tenant, day_us):
            _add(found, page)
            if len(found) > MOST:
                for batch in _batches(day_us, found):
                    yield batch
                found = {}
        for batch in _batches(day_us, found):
            yield batch


async def _pages(engines: Engines, tenant: str | None, day_us: int) -> AsyncIterator[_Rows]:
    """Sums of `PAGE` rows after `PAGE` rows of a day."""
    after: _Place | None = None
    is_last = False
    while not is_last:
        async with engines.reading("analysis") as connection:
            rows = [*_within(tenant, day_us, day_us + DAY_US), *([] if after is None else [_place(after) < _PLACE])]
            last = await _last_of_page(connection, rows)
            found = await _summed(connection, rows if last is None else [*rows, _place(last) >= _PLACE])
        yield found
        is_last, after = last is None, last


async def _last_of_page(connection: AsyncConnection, rows: Sequence[sa.ColumnElement[bool]]) -> _Place | None:
    """Where a full page ends; None where these rows are less."""
    statement = (
        sa.select(_ROW.created_at, _ROW.request_id)
        .where(*rows)
        .order_by(_ROW.created_at, _ROW.request_id)
        .offset(PAGE - 1)
        .limit(1)
    )
    found = (await connection.execute(statement)).first()
    return None if found is None else (found.created_at, found.request_id)


async def _summed(connection: AsyncConnection, rows: Sequence[sa.ColumnElement[bool]]) -> _Rows:
    statement = sa.select(*_ALIKE, _IS_UNPRICED, sa.func.count(), *_sums(_ADDED)).where(*rows)
    return (await connection.execute(statement.group_by(*_ALIKE, _IS_UNPRICED))).all()


def _sums(columns: Sequence[sa.ColumnElement[Any]]) -> list[sa.ColumnElement[int]]:
    return [sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger) for column in columns]


def _within(tenant: str | None, from_us: int, to_us: int) -> list[sa.ColumnElement[bool]]:
    return [*of_tenant(_ROW.tenant, tenant), _ROW.created_at >= from_us, _ROW.created_at < to_us]


def _place(place: _Place) -> sa.Tuple:
    created_at_us, request_id = place
    return sa.tuple_(sa.literal(created_at_us, Moment), sa.literal(request_id, Identifier))


def _add(found: _Found, page: _Rows) -> None:
    for tenant, provider, model, key, team, tags, is_estimated, is_unpriced, *sums in page:
        basis: Basis = "unpriced" if is_unpriced else "estimated" if is_estimated else "counted"
        alike = tenant, provider, model, key, team, tuple(sorted((tags or {}).items())), basis
        before = found.get(alike)
        found[alike] = sums if before is None else [*map(sum, zip(before, sums, strict=True))]


def _batches(day_us: int, found: _Found) -> list[list[Charge]]:
    """By tenant, provider and so on; what has no value first."""
    places = sorted(found, key=lambda alike: [(value is not None, value) for value in alike])
    return [
        [_charge(day_us, place, found[place]) for place in places[first : first + BATCH]]
        for first in range(0, len(places), BATCH)
    ]


def _charge(day_us: int, alike: tuple[Any, ...], sums: Sequence[int]) -> Charge:
    tenant, provider, model, key, team, tags, basis = alike
    count, tokens_in, tokens_out, cost, baseline_cost, savings = sums
    return Charge(
        day_us=day_us,
        tenant=tenant,
        provider=provider,
        model=model,
        key_id=key,
        team=team,
        tags=tags,
        basis=basis,
        requests=count,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=cost,
        baseline_cost=baseline_cost,
        savings=savings,
    )
