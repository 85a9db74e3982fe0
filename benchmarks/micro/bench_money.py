"""What every request that is bought does for its money: a hold, and the journal before and after it is paid."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import catalogue, exchange
from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.domain.exchange import Exchange, Intent
from farthing.domain.keys import Caller
from farthing.domain.routing.plan import Needs
from farthing.money.journal import Journal
from farthing.money.ledger import Ledger

REQUESTS = 500
CALLER = Caller(tenant="tenant-1", key_id="key-1")
SCOPES: tuple[tuple[Literal["tenant", "key"], str], ...] = (("tenant", "tenant-1"), ("key", "key-1"))
NEEDS = Needs(tokens_in=100, tokens_out=250, max_tokens=1_000)


@pytest.mark.parametrize("budgets", [0, 2])
def bench_hold(meter: Meter, budgets: int) -> None:
    """The most that a request may cost, held in so many budgets and settled."""
    clock, ledger = SystemClock(), Ledger(SystemClock())
    known = [
        Budget(id=scope, tenant="tenant-1", scope=scope, subject=subject, window="month", limit=10**15)
        for scope, subject in SCOPES[:budgets]
    ]
    ledger.load(known, {}, today={}, at_us=clock.now_us())
    model = catalogue(1).models["model-0"]
    held = ledger.open(CALLER)
    held.raise_to(model, NEEDS)
    assert len(held.held) == budgets
    held.settle(0)

    def hold(cost: int) -> None:
        held = ledger.open(CALLER)
        held.raise_to(model, NEEDS)
        held.settle(cost)

    meter.each(hold, range(40_000, 40_000 + REQUESTS))
    assert ledger.open_holds == 0


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
