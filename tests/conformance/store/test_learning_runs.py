"""Trainings, one at a time, and what they have learned, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import Conflict
from farthing.domain.secrecy import Secret
from farthing.ports.learning import Outcome
from farthing.store import Store, open_store
from farthing.store.learning import runs as module
from tests.conformance.store.samples import NOON_US


@pytest.fixture
async def other(database_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    """Another worker's, which knows another secret."""
    store = open_store(database_url, clock=clock, secret=Secret(b"another secret"))
    yield store
    await store.aclose()


async def trained(store: Store, number: int, outcome: Outcome = "kept", **summary: Any) -> None:
    """A training that left a predictor where it was kept."""
    run_id = f"run-{number:02}"
    turn = await store.runs.begin(run_id, at_us=NOON_US + number, summary={})
    assert turn is not None
    payload = f"weights {number}".encode() if outcome == "kept" else None
    assert await store.runs.finish(run_id, turn, outcome, summary, payload)


async def active(store: Store) -> bytes | None:
    """What requests are decided by."""
    found = await store.runs.active()
    return None if found is None else found.payload


async def test_one_trains_at_a_time(store: Store) -> None:
    """Of many that begin at once one does; the next may when it has ended."""
    turns = await asyncio.gather(*(store.runs.begin(f"run-{n}", at_us=NOON_US, summary={"n": n}) for n in range(3)))
    (turn,) = [turn for turn in turns if turn is not None]
    (run,) = await store.runs.runs()
    assert (run.outcome, run.is_active, run.is_kept) == ("running", False, False)
    assert turns[run.summary["n"]] == turn
    later = await store.runs.renew(run.id, turn, {"phase": "fitting"})
    assert later is not None
    assert later > turn
    assert (await store.runs.runs())[0].summary == {"phase": "fitting"}
    assert await store.runs.begin("run-9", at_us=NOON_US, summary={}) is None
    assert await store.runs.finish(run.id, later, "not_better", {"reason": "no"})
    assert await store.runs.begin("run-9", at_us=NOON_US + 1, summary={}) is not None


async def test_whoever_says_nothing_loses_the_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it learned is not taken, for another may have begun."""
    monkeypatch.setattr(module, "TURN_S", 0.0)
    lost = await store.runs.begin("run-1", at_us=NOON_US, summary={})
    assert lost is not None
    assert [run.outcome for run in await store.runs.runs()] == ["interrupted"]
    monkeypatch.setattr(module, "TURN_S", 15.0)
    turn = await store.runs.begin("run-2", at_us=NOON_US + 1, summary={})
    assert turn is not None
    assert await store.runs.renew("run-1", lost, {}) is None
    assert not await store.runs.finish("run-1", lost, "kept", {}, b"weights")
    assert [(run.id, run.outcome) for run in await store.runs.runs()] == [
        ("run-2", "running"),
        ("run-1", "interrupted"),
    ]
    assert await active(store) is None


async def test_what_is_kept_is_in_force_and_others_hear_of_it(store: Store) -> None:
    """By a number, which a training that leaves nothing does not change."""
    assert (await store.runs.number(), await active(store)) == (0, None)
    await trained(store, 1, labels=7)
    number = await store.runs.number()
    assert number == 1
    found = await store.runs.active()
    assert found is not None
    assert (found.run.id, found.run.summary, found.payload) == ("run-01", {"labels": 7}, b"weights 1")
    await trained(store, 2, "not_better")
    await trained(store, 3, "dry_run")
    assert (await store.runs.number(), await active(store)) == (1, b"weights 1")
    await trained(store, 4)
    assert (await store.runs.number(), await active(store)) == (2, b"weights 4")


async def test_the_last_three_are_kept_and_can_be_gone_back_to(store: Store) -> None:
    """One by one; before the first there is nothing, and a new one is in force at once."""
    for number in range(1, 5):
        await trained(store, number)
    assert [(run.id, run.is_active, run.is_kept) for run in await store.runs.runs()] == [
        ("run-04", True, True),
        ("run-03", False, True),
        ("run-02", False, True),
        ("run-01", False, False),
    ]
    back = await store.runs.rollback()
    assert (back.id, back.is_active) == ("run-03", True)
    assert (await store.runs.number(), await active(store)) == (5, b"weights 3")
    await store.runs.rollback()
    with pytest.raises(Conflict, match="Nothing earlier"):
        await store.runs.rollback()
    assert (await store.runs.number(), await active(store)) == (6, b"weights 2")
    await trained(store, 5)
    assert [run.id for run in await store.runs.runs() if run.is_kept] == ["run-05", "run-04", "run-03"]
    assert await active(store) == b"weights 5"


async def test_before_anything_was_learned_there_is_nothing_to_go_back_to(store: Store) -> None:
    """And nobody is told of a change."""
    with pytest.raises(Conflict):
        await store.runs.rollback()
    assert await store.runs.number() == 0


async def test_old_trainings_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that are kept."""
    monkeypatch.setattr(module, "SHOWN", 2)
    await trained(store, 1)
    for number in range(2, 6):
        await trained(store, number, "not_better")
    assert [run.id for run in await store.runs.runs()] == ["run-05", "run-04", "run-01"]


async def test_what_is_not_ours_is_not_believed(store: Store, other: Store) -> None:
    """Whoever writes into the table chooses nobody's model."""
    await trained(store, 1)
    with pytest.raises(ValueError, match="signature"):
        await other.runs.active()
