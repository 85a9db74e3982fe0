"""Experiments in the database: defined, counted, ended once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.experiments.data import Data
from farthing.domain.experiments.definition import Doubt, Experiment
from farthing.domain.experiments.verdict import Verdict
from farthing.ports.experiments import Kept, Recorded, Result, Spread, Tally
from farthing.store.experiment_looks import Looks, forget
from farthing.store.experiment_results import followed, keep, lost
from farthing.store.queries.quality import of_tenant
from farthing.store.queries.results import read
from farthing.store.queries.variance import variance
from farthing.store.schema import experiments
from farthing.store.tenancy import last_change, note_change

COUNTER = "experiments"
"""Counts changes of everything but results, so that nobody reads what has not changed."""
MOST_RUNNING = 100
"""Of one tenant at a time: requests are asked of each that has a scope, and each is analysed as it goes."""
BY_HAND = "it was stopped by hand"
_TABLE = experiments.c
_STATE = ("status", "completed_us", "decided_n", "verdict", "doubt", "rolled_back_us", "rolled_back_for")
"""Fields of an experiment with columns of their own, which alone are true."""
_PROMOTED = _TABLE.status == "completed", _TABLE.aftermath.is_not(None), _TABLE.rolled_back_at.is_(None)


class _Lost(Exception):
    """Somebody else was first: nothing is to be changed any more."""


class Changes(Struct, frozen=True, kw_only=True):
    """Experiments that changed, whatever their status, and the number of the last change."""

    number: int
    has_all: bool
    experiments: Sequence[Experiment]


class Experiments(Looks):
    """Implements `farthing.ports.experiments.Experiments`."""

    async def create(self, experiment: Experiment) -> None:
        """Keeps a new experiment. Raises `Conflict` where the tenant has too many that run, `Unavailable`."""
        row = {
            "experiment_id": experiment.id,
            "tenant": experiment.tenant,
            "status": experiment.status,
            "created_at": experiment.created_us,
            "definition": _definition(experiment),
        }
        running = sa.select(sa.func.count()).where(_TABLE.tenant == experiment.tenant, _TABLE.status == "running")
        async with self._changing() as (connection, number):
            # Whoever begins another waits for this transaction, so nobody counts what is about to be one more.
            if (await connection.execute(running)).scalar_one() >= MOST_RUNNING:
                raise Conflict(
                    f"{MOST_RUNNING} experiments are running here, and more would tell little of each: end one first.",
                    code="too_many_experiments",
                )
            await connection.execute(sa.insert(experiments).values(**row, changed=number))

    async def get(self, tenant: str | None, experiment_id: str) -> Kept:
        """One of them. Raises `NotFound`, `Unavailable`."""
        async with self._engines.reading() as connection:
            return kept(await _one(connection, tenant, experiment_id))

    async def list(self, tenant: str | None, *, limit: int = 100, after: str | None = None) -> Sequence[Kept]:
        """The newest first; those before the one of the id `after`. Raises `Unavailable`."""
        where = of_tenant(_TABLE.tenant, tenant)
        place = sa.tuple_(_TABLE.created_at, _TABLE.experiment_id)
        if after is not None:
            other = experiments.alias()
            last = sa.select(other.c.created_at, other.c.experiment_id).where(other.c.experiment_id == after)
            where = [*where, place < last.scalar_subquery()]
        newest = _TABLE.created_at.desc(), _TABLE.experiment_id.desc()
        statement = sa.select(experiments).where(*where).order_by(*newest).limit(limit)
        async with self._engines.reading() as connection:
            return [kept(row) for row in await connection.execute(statement)]

    async def change(self, experiment: Experiment, *, before: Experiment) -> Experiment:
        """Gives a running experiment what this one says. Raises `NotFound`, `Conflict`, `Unavailable`."""
        async with self._changing() as (connection, number):
            now = kept(await _one(connection, experiment.tenant, experiment.id, lock=True)).experiment
            if now.status != "running":
                raise Conflict("This experiment has ended and cannot be changed any more.", param="status")
            if now != before:
                raise Conflict("Somebody else has changed this experiment meanwhile. Look at it again.")
            values = {"definition": _definition(experiment), "changed": number}
            await connection.execute(_update(experiment.id).values(**values))
        return experiment

    async def stop(self, tenant: str | None, experiment_id: str, *, at_us: int) -> Kept:
        """Cancels a running experiment, and rolls back a promoted one. Raises `NotFound`, `Unavailable`."""
        with suppress(_Lost):
            async with self._changing() as (connection, number):
                row = await _one(connection, tenant, experiment_id, lock=True)
                if row.status == "running":
                    last = min(row.n, kept(row).experiment.sample_size)
                    ended = {"status": "cancelled", "completed_at": at_us, "decided_n": last, "verdict": None}
                    await connection.execute(_update(experiment_id).values(**ended, changed=number))
                    await forget(connection, experiment_id)
                else:
                    back = _return(experiment_id, at_us=at_us, reason=BY_HAND, number=number)
                    await _one_row(connection, back)
        return await self.get(tenant, experiment_id)

    async def record(self, tenant: str | None, experiment_id: str, result: Result) -> Recorded:
        """Keeps a result from outside. Raises `NotFound`, `Unavailable`, `InvalidRequest` for what cannot be stored."""
        async with self._engines.writing() as connection:
            row = await _one(connection, tenant, experiment_id, lock=True)
            number = await keep(connection, row, result)
        if number is None:
            return "duplicate"
        return "late" if number > kept(row).experiment.horizon else "counted"

    async def refuse(self, tenant: str | None, experiment_id: str) -> None:
        """Counts a result whose value is none, until the verdict. Raises `NotFound`, `Unavailable`."""
        more = _update(experiment_id).where(*of_tenant(_TABLE.tenant, tenant), _TABLE.decided_n.is_(None))
        async with self._engines.writing() as connection:
            if (await connection.execute(more.values(invalid=_TABLE.invalid + 1))).rowcount == 0:
                await _one(connection, tenant, experiment_id)

    async def data(self, tenant: str | None, experiment_id: str, *, moves: bool = False) -> tuple[Kept, Data]:
        """What is to be analysed, and the experiment as it was then. Raises `NotFound`, `Unavailable`."""
        async with self._engines.reading("analysis") as connection:
            found = kept(await _one(connection, tenant, experiment_id))
            return found, await read(connection, found, moves=moves)

    async def decide(self, kept: Kept, verdict: Verdict, *, at_us: int) -> bool:
        """Completes a running experiment with this verdict; True for one caller only. Raises `Unavailable`."""
        experiment = kept.experiment
        ended = {
            "status": "completed",
            "completed_at": at_us,
            "decided_n": min(kept.tally.n, experiment.sample_size),
            "verdict": msgspec.to_builtins(verdict),
        }
        if replace(experiment, status="completed", verdict=verdict).promoted is not None:
            ended["aftermath"] = {}
        still = _update(experiment.id).where(
            _TABLE.status == "running",
            _TABLE.ratings == kept.tally.ratings,
            _TABLE.changed == kept.revision,
        )
        with suppress(_Lost):
            async with self._changing() as (connection, number):
                await _one_row(connection, still.values(**ended, changed=number))
                await forget(connection, experiment.id)
            return True
        return False

    async def doubt(self, kept: Kept, doubt: Doubt | None) -> int | None:
        """Keeps what speaks against a running experiment until its verdict. Raises `Unavailable`."""
        still = _update(kept.experiment.id).where(_TABLE.status == "running", _TABLE.changed == kept.revision)
        with suppress(_Lost):
            async with self._changing() as (connection, number):
                said = None if doubt is None else msgspec.to_builtins(doubt)
                await _one_row(connection, still.values(verdict=said, changed=number))
            return number
        return None

    async def watched(self) -> Sequence[Kept]:
        """Experiments whose winner is promoted. Raises `Unavailable`."""
        statement = sa.select(experiments).where(*_PROMOTED).order_by(_TABLE.experiment_id)
        async with self._engines.reading("refresh") as connection:
            return [kept(row) for row in await connection.execute(statement)]

    async def roll_back(self, experiment_id: str, *, at_us: int, reason: str) -> bool:
        """Gives everybody control again; True for one caller only. Raises `Unavailable`."""
        with suppress(_Lost):
            async with self._changing() as (connection, number):
                await _one_row(connection, _return(experiment_id, at_us=at_us, reason=reason, number=number))
            return True
        return False

    async def spread(
        self,
        tenant: str | None,
        *,
        since_us: int,
        model: str | None = None,
        strategy: str | None = None,
        route: str | None = None,
    ) -> Spread:
        """How costs vary by user in the ledger since that moment. Raises `Unavailable`."""
        wanted = {"tenant": tenant, "model": model, "strategy": strategy, "route": route}
        async with self._engines.reading("analysis") as connection:
            return await variance(connection, since_us, wanted)

    async def changes(self, since: int | None) -> Changes | None:
        """What changed after the change of this number, None for everything; None for nothing, which is quick to tell.

        Raises `Unavailable`.
        """
        async with self._engines.reading("refresh") as connection:
            number = await last_change(connection, COUNTER)
            if number == since:
                return None
            # Numbers go back where a backup was restored.
            has_all = since is None or number < since
            where = [] if has_all else [_TABLE.changed > since]
            newest = sa.select(experiments).where(*where).order_by(_TABLE.created_at, _TABLE.experiment_id)
            found = [kept(row).experiment for row in await connection.execute(newest)]
        return Changes(number=number, has_all=has_all, experiments=found)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[tuple[AsyncConnection, int]]:
        """A transaction and the number of its change, which nobody is told of where the block raises."""
        async with self._engines.writing() as connection:
            yield connection, await note_change(self._engines, connection, COUNTER)


def kept(row: sa.Row[Any]) -> Kept:
    """The experiment of a row."""
    state = {"completed_us": row.completed_at, "decided_n": row.decided_n}
    state["doubt" if row.status == "running" else "verdict"] = row.verdict
    back = {"rolled_back_us": row.rolled_back_at, "rolled_back_for": row.rolled_back_for or ""}
    experiment = msgspec.convert({**row.definition, "status": row.status, **state, **back}, Experiment)
    tally = Tally(
        n=row.n,
        late=max(0, row.n - experiment.horizon),
        duplicates=row.duplicates,
        invalid=row.invalid,
        ratings=row.ratings,
        **msgspec.structs.asdict(lost(row)),
    )
    return Kept(experiment=experiment, tally=tally, revision=row.changed, aftermath=followed(row))


def _definition(experiment: Experiment) -> dict[str, Any]:
    tree: dict[str, Any] = msgspec.to_builtins(experiment)
    return {name: value for name, value in tree.items() if name not in _STATE}


def _return(experiment_id: str, *, at_us: int, reason: str, number: int) -> sa.Update:
    values = {"rolled_back_at": at_us, "rolled_back_for": reason, "changed": number}
    return _update(experiment_id).where(*_PROMOTED).values(**values)


async def _one_row(connection: AsyncConnection, change: sa.Update) -> None:
    if (await connection.execute(change)).rowcount == 0:
        raise _Lost


def _update(experiment_id: str) -> sa.Update:
    return sa.update(experiments).where(_TABLE.experiment_id == experiment_id)


async def _one(
    connection: AsyncConnection, tenant: str | None, experiment_id: str, *, lock: bool = False
) -> sa.Row[Any]:
    statement = sa.select(experiments).where(_TABLE.experiment_id == experiment_id, *of_tenant(_TABLE.tenant, tenant))
    row = (await connection.execute(statement.with_for_update() if lock else statement)).first()
    if row is None:
        raise _unknown()
    return row


def _unknown() -> NotFound:
    return NotFound("There is no such experiment here.", code="experiment_not_found", param="experiment_id")
