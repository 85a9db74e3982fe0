"""Which running experiments have news, and who of all workers looks at each: one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.ports.experiments import Due, Tally
from farthing.store.clock import NOW_US
from farthing.store.engine import Engines
from farthing.store.experiment_results import lost
from farthing.store.schema import counters, experiments

_TABLE, _COUNTER = experiments.c, counters.c
_NEEDED = ("experiment_id", "n", "duplicates", "invalid", "ratings", "lost")


class Looks:
    """Turns at looking, kept among the counters: until when one is somebody's, and how much he has seen."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._now = NOW_US[engines.backend.name]

    async def pending(self) -> Sequence[Due]:
        """Running experiments with results that nobody has looked at, or looks at now. Raises `Unavailable`."""
        columns: list[sa.ColumnElement[Any]] = [_TABLE[name] for name in _NEEDED]
        columns.append(_TABLE.definition["sample_size"].as_integer().label("sample_size"))
        statement = sa.select(*columns).where(_TABLE.status == "running", _TABLE.n > 0)
        async with self._engines.reading("refresh") as connection:
            rows = await connection.execute(statement.order_by(_TABLE.experiment_id))
            found = [_due(row) for row in rows]
            if not found:
                return []
            turns = [name for due in found for name in (_turn(due), _seen(due.experiment_id))]
            known = sa.select(_COUNTER.name, _COUNTER.value, self._now).where(_COUNTER.name.in_(turns))
            values = {name: (value, now) for name, value, now in await connection.execute(known)}
        return [due for due in found if _is_open(due, values)]

    async def claim(self, due: Due, *, seconds: float) -> bool:
        """Whether it is this caller's to look at, for so long. Raises `Unavailable`."""
        async with self._engines.writing("refresh") as connection:
            return await _is_running(connection, due) and await self._set(
                connection, _turn(due), self._after(seconds), where=_COUNTER.value <= self._now
            )

    async def looked(self, due: Due, *, is_done: bool, rest_s: float) -> None:
        """Ends a turn: nobody looks for so many seconds, nor until there is more, if it `is_done`.

        Of one that has ended meanwhile nothing is kept. Raises `Unavailable`.
        """
        async with self._engines.writing("refresh") as connection:
            if not await _is_running(connection, due):
                return
            await self._set(connection, _turn(due), self._after(rest_s))
            if is_done:
                await self._set(connection, _seen(due.experiment_id), sa.literal(due.tally.serial))

    def _after(self, seconds: float) -> sa.ColumnElement[int]:
        return self._now + round(seconds * 1_000_000)

    async def _set(
        self,
        connection: AsyncConnection,
        name: str,
        value: sa.ColumnElement[int],
        *,
        where: sa.ColumnElement[bool] | None = None,
    ) -> bool:
        new = self._engines.backend.inserting(counters).values(name=name, value=value)
        upsert = new.on_conflict_do_update(index_elements=["name"], set_={"value": value}, where=where)
        return (await connection.execute(upsert)).rowcount == 1


async def forget(connection: AsyncConnection, experiment_id: str) -> None:
    """Nobody looks at this experiment any more: it has ended."""
    # One by one, in the order in which a turn is ended: they wait for one another but never deadlock.
    for name in _names(experiment_id):
        await connection.execute(sa.delete(counters).where(_COUNTER.name == name))


async def _is_running(connection: AsyncConnection, due: Due) -> bool:
    """Whether it has not ended, nor will before this transaction does: what is written of its turns is forgotten."""
    where = _TABLE.experiment_id == due.experiment_id, _TABLE.status == "running"
    locked = sa.select(_TABLE.experiment_id).where(*where).with_for_update()
    return (await connection.execute(locked)).first() is not None


def _due(row: sa.Row[Any]) -> Due:
    tally = Tally(n=row.n, duplicates=row.duplicates, invalid=row.invalid, ratings=row.ratings, **asdict(lost(row)))
    return Due(experiment_id=row.experiment_id, sample_size=row.sample_size, tally=tally)


def _is_open(due: Due, values: Mapping[str, tuple[int, int]]) -> bool:
    seen, _ = values.get(_seen(due.experiment_id), (0, 0))
    until, now = values.get(_turn(due), (0, 0))
    return due.tally.serial > seen and until <= now


def _names(experiment_id: str) -> Iterator[str]:
    yield from (f"experiment:{experiment_id}:{turn}" for turn in ("full", "open", "seen"))


def _turn(due: Due) -> str:
    """Whose turn it is; that of the decision waits for no other."""
    return f"experiment:{due.experiment_id}:{'full' if due.is_full else 'open'}"


def _seen(experiment_id: str) -> str:
    return f"experiment:{experiment_id}:seen"
