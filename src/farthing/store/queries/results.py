"""Results of an experiment, summed by user in the order of arrival: what its analysis is fed."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.experiments.data import CHECKPOINTS, LATENCIES, MILLION, MOVES, Cohort, Data, Moves, Served
from farthing.ports.experiments import Kept
from farthing.store.schema import experiment_results

PORTION = 2_000
"""Rows at a time, so that the loop is free in between."""
_TABLE = experiment_results.c
_SPREADING, _SPREAD_OVER = 2_654_435_761, 2**32
"""Knuth's multiplicative hash: numbers that follow one another fall evenly, and without any period of arrivals."""


async def read(connection: AsyncConnection, kept: Kept, *, moves: bool) -> Data:
    """The results up to the experiment's horizon; `moves` asks for the chart's data, where there are not too many."""
    n = min(kept.tally.n, kept.experiment.horizon)
    reading = _Reading(kept, n)
    await reading.users(connection)
    await reading.latencies(connection)
    served = await reading.served(connection) if kept.tally.hits else ()
    return Data(
        n=n,
        cohorts=tuple(cohort for _, cohort in sorted(reading.cohorts.items())),
        crossovers=len(reading.crossovers),
        late=kept.tally.late,
        duplicates=kept.tally.duplicates,
        invalid_values=kept.tally.invalid,
        dropped=kept.tally.dropped,
        served=served,
        moves=await reading.moves(connection) if moves else None,
    )


