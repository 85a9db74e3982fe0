"""Gives rows without a cost the one that has become known, and the sums with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from msgspec import Struct, field
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.exchange import Exchange
from farthing.ports import Stretch
from farthing.store.aggregates import MINUTE_US, TOTAL, Cell, fold
from farthing.store.engine import Engines
from farthing.store.queries.sums import FOR_EVER, HOUR_MINUTES, LAST_US
from farthing.store.reread import Place, beyond, following
from farthing.store.schema import requests, value_metrics

BATCH = 1_000
"""Rows in one transaction, so that the gateway's own writes never wait for long."""

Pricing = Callable[[Exchange], Exchange | None]
"""The exchange with its cost, or None where that is still unknown."""

_HOUR_US = HOUR_MINUTES * MINUTE_US


class Priced(Struct):
    """Rows of one model, and the nano-dollars they were found to cost."""

    rows: int = 0
    cost: int = 0
    still_unpriced: int = 0
    """Rows whose price is still unknown."""


class Repriced(Struct):
    """What a run did, by provider and model."""

    models: dict[tuple[str, str], Priced] = field(default_factory=dict)

    @property
    def total(self) -> Priced:
        """All models together."""
        every = self.models.values()
        return Priced(
            sum(model.rows for model in every),
            sum(model.cost for model in every),
            sum(model.still_unpriced for model in every),
        )

    def note(self, before: Exchange, after: Exchange | None) -> None:
        """Counts a row that was looked at, and what became of it."""
        model = self.models.setdefault((before.provider or "", before.model or ""), Priced())
        if after is None:
            model.still_unpriced += 1
        else:
            model.rows += 1
            model.cost += after.cost or 0


class Repricing:
    """Looks only into hours whose sums tell of rows without a price. Several processes may do so at once."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._backend = engines.backend

    async def run(
        self,
        pricing: Pricing,
        stretch: Stretch = FOR_EVER,
        *,
        dry_run: bool = False,
        advance: Callable[[float], None] = lambda _: None,
    ) -> Repriced:
        """Prices what can be priced, at most `BATCH` rows in a transaction, the oldest first.

        A `dry_run` changes nothing and reports what would be done; `advance` is told after each hour which share of
        them is done. Raises `Unavailable`; all batches before that stay done, and a later run goes on with the rest.
        """
        done = Repriced()
        async with self._engines.reading("writer") as connection:
            hours = await _hours(connection, stretch)
        for number, hour in enumerate(hours, 1):
            place: Place | None = (max(hour, stretch.from_us or 0), "")
            end = min(hour + _HOUR_US, LAST_US if stretch.to_us is None else stretch.to_us)
            while place is not None:
                place = await self._batch(pricing, place, end, done, dry_run=dry_run)
            advance(number / len(hours))
        return done

    async def _batch(self, pricing: Pricing, after: Place, end: int, done: Repriced, *, dry_run: bool) -> Place | None:
        """Where the next batch begins, None after the last one."""
        opened = self._engines.reading if dry_run else self._engines.writing
        async with opened("writer") as connection:
            is_unpriced = requests.c.cost.is_(None)
            found = await following(connection, after, end, is_unpriced, limit=BATCH, lock=not dry_run)
            # Prices of past days are looked up anew each time, for which requests should not wait.
            pairs = await asyncio.to_thread(lambda: [(before, pricing(before)) for before in found])
            changed = [(before, priced) for before, priced in pairs if priced is not None]
            if changed and not dry_run:
                await _update(connection, [priced for _, priced in changed])
                await self._backend.add(connection, _difference(changed))
        for before, priced in pairs:
            done.note(before, priced)
        return beyond(found, BATCH)


async def _hours(connection: AsyncConnection, stretch: Stretch) -> list[int]:
    """Starts (µs) of the hours in the stretch with rows that have no cost."""
    table = value_metrics.c
    where = [table.dimension == TOTAL, table.grain == HOUR_MINUTES, table.unpriced > 0]
    if stretch.from_us is not None:
        where.append(table.bucket > stretch.from_us - _HOUR_US)
    if stretch.to_us is not None:
        where.append(table.bucket < stretch.to_us)
    found = await connection.execute(sa.select(table.bucket).distinct().where(*where).order_by(table.bucket))
    return list(found.scalars())


async def _update(connection: AsyncConnection, priced: Sequence[Exchange]) -> None:
    row = requests.c
    statement = (
        sa.update(requests)
        .where(row.request_id == sa.bindparam("its_id"), row.created_at == sa.bindparam("its_moment"))
        .values({name: sa.bindparam(f"its_{name}") for name in ("cost", "baseline_cost", "price_version", "savings")})
    )
    values = [
        {
            "its_id": exchange.request_id,
            "its_moment": exchange.created_at_us,
            "its_cost": exchange.cost,
            "its_baseline_cost": exchange.baseline_cost,
            "its_price_version": exchange.price_version,
            "its_savings": exchange.savings,
        }
        for exchange in priced
    ]
    await connection.execute(statement, values)


def _difference(changed: Sequence[tuple[Exchange, Exchange]]) -> list[Cell]:
    """What the sums gain: those of the rows as they are now, less those of the rows as they were."""
    before, after = fold(was for was, _ in changed), fold(now for _, now in changed)
    return [_less(new, old) for new, old in zip(after, before, strict=True)]


def _less(new: Cell, old: Cell) -> Cell:
    dimension, grain, bucket, tenant, value, *gains = new
    _, _, _, _, _, *losses = old
    return dimension, grain, bucket, tenant, value, *(gain - loss for gain, loss in zip(gains, losses, strict=True))
