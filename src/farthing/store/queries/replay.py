"""`GET /v1/replay`: routed requests with their questions and ratings, the newest first, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import convert
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.chat import Usage
from farthing.domain.routing import STRATEGIES
from farthing.ports import Stretch
from farthing.ports.replay import Decided
from farthing.store.columns import Identifier, Moment
from farthing.store.engine import Engines
from farthing.store.learning.lessons import together
from farthing.store.learning.schema import lessons, response_feedback
from farthing.store.queries.quality import of_tenant
from farthing.store.rows import USAGE_COLUMNS, tools_of
from farthing.store.schema import requests

PAGE = 1_000
_ROW, _LESSON, _SAID = requests.c, lessons.c, response_feedback.c
_READ = (
    *(_ROW[name] for name in ("request_id", "created_at", "model", "strategy", "tier", "score", "cost")),
    *(_ROW[name] for name in ("decision", "attempts", *USAGE_COLUMNS.values())),
)
_TOLD = _SAID.source, _SAID.quality, _SAID.is_correct, _SAID.is_helpful, _SAID.created_at.label("rated_at")


async def decided(
    engines: Engines, tenant: str | None, stretch: Stretch, *, limit: int
) -> AsyncIterator[Sequence[Decided]]:
    """The newest `limit`, each page in a transaction of its own: what is asked meanwhile is not among them."""
    after: tuple[int, str] | None = None
    while limit > 0:
        wanted = min(PAGE, limit)
        async with engines.reading("analysis") as connection:
            rows = await _page(connection, tenant, stretch, after, wanted)
            ratings = await _ratings(connection, [row["request_id"] for row in rows])
        yield [_decided(row, ratings.get(row["request_id"], ())) for row in rows]
        if len(rows) < wanted:
            return
        limit -= wanted
        after = rows[-1]["created_at"], rows[-1]["request_id"]


async def _page(
    connection: AsyncConnection, tenant: str | None, stretch: Stretch, after: tuple[int, str] | None, limit: int
) -> Sequence[Mapping[Any, Any]]:
    where = [_ROW.status == "ok", _ROW.strategy.in_(sorted(STRATEGIES)), _ROW.model.is_not(None)]
    where += of_tenant(_ROW.tenant, tenant)
    if stretch.from_us is not None:
        where.append(_ROW.created_at >= stretch.from_us)
    if stretch.to_us is not None:
        where.append(_ROW.created_at < stretch.to_us)
    if after is not None:
        place = sa.tuple_(sa.literal(after[0], Moment), sa.literal(after[1], Identifier))
        where.append(sa.tuple_(_ROW.created_at, _ROW.request_id) < place)
    statement = (
        sa.select(*_READ, _LESSON.prompt)
        .outerjoin_from(requests, lessons, _LESSON.request_id == _ROW.request_id)
        .where(*where)
        .order_by(_ROW.created_at.desc(), _ROW.request_id.desc())
        .limit(limit)
    )
    return (await connection.execute(statement)).mappings().all()


async def _ratings(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """What was said of these requests, and of the kept answers that they bought."""
    by_request = sa.select(_SAID.request_id, *_TOLD).where(_SAID.request_id.in_(ids))
    is_its_answer = sa.and_(
        _SAID.answer_key == _LESSON.cache_key, _SAID.model == _LESSON.model, _SAID.created_at >= _LESSON.created_at
    )
    by_answer = (
        sa.select(_LESSON.request_id, *_TOLD)
        .join_from(lessons, response_feedback, is_its_answer)
        .where(_LESSON.request_id.in_(ids))
    )
    found: dict[str, list[Any]] = {}
    for statement in (by_request, by_answer):
        # What people only seem to think is too weak to estimate from.
        for row in await connection.execute(statement.where(_SAID.source != "implicit")):
            found.setdefault(row.request_id, []).append(row)
    return found


def _decided(row: Mapping[Any, Any], said: Sequence[Any]) -> Decided:
    usage = {name: row[column] for name, column in USAGE_COLUMNS.items()} | tools_of(row["attempts"])
    return Decided(
        created_at_us=row["created_at"],
        model=row["model"],
        strategy=row["strategy"],
        tier=row["tier"],
        score=row["score"],
        decision=row["decision"] or {},
        is_first=len(row["attempts"] or ()) <= 1,
        usage=convert(usage, Usage),
        cost=row["cost"],
        prompt=row["prompt"],
        rating=together(said)[0] if said else None,
        rated_us=max((each.rated_at for each in said), default=None),
    )
