"""Whether the sums say what the rows say: every counter of every sum, day by day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import sqlalchemy as sa
from msgspec import Struct

from farthing.domain.budget import DAY_US
from farthing.ports import Stretch
from farthing.store.aggregates import GRAINS, Cell, fold
from farthing.store.engine import Engines
from farthing.store.queries.sums import FOR_EVER, LAST_US
from farthing.store.reread import Place, beyond, following
from farthing.store.schema import COUNTERS, requests, value_metrics

BATCH = 5_000
"""Rows that are read at once."""

_Key = tuple[str, int, int, str, str]
"""Dimension, grain in minutes, bucket (µs), tenant and value."""
_Sums = Mapping[_Key, Sequence[int]]
_COST = COUNTERS.index("cost")


class Difference(Struct, frozen=True, kw_only=True):
    """What the sums of one day, dimension and grain say otherwise than the rows."""

    day_us: int
    """When the day (UTC) begins, in µs since 1970."""
    dimension: str
    grain: int
    """Minutes in a bucket."""
    cost: int
    """Nano-dollars that the sums have too many, below zero too few, over all of them together."""
    sums: int
    """How many of them differ."""
    tenant: str
    """Of the first of them."""
    value: str
    counters: tuple[str, ...]
    """Which counters differ in any of them."""


class Proof(Struct, frozen=True):
    """What was compared, and what differs."""

    days: int
    rows: int
    differences: tuple[Difference, ...]


class Prover:
    """Reads rows and sums past one another: nobody waits, and what is written meanwhile is allowed for."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def compare(
        self, stretch: Stretch = FOR_EVER, *, mend: bool = False, advance: Callable[[float], None] = lambda _: None
    ) -> Proof:
        """Compares whole days (UTC): all that the stretch touches. `advance` is told which share of them is done.

        With `mend` the sums are given what they lack, or have too much, to be those of the rows; what others add to
        them meanwhile is not lost. Raises `Unavailable`.
        """
        dimensions, days = await self._extent(stretch)
        rows, differences = 0, list[Difference]()
        for number, day in enumerate(days, 1):
            before = await self._sums(dimensions, day)
            number_of_rows, told = await self._told(day)
            after = await self._sums(dimensions, day)
            rows += number_of_rows
            wrong = _wrong(before, told, after)
            differences += _differences(day, wrong)
            if mend:
                # What grew while its rows were read may be right but for those that came after them.
                await self._add({key: gain for key, gain in wrong.items() if before.get(key) == after.get(key)})
            advance(number / len(days))
        return Proof(len(days), rows, tuple(differences))

    async def _add(self, wrong: Mapping[_Key, Sequence[int]]) -> None:
        """Takes what they have too much off sums, whatever others add meanwhile."""
        cells: list[Cell] = [
            (dimension, grain, bucket, tenant, value, *[-much for much in gain])
            for (dimension, grain, bucket, tenant, value), gain in wrong.items()
        ]
        if cells:
            async with self._engines.writing("analysis") as connection:
                await self._engines.backend.add(connection, cells)

    async def _extent(self, stretch: Stretch) -> tuple[Sequence[str], Sequence[int]]:
        """The dimensions that there are, and the days on which there may be anything."""
        moments = sa.union_all(
            *(sa.select(bound(column)) for column in (requests.c.created_at, value_metrics.c.bucket) for bound in _ENDS)
        )
        async with self._engines.reading("analysis") as connection:
            known = [moment for moment in (await connection.execute(moments)).scalars() if moment is not None]
            dimensions = list((await connection.execute(sa.select(value_metrics.c.dimension).distinct())).scalars())
        if not known:
            return dimensions, ()
        first = max(min(known), stretch.from_us or 0)
        last = min(max(known) + 1, LAST_US if stretch.to_us is None else stretch.to_us)
        return dimensions, range(first - first % DAY_US, last, DAY_US)

    async def _sums(self, dimensions: Sequence[str], day: int) -> _Sums:
        table = value_metrics.c
        within = [table.bucket >= day, table.bucket < day + DAY_US]
        # In the order of the primary key, which is that of the index.
        where = [table.dimension.in_(dimensions), table.grain.in_(GRAINS), *within]
        async with self._engines.reading("analysis") as connection:
            found = await connection.execute(sa.select(value_metrics).where(*where))
            return {tuple(row[:5]): row[5:] for row in found}

    async def _told(self, day: int) -> tuple[int, _Sums]:
        """How many rows there are, and what the sums must be that were made of them."""
        number, told = 0, dict[_Key, list[int]]()
        place: Place | None = (day, "")
        while place is not None:
            async with self._engines.reading("analysis") as connection:
                found = await following(connection, place, day + DAY_US, limit=BATCH)
            number += len(found)
            for dimension, grain, bucket, tenant, value, *counters in fold(found):
                key = dimension, grain, bucket, tenant, value
                told[key] = [*map(sum, zip(told[key], counters, strict=True))] if key in told else counters
            place = beyond(found, BATCH)
        return number, told


_ENDS = (sa.func.min, sa.func.max)
_NOTHING = (0,) * len(COUNTERS)


def _wrong(before: _Sums, told: _Sums, after: _Sums) -> dict[_Key, Sequence[int]]:
    """What the sums have too much that are not those of the rows; one that grew meanwhile may be anything between."""
    wrong: dict[_Key, Sequence[int]] = {}
    for key in sorted({*before, *told, *after}):
        first, rows, last = (some.get(key, _NOTHING) for some in (before, told, after))
        if any(not min(b, a) <= t <= max(b, a) for b, t, a in zip(first, rows, last, strict=True)):
            wrong[key] = [said - true for said, true in zip(last, rows, strict=True)]
    return wrong


def _differences(day: int, wrong: Mapping[_Key, Sequence[int]]) -> Iterator[Difference]:
    """By dimension and grain."""
    places: dict[tuple[str, int], list[_Key]] = {}
    for key in wrong:
        places.setdefault((key[0], key[1]), []).append(key)
    for (dimension, grain), keys in places.items():
        gains = [wrong[key] for key in keys]
        yield Difference(
            day_us=day,
            dimension=dimension,
            grain=grain,
            cost=sum(gain[_COST] for gain in gains),
            sums=len(keys),
            tenant=keys[0][3],
            value=keys[0][4],
            counters=tuple(name for name, *some in zip(COUNTERS, *gains, strict=True) if any(some)),
        )
