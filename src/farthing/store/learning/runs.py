"""Trainings and what they have learned: one at a time over all hosts, the last three kept, one in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.authentic import payload_of, signed
from farthing.domain.errors import Conflict
from farthing.domain.secrecy import Secret
from farthing.ports.learning import Learned, Outcome, Run
from farthing.store.clock import NOW_US
from farthing.store.engine import Engines
from farthing.store.learning.schema import learning_snapshots
from farthing.store.schema import counters
from farthing.store.tenancy import last_change, note_change

COUNTER = "learning"
"""Counts changes of what is in force, so that nobody reads what has not changed."""
TURN = "learning:turn"
TURN_S = 15.0
"""For how long a training that says nothing is believed to go on."""
KEPT = 3
SHOWN = 20
"""Trainings that are remembered, with those that are kept."""
_RUN, _COUNTER = learning_snapshots.c, counters.c
_SHOWN = _RUN.snapshot_id, _RUN.created_at, _RUN.outcome, _RUN.is_active, _RUN.summary, _RUN.payload.is_not(None)
_NEWEST = _RUN.created_at.desc(), _RUN.snapshot_id.desc()


class Runs:
    """Implements `farthing.ports.learning.RunStore`. Everything raises `Unavailable` while the database is away."""

    def __init__(self, engines: Engines, secret: Secret[bytes]) -> None:
        """`secret` signs what is kept: who can write into a table could choose everybody's models with it."""
        self._engines = engines
        self._secret = secret
        self._now = NOW_US[engines.backend.name]

    async def begin(self, run_id: str, *, at_us: int, summary: Mapping[str, Any]) -> int | None:
        """The turn at training, which lasts for `TURN_S`, or None while it is somebody else's."""
        new = self._engines.backend.inserting(counters).values(name=TURN, value=self._until())
        claim = new.on_conflict_do_update(
            index_elements=["name"], set_={"value": self._until()}, where=_COUNTER.value <= self._now
        )
        row = {"snapshot_id": run_id, "created_at": at_us, "outcome": "running", "is_active": False, "summary": summary}
        async with self._engines.writing() as connection:
            turn = (await connection.execute(claim.returning(_COUNTER.value))).scalar()
            if turn is None:
                return None
            # Whoever had the turn before has lost it.
            left = sa.update(learning_snapshots).where(_RUN.outcome == "running")
            await connection.execute(left.values(outcome="interrupted"))
            await connection.execute(sa.insert(learning_snapshots).values(row))
            return int(turn)

    async def renew(self, run_id: str, turn: int, summary: Mapping[str, Any]) -> int | None:
        """The turn for as long again, with what there is to tell; None where it was lost."""
        async with self._engines.writing() as connection:
            later = await self._set(connection, turn, self._until())
            if later is not None:
                await connection.execute(_its(run_id).values(summary=summary))
            return later

    async def finish(
        self, run_id: str, turn: int, outcome: Outcome, summary: Mapping[str, Any], payload: bytes | None = None
    ) -> bool:
        """Ends the turn, and with a payload makes it what is in force. False where the turn was lost."""
        changes: dict[str, Any] = {"outcome": outcome, "summary": summary}
        # Of many models it is some megabytes, which takes its time over a slow line.
        async with self._engines.writing("analysis") as connection:
            if await self._set(connection, turn, sa.literal(0, sa.BigInteger)) is None:
                return False
            if payload is not None:
                await self._stand_down(connection)
                changes |= {"payload": signed(self._secret, _key(run_id), payload), "is_active": True}
            await connection.execute(_its(run_id).values(**changes))
            await _prune(connection)
            if payload is not None:
                await note_change(self._engines, connection, COUNTER)
        return True

    async def runs(self) -> Sequence[Run]:
        """The last ones, the newest first; of one that says nothing any more it is told that it was interrupted."""
        turn = sa.select(_COUNTER.value > self._now).where(_COUNTER.name == TURN)
        async with self._engines.reading() as connection:
            is_taken = bool((await connection.execute(turn)).scalar())
            rows = (await connection.execute(sa.select(*_SHOWN).order_by(*_NEWEST))).all()
        return [_run(row, is_taken=is_taken) for row in rows]

    async def rollback(self) -> Run:
        """The kept one before the one in force is so from now on. Raises `Conflict` where there is none."""
        async with self._engines.writing() as connection:
            # Of two at once the second waits here and goes on from where the first has come to.
            await note_change(self._engines, connection, COUNTER)
            kept = sa.select(*_SHOWN).where(_RUN.payload.is_not(None)).order_by(*_NEWEST)
            rows = (await connection.execute(kept)).all()
            active = next((place for place, row in enumerate(rows) if row.is_active), len(rows))
            if active + 1 >= len(rows):
                raise Conflict(
                    "Nothing earlier that was learned is kept. To do without what is, set routing.strategy to "
                    '"complexity".',
                    code="no_earlier_snapshot",
                )
            earlier = rows[active + 1]
            await self._stand_down(connection)
            await connection.execute(_its(earlier.snapshot_id).values(is_active=True))
        return _run(earlier, is_taken=False, is_active=True)

    async def number(self) -> int:
        """Of the last change of what is in force: quick to tell."""
        async with self._engines.reading("refresh") as connection:
            return await last_change(connection, COUNTER)

    async def active(self) -> Learned | None:
        """What is in force. Raises `ValueError` where it is not ours, or not whole."""
        statement = sa.select(*_SHOWN, _RUN.payload.label("payload")).where(_RUN.is_active.is_(True))
        async with self._engines.reading("analysis") as connection:
            row = (await connection.execute(statement.limit(1))).first()
        if row is None:
            return None
        payload = payload_of(self._secret, _key(row.snapshot_id), row.payload or b"")
        if payload is None:
            raise ValueError("it bears another gateway's signature, or is not whole")
        return Learned(_run(row, is_taken=False), payload)

    def _until(self) -> sa.ColumnElement[int]:
        return self._now + round(TURN_S * 1_000_000)

    async def _set(self, connection: AsyncConnection, turn: int, value: sa.ColumnElement[int]) -> int | None:
        """The turn's new end; None where it is not any more what it was."""
        mine = sa.update(counters).where(_COUNTER.name == TURN, _COUNTER.value == turn)
        found = (await connection.execute(mine.values(value=value).returning(_COUNTER.value))).scalar()
        return None if found is None else int(found)

    async def _stand_down(self, connection: AsyncConnection) -> None:
        await connection.execute(sa.update(learning_snapshots).where(_RUN.is_active.is_(True)).values(is_active=False))


