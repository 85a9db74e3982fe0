"""What is thought of answers: votes on kept answers, ratings of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import NotFound
from farthing.domain.routing.patterns import Pattern, pattern_of
from farthing.ports import Clock, Source, Verdict
from farthing.store import experiment_results
from farthing.store.cache_level import SqlCacheLevel
from farthing.store.engine import Engines
from farthing.store.learning.schema import lessons, response_feedback
from farthing.store.queries.quality import of_tenant
from farthing.store.queries.requests import find
from farthing.store.rows import storable
from farthing.store.schema import response_cache

VOTES_NEEDED = 3
LEAST_SCORE = 0.3
"""From so many votes on, an answer whose score is lower is never served again."""

_BURIED = sa.select(response_cache.c.key).where(response_cache.c.invalidated.is_(True))
_DETAILS = "is_correct", "is_helpful", "comment"

Vote = Literal[-1, 0, 1]


class Feedback:
    """Implements `farthing.ports.Feedback`. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines, clock: Clock, answers: SqlCacheLevel) -> None:
        self._engines = engines
        self._clock = clock
        self._answers = answers

    async def vote(
        self,
        cache_key: str,
        rating: Vote,
        *,
        tenant: str | None,
        principal: str | None,
        comment: str | None = None,
        decides: bool = False,
    ) -> Verdict:
        """Counts a vote on a kept answer: a principal's last one, or each where the principal is not known.

        One that decides, if it is against the answer, ends it whatever others think.
        Raises `NotFound` where nothing is kept under this key, or not for this tenant. None is every tenant.
        """
        await self._answers.flush()
        async with self._engines.writing() as connection:
            kept = response_cache.c
            # Locked, so that of two votes at once the second sees the first.
            statement = (
                sa.select(response_cache)
                .where(kept.key == cache_key, *of_tenant(kept.tenant, tenant))
                .with_for_update()
            )
            answer = (await connection.execute(statement)).mappings().first()
            if answer is None:
                raise NotFound("There is no kept answer with this cache_key.", param="cache_key")
            vote = {"cache_key": cache_key, "quality": (rating + 1) / 2, "comment": comment, "principal": principal}
            vote |= {"answer_key": cache_key, "pattern": pattern_of(answer["prompt"])}
            await self._keep(connection, "cache_key", vote | _origin(answer))
            # Votes on an earlier answer to the same question say nothing about this one.
            verdict = await self._verdict(
                connection,
                response_feedback.c.cache_key == cache_key,
                response_feedback.c.created_at >= answer["created_at"],
            )
            is_disliked = verdict.votes >= VOTES_NEEDED and verdict.quality_score < LEAST_SCORE
            is_bad = is_disliked or (decides and rating < 0)
            invalidated = answer["invalidated"] or is_bad
            changes = {"score": verdict.quality_score, "votes": verdict.votes, "invalidated": invalidated}
            await connection.execute(
                sa.update(response_cache)
                .where(kept.key == cache_key)
                .values(**changes, **({"entry": b""} if invalidated else {}))
            )
        return Verdict(verdict.quality_score, verdict.votes, invalidated)

    async def rate(
        self,
        request_id: str,
        grade: float,
        *,
        tenant: str | None,
        principal: str | None,
        details: Mapping[Literal["is_correct", "is_helpful", "comment"], Any] | None = None,
        source: Source = "explicit",
    ) -> Verdict:
        """Keeps an opinion of one request, a grade from 1 to 5; a known principal's last one counts.

        What comes of it is what people think: nobody else changes an experiment's results. Who is no person needs a
        name as well, which is no person's. Raises `NotFound`.
        """
        async with self._engines.writing() as connection:
            row = await find(connection, tenant, request_id)
            rating = {"request_id": request_id, "quality": (grade - 1) / 4, "principal": principal, "source": source}
            rating |= {"answer_key": row["cache_key"] if row["status"] == "cached" else None}
            rating |= {"pattern": await _pattern(connection, row)}
            here = response_feedback.c.request_id == request_id, response_feedback.c.source == "explicit"
            is_result = row["experiment_id"] and row["arm"] and source == "explicit"
            before = await self._verdict(connection, *here) if is_result else None
            # What was said before and is not said again does not stand beside it.
            said = dict.fromkeys(_DETAILS) | dict(details or {})
            await self._keep(connection, "request_id", rating | said | _origin(row))
            verdict = await self._verdict(connection, *here)
            if before is not None:
                former = _points(before) if before.votes else None
                await experiment_results.rate(connection, row, _points(verdict), before=former)
            return verdict

    async def tombstones(self) -> frozenset[str]:
        """Keys of all answers that are never served again."""
        async with self._engines.reading("refresh") as connection:
            return frozenset((await connection.execute(_BURIED)).scalars())

    async def _keep(self, connection: AsyncConnection, subject: str, opinion: Mapping[str, Any]) -> None:
        comment = opinion.get("comment")
        row = {"created_at": self._clock.now_us(), **opinion, "comment": storable(comment) if comment else None}
        new = self._engines.backend.inserting(response_feedback).values(**row)
        latest = {name: new.excluded[name] for name in row}
        await connection.execute(new.on_conflict_do_update(index_elements=[subject, "principal"], set_=latest))

    async def _verdict(self, connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> Verdict:
        statement = sa.select(sa.func.avg(response_feedback.c.quality), sa.func.count()).where(*where)
        mean, votes = (await connection.execute(statement)).one()
        return Verdict(float(mean or 0), votes)


async def _pattern(connection: AsyncConnection, row: Mapping[Any, Any]) -> Pattern | None:
    """What kind of thing the request of this row asked for, as far as its decision or a kept question tells."""
    metadata = (row["decision"] or {}).get("metadata", {})
    if known := metadata.get("pattern"):
        return known  # type: ignore[no-any-return]
    noted = sa.select(lessons.c.prompt).where(lessons.c.request_id == row["request_id"])
    kept = sa.select(response_cache.c.prompt).where(response_cache.c.key == row["cache_key"])
    prompt = (await connection.execute(sa.union_all(noted, kept).limit(1))).scalar()
    return pattern_of(prompt) if prompt else None


def _points(verdict: Verdict) -> float:
    """The score on the scale of an experiment's results, 1 to 5."""
    return 1 + 4 * verdict.quality_score


def _origin(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Who gave the answer, so that opinions can be summed without looking it up again."""
    return {name: row[name] for name in ("tenant", "provider", "model", "strategy", "tier")}