class _Reading:
    """One pass over the results: first who belongs to which arm, then whatever needs to know that."""

    def __init__(self, kept: Kept, n: int) -> None:
        experiment = kept.experiment
        self._n = n
        self._phase = experiment.phase
        self._hits = _TABLE.experiment_id == experiment.id, _TABLE.seq < 0
        self._where = _TABLE.experiment_id == experiment.id, _TABLE.seq.between(1, n)
        self._arms = {arm.name: place for place, arm in enumerate(experiment.arms)}
        self.cohorts: dict[tuple[int, int], Cohort] = {}
        self._places: dict[tuple[int, str], tuple[str, int]] = {}
        """By phase and user, the arm and the place in its cohort."""
        self.crossovers: set[tuple[int, str]] = set()

    async def users(self, connection: AsyncConnection) -> None:
        """Fills the cohorts. Ordered by arrival, so that a user's first arm comes first."""
        whole = sa.BigInteger
        sums = [
            sa.func.count(),
            *(sa.cast(sa.func.sum(_TABLE[name]), whole) for name in ("cost", "latency_us")),
            sa.func.count(sa.case((_TABLE.is_error, 1))),
            sa.func.count(_TABLE.quality),
            *(sa.cast(sa.func.coalesce(sa.func.sum(_TABLE[name]), 0), whole) for name in ("quality", "covariate")),
        ]
        who = _TABLE.phase, _TABLE.user_id, _TABLE.arm
        statement = sa.select(*who, *sums).where(*self._where).group_by(*who).order_by(sa.func.min(_TABLE.seq))
        async with connection.stream(statement) as found:
            async for portion in found.partitions(PORTION):
                for phase, user, arm, *figures in portion:
                    self._add(phase, user, arm, figures)

    def _add(self, phase: int, user: str, arm: str, figures: list[int]) -> None:
        if arm not in self._arms:
            return
        if (phase, user) in self._places:
            self.crossovers.add((phase, user))
            return
        cohort = self.cohorts.get((phase, self._arms[arm]))
        if cohort is None:
            cohort = self.cohorts[phase, self._arms[arm]] = _empty(arm, phase)
        self._places[phase, user] = arm, len(cohort.requests)
        requests, cost, latency, errors, rated, quality, covariate = figures
        cohort.requests.append(requests)
        cohort.cost.append(cost)
        cohort.latency.append(latency)
        cohort.errors.append(errors)
        cohort.rated.append(rated)
        cohort.quality.append(quality / MILLION)
        cohort.covariate.append(covariate)

    async def latencies(self, connection: AsyncConnection) -> None:
        """Fills in single latencies: of each cohort all of them, or as many as are taken, evenly."""
        columns = _TABLE.phase, _TABLE.user_id, _TABLE.arm, _TABLE.latency_us
        statement = sa.select(*columns).where(*self._where, *self._taken()).order_by(_TABLE.seq)
        async with connection.stream(statement) as found:
            async for portion in found.partitions(PORTION):
                for phase, user, arm, latency in portion:
                    home, place = self._places.get((phase, user), ("", 0))
                    if arm == home:
                        cohort = self.cohorts[phase, self._arms[arm]]
                        if len(cohort.latency_us) < LATENCIES:
                            cohort.latency_user.append(place)
                            cohort.latency_us.append(latency)

    def _taken(self) -> list[sa.ColumnElement[bool]]:
        """Which of the results single latencies are taken of, at a rate of each cohort's own; nothing for all."""
        sizes = [(cohort, sum(cohort.requests)) for cohort in self.cohorts.values()]
        if all(size <= LATENCIES for _, size in sizes):
            return []
        spread = (_TABLE.seq * _SPREADING) % _SPREAD_OVER
        taken = [
            sa.and_(
                _TABLE.phase == cohort.phase,
                _TABLE.arm == cohort.arm,
                spread < LATENCIES * _SPREAD_OVER // max(size, LATENCIES),
            )
            for cohort, size in sizes
        ]
        return [sa.or_(*taken)]

    async def served(self, connection: AsyncConnection) -> tuple[Served, ...]:
        """Users who are in no cohort, since the cache had all their answers; those of another arm's cross over."""
        who = _TABLE.phase, _TABLE.user_id, _TABLE.arm
        statement = sa.select(*who).where(*self._hits).group_by(*who).order_by(sa.func.max(_TABLE.seq).desc())
        counts: Counter[tuple[int, str]] = Counter()
        async with connection.stream(statement) as found:
            async for portion in found.partitions(PORTION):
                for phase, user, arm in portion:
                    home = self._places.setdefault((phase, user), (arm, -1))
                    if home[0] != arm:
                        self.crossovers.add((phase, user))
                    elif home[1] < 0:
                        counts[phase, arm] += 1
        return tuple(Served(arm=arm, phase=phase, users=users) for (phase, arm), users in sorted(counts.items()))

    async def moves(self, connection: AsyncConnection) -> Moves | None:
        """Sums of the last phase by stretch of arrival, None where there may be too many."""
        n = self._n
        if min(n, len(self._places) * CHECKPOINTS) > MOVES:
            return None
        stretches = min(n, CHECKPOINTS)
        stretch = ((_TABLE.seq - 1) * stretches // max(n, 1)).label("stretch")
        who = stretch, _TABLE.user_id, _TABLE.arm
        sums = sa.func.count(), sa.cast(sa.func.sum(_TABLE.cost), sa.BigInteger)
        where = *self._where, _TABLE.phase == self._phase
        statement = sa.select(*who, *sums).where(*where).group_by(*who).order_by(sa.func.min(_TABLE.seq))
        columns: tuple[array[int], ...] = tuple(array("q") for _ in range(5))
        numbers = {user: number for number, user in enumerate(self._places)}
        async with connection.stream(statement) as found:
            async for portion in found.partitions(PORTION):
                for checkpoint, user, arm, requests, cost in portion:
                    who_is = self._phase, user
                    if self._places.get(who_is, ("", 0))[0] == arm:
                        line = (checkpoint, numbers[who_is], self._arms[arm], requests, cost)
                        for column, value in zip(columns, line, strict=True):
                            column.append(value)
        ends = tuple(-(-(k + 1) * n // stretches) for k in range(stretches))
        names = "checkpoint", "user", "arm", "requests", "cost"
        return Moves(**dict(zip(names, columns, strict=True)), ends=ends)


def _empty(arm: str, phase: int) -> Cohort:
    names = "requests", "cost", "latency", "errors", "rated", "covariate", "latency_user", "latency_us"
    whole: dict[str, Any] = {name: array("q") for name in names}
    return Cohort(arm=arm, phase=phase, quality=array("d"), **whole)
