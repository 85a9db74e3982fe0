"""A winner that was promoted gives way by itself once it fails more often than control, and that is told once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.verdict import Verdict
from farthing.insight import experiments
from farthing.insight.experiments import RECENT_US, Analyses
from farthing.ports.experiments import Aftermath
from tests.unit.domain.experiments.samples import followed
from tests.unit.insight.test_experiments import World, experiment

WINNER = Verdict(code="winner", winner="test", reason="Test is cheaper.", is_final=True)
HARMFUL: Aftermath = {"test": followed(9_800, 400), "control": followed(200)}
HARMLESS: Aftermath = {"test": followed(9_800, 392), "control": followed(200, 8)}
BACK = "experiment:e1:rolled_back"


def promoted() -> World:
    """One experiment whose winner everybody gets."""
    return World(experiment(promote=True, status="completed", verdict=WINNER, completed_us=1))


def count(world: World, aftermath: Aftermath) -> None:
    """From now on the arms have answered so much."""
    world.shelf.kept["e1"] = replace(world.shelf.kept["e1"], aftermath=aftermath)


def present(world: World) -> Experiment:
    """The experiment as the store has it."""
    return world.shelf.kept["e1"].experiment


def follow(worker: Analyses, world: World) -> None:
    """The worker hears how it stands."""
    worker.follow([present(world)])


async def test_a_winner_that_fails_gives_way_and_that_is_told_once() -> None:
    """By whichever worker; each tells those who watch there, and one notice is kept."""
    world = promoted()
    one, other = world.worker(), world.worker()
    for worker in (one, other):
        follow(worker, world)
        await worker.look()
    count(world, HARMFUL)
    world.told.clear()
    for _ in range(3):
        for worker in (one, other):
            await worker.look()
            follow(worker, world)
    why = "test has failed more often than control since it was promoted: 4.1% against 0.0%"
    assert (present(world).rolled_back_us, present(world).rolled_back_for) == (world.clock.now_us(), why)
    assert world.told == [("acme", "experiment.rolled_back")] * 2
    assert world.announced.count(BACK) == 1
    assert world.shelf.kept["e1"].experiment.promoted is None


async def test_a_database_that_goes_away_puts_it_off() -> None:
    """The next look tries again, though nothing has been counted since."""
    world = promoted()
    worker = world.worker()
    count(world, HARMFUL)
    world.shelf.is_read_only = True
    await worker.look()
    assert present(world).promoted is not None
    world.shelf.is_read_only = False
    await worker.look()
    assert (present(world).promoted, world.announced.count(BACK)) == (None, 1)


async def test_equal_errors_leave_the_winner_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And figures that have not changed are not looked at again."""
    world = promoted()
    worker = world.worker()
    count(world, HARMLESS)
    looks: list[Aftermath] = []
    before = experiments._regretted

    def counted(about: Experiment, aftermath: Aftermath) -> str | None:
        looks.append(aftermath)
        return before(about, aftermath)

    monkeypatch.setattr(experiments, "_regretted", counted)
    for _ in range(3):
        await worker.look()
    count(world, {**HARMLESS, "test": followed(9_900, 396)})
    await worker.look()
    assert len(looks) == 2
    assert (present(world).rolled_back_us, BACK in world.announced) == (None, False)


async def test_whoever_is_second_to_roll_back_leaves_it_to_the_first() -> None:
    """What another host has done is told when it is heard of."""
    world = promoted()
    worker = world.worker()
    count(world, HARMFUL)
    stale = await world.shelf.watched()
    assert await world.shelf.roll_back("e1", at_us=world.clock.now_us(), reason="it was stopped by hand")
    await worker._watch(stale)
    await worker.look()
    assert BACK not in world.announced
    follow(worker, world)
    await worker.look()
    assert world.announced.count(BACK) == 1
    assert world.told == []


async def test_what_gave_way_long_ago_is_not_news_to_a_worker_that_starts() -> None:
    """Nor to anybody who watches; one that is not named any more is forgotten."""
    world = promoted()
    await world.shelf.roll_back("e1", at_us=world.clock.now_us(), reason="it was stopped by hand")
    world.clock.advance(RECENT_US / 1e6 + 1)
    worker = world.worker()
    for _ in range(2):
        follow(worker, world)
        await worker.look()
    assert (BACK in world.announced, world.told) == (False, [])
    worker.follow([])
    follow(worker, world)
    assert world.told[-1] == ("acme", "experiment.rolled_back")
