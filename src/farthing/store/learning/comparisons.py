"""Pairs of answers to the same question, and what was thought of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from farthing.ports import Clock
from farthing.ports.learning import Graded, Pair
from farthing.store.deleting import delete_all
from farthing.store.engine import Engines
from farthing.store.learning.lessons import LONGEST_US
from farthing.store.learning.schema import comparisons, response_feedback

MOST_GRADED = 10_000
"""Answers from which it is told how far a judge and people agree."""
_PAIR, _SAID = comparisons.c, response_feedback.c


class Comparisons:
    """Implements `farthing.ports.learning.Comparisons` and `farthing.ports.learning.Grades`."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._engines = engines
        self._clock = clock

    async def keep(self, pair: Pair) -> None:
        """Writes it down; one that is there stays. Raises `Unavailable`."""
        row = msgspec.to_builtins(pair)
        row["created_at"] = row.pop("created_at_us")
        # What people say of an answer stands with the answer.
        del row["told"]
        new = self._engines.backend.inserting(comparisons).values(**row)
        async with self._engines.writing() as connection:
            await connection.execute(new.on_conflict_do_nothing())

    async def pairs(self, rule: str, baseline: str, *, since_us: int, limit: int) -> Sequence[Pair]:
        """Pairs under a route rule's promise, of this baseline and from `since_us` on, the newest first.

        Raises `Unavailable`.
        """
        statement = (
            sa.select(comparisons, _told(_PAIR.request_id))
            .where(_PAIR.rule == rule, _PAIR.created_at >= since_us)
            .where(_PAIR.baseline_model == baseline, _PAIR.short.is_not(None))
            .order_by(_PAIR.created_at.desc(), _PAIR.request_id.desc())
            .limit(limit)
        )
        async with self._engines.reading("analysis") as connection:
            return [_pair(row) for row in await connection.execute(statement)]

    async def graded(self) -> Sequence[Graded]:
        """The newest answers that were served and judged, the oldest first. Raises `Unavailable`."""
        newest = (
            sa.select(_PAIR.request_id, _PAIR.created_at, _PAIR.served_model, _PAIR.served_quality)
            .order_by(_PAIR.created_at.desc(), _PAIR.request_id.desc())
            .limit(MOST_GRADED)
            .subquery()
        )
        statement = sa.select(newest.c.served_model, newest.c.served_quality, _told(newest.c.request_id)).order_by(
            newest.c.created_at, newest.c.request_id
        )
        async with self._engines.reading("analysis") as connection:
            rows = await connection.execute(statement)
            return [Graded(model, judged, None if told is None else float(told)) for model, judged, told in rows]

    async def sweep(self) -> int:
        """Deletes what is as old as questions may get, and returns how much that was. Raises `Unavailable`."""
        oldest = self._clock.now_us() - LONGEST_US
        return await delete_all(self._engines, _PAIR.request_id, _PAIR.created_at < oldest)


def _told(request_id: sa.ColumnElement[str]) -> sa.ColumnElement[float | None]:
    """What people think of an answer."""
    its = sa.select(sa.func.avg(_SAID.quality)).where(_SAID.request_id == request_id, _SAID.source == "explicit")
    return its.scalar_subquery().label("told")


def _pair(row: sa.Row[Any]) -> Pair:
    found = dict(row._mapping)  # noqa: SLF001 (its public name, by SQLAlchemy's custom)
    found["created_at_us"] = found.pop("created_at")
    found["told"] = None if row.told is None else float(row.told)
    return Pair(**found)
