"""What the last test of each promise has found, the same for all workers and hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from farthing.domain.routing.rules import Promise
from farthing.ports.learning import PromiseTest
from farthing.store.engine import Engines
from farthing.store.learning.schema import promises
from farthing.store.tenancy import last_change, note_change

COUNTER = "promises"
"""Counts tests, so that nobody reads what has not changed."""
_TEST = promises.c


class Promises:
    """Implements `farthing.ports.learning.PromiseStore`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def number(self) -> int:
        """Of the last test: quick to tell. Raises `Unavailable`."""
        async with self._engines.reading("refresh") as connection:
            return await last_change(connection, COUNTER)

    async def tests(self) -> Mapping[str, PromiseTest]:
        """By rule. Raises `Unavailable`."""
        async with self._engines.reading("refresh") as connection:
            return {row.rule: _test(row) for row in await connection.execute(sa.select(promises))}

    async def note(self, test: PromiseTest, *, before: PromiseTest | None) -> bool:
        """Puts a test in the place of the one `before`; False where somebody else has done so. Raises `Unavailable`."""
        row = _row(test)
        new = self._engines.backend.inserting(promises).values(row)
        if before is None:
            statement = new.on_conflict_do_nothing()
        else:
            its = _TEST.tested_at == before.tested_at_us
            statement = new.on_conflict_do_update(index_elements=["rule"], set_=row, where=its)
        async with self._engines.writing() as connection:
            is_ours = (await connection.execute(statement.returning(_TEST.rule))).first() is not None
            if is_ours:
                await note_change(self._engines, connection, COUNTER)
        return is_ours


def _row(test: PromiseTest) -> dict[str, Any]:
    return {
        "rule": test.rule,
        "tested_at": test.tested_at_us,
        "since": test.since_us,
        "points": test.promise.points,
        "confidence": test.promise.confidence,
        "baseline": test.baseline,
        "pairs": test.pairs,
        "margin": test.margin,
        "challengers": sorted(test.challengers),
        "share": test.share,
        "loss": test.loss,
        "most": test.most,
    }


def _test(row: Any) -> PromiseTest:  # noqa: ANN401 (a row)
    return PromiseTest(
        rule=row.rule,
        tested_at_us=row.tested_at,
        since_us=row.since,
        promise=Promise(points=row.points, confidence=row.confidence),
        baseline=row.baseline,
        pairs=row.pairs,
        margin=row.margin,
        challengers=frozenset(row.challengers),
        share=row.share,
        loss=row.loss,
        most=row.most,
    )
