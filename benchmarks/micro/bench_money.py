"""The journal: what every request writes before and after it is paid."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import exchange
from farthing.domain.exchange import Exchange, Intent
from farthing.money.journal import Journal

REQUESTS = 500


def bench_journal_open_and_settle(meter: Meter, tmp_path: Path) -> None:
    """An intent and its settlement, the thread that brings them to disk included."""
    journal = Journal(root=tmp_path, name="worker")
    dice, numbers = random.Random(1), itertools.count()

    def drained() -> int:
        rows = 0
        while batch := journal.drain(1000):
            rows += len(batch.exchanges)
            journal.commit(batch)
        return rows

    def fresh() -> Sequence[tuple[Intent, Exchange]]:
        drained()
        settled = [exchange(next(numbers), dice) for _ in range(REQUESTS)]
        return [(Intent(exchange=each), each) for each in settled]

    def note(pair: tuple[Intent, Exchange]) -> None:
        journal.open(pair[0])
        journal.settle(pair[1])

    for pair in fresh():
        note(pair)
    assert drained() == REQUESTS
    meter.each(note, fresh, goal_us=2)
    journal.close()
