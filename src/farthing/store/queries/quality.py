"""`GET /quality/stats`: what people thought of the answers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.store.learning.schema import response_feedback
from farthing.store.schema import response_cache

SHOWN = 10
"""Answers in each list."""


def of_tenant(column: sa.ColumnElement[Any], tenant: str | None) -> list[sa.ColumnElement[bool]]:
    """The condition that keeps to one tenant, none for None."""
    return [] if tenant is None else [column == tenant]


async def quality_stats(connection: AsyncConnection, tenant: str | None) -> dict[str, Any]:
    """Mean quality 0..1 and number of votes; answers by their score. What no person has said stands in `by_source`."""
    answers, said = response_cache.c, response_feedback.c
    by_people = said.source == "explicit"
    liked = (answers.votes > 0, answers.invalidated.is_(False))
    return {
        "by_provider": await _by(connection, said.provider, tenant, by_people),
        "by_model": await _by(connection, said.model, tenant, by_people),
        "by_pattern": await _by(connection, said.pattern, tenant, by_people),
        "by_source": await _by(connection, said.source, tenant),
        "best": await _answers(connection, tenant, *liked, order=answers.score.desc()),
        "worst": await _answers(connection, tenant, *liked, order=answers.score.asc()),
        "invalidated": await _answers(
            connection, tenant, answers.invalidated.is_(True), order=answers.created_at.desc()
        ),
    }


async def _by(
    connection: AsyncConnection, column: sa.Column[Any], tenant: str | None, *where: sa.ColumnElement[bool]
) -> list[dict[str, Any]]:
    quality = response_feedback.c.quality
    statement = (
        sa.select(column, sa.func.avg(quality), sa.func.count())
        .where(column.is_not(None), *where, *of_tenant(response_feedback.c.tenant, tenant))
        .group_by(column)
        .order_by(column)
    )
    found = await connection.execute(statement)
    return [{"name": name, "quality": float(mean), "votes": votes} for name, mean, votes in found]


async def _answers(
    connection: AsyncConnection, tenant: str | None, *where: sa.ColumnElement[bool], order: sa.UnaryExpression[Any]
) -> list[dict[str, Any]]:
    answers = response_cache.c
    statement = (
        sa.select(answers.key, answers.prompt, answers.provider, answers.model, answers.score, answers.votes)
        .where(*where, *of_tenant(answers.tenant, tenant))
        .order_by(order, answers.key)
        .limit(SHOWN)
    )
    return [
        {
            "cache_key": found.key,
            "prompt": found.prompt,
            "provider": found.provider,
            "model": found.model,
            "quality": found.score,
            "votes": found.votes,
        }
        for found in await connection.execute(statement)
    ]
