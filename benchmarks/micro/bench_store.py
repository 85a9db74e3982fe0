"""The ledger: a row from the journal's record to its commit."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from benchmarks.micro.databases import DATABASES, opened
from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import exchange
from farthing.domain.exchange import Exchange

BATCH = 500
"""As many as a round of the bookkeeper takes."""


@pytest.mark.parametrize("kind", DATABASES)
def bench_ingest_row(meter: Meter, kind: str, request: pytest.FixtureRequest) -> None:
    """A row with its sums, in batches; the thread in which SQLite works included."""
    dice, numbers = random.Random(1), itertools.count()

    def fresh() -> Sequence[Sequence[Exchange]]:
        return [[exchange(next(numbers), dice) for _ in range(BATCH)]]

    with opened(kind, request, meter) as database:
        write = database.store.ingest.write
        assert meter.run(write(fresh()[0])) == BATCH
        meter.each_awaited(write, fresh, parts=BATCH, goal_us=10, server=database.server)
        figures = meter.run(database.store.queries.stats(None))
        assert figures["overall"]["total_requests"] == next(numbers)