async def _prune(connection: AsyncConnection) -> None:
    """Drops what is kept beyond the last three, and forgets old trainings."""
    kept = sa.select(_RUN.snapshot_id).where(_RUN.payload.is_not(None)).order_by(_RUN.is_active.desc(), *_NEWEST)
    older = [row.snapshot_id for row in await connection.execute(kept.offset(KEPT))]
    await connection.execute(sa.update(learning_snapshots).where(_RUN.snapshot_id.in_(older)).values(payload=None))
    newest = [row.snapshot_id for row in await connection.execute(sa.select(_RUN.snapshot_id).order_by(*_NEWEST))]
    old = _RUN.snapshot_id.in_(newest[SHOWN:])
    await connection.execute(sa.delete(learning_snapshots).where(old, _RUN.payload.is_(None)))


def _its(run_id: str) -> sa.Update:
    return sa.update(learning_snapshots).where(_RUN.snapshot_id == run_id)


def _key(run_id: str) -> str:
    return f"learning:{run_id}"


def _run(row: Any, *, is_taken: bool, is_active: bool | None = None) -> Run:  # noqa: ANN401 (a row)
    is_left = row.outcome == "running" and not is_taken
    return Run(
        id=row.snapshot_id,
        created_us=row.created_at,
        outcome="interrupted" if is_left else row.outcome,
        is_active=row.is_active if is_active is None else is_active,
        is_kept=bool(row[5]),
        summary=row.summary,
    )
