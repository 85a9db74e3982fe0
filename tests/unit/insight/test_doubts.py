"""One of all workers looks at an experiment, and all of them hear what speaks against it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from farthing.domain.experiments.verdict import Verdict
from farthing.insight.experiments import TURN_S
from tests.unit.insight.test_experiments import SIZE, World, experiment

WORSE = Verdict(code="inconclusive", reason="Too few.")


async def test_one_of_all_workers_looks() -> None:
    """Another one should it have died; what was seen by one is seen for all."""
    world = World(experiment())
    one, other = world.worker(), world.worker()
    world.shelf.count(10)
    await asyncio.gather(one.look(), other.look())
    await other.look()
    assert world.shelf.reads == [("e1", False)]
    world.shelf.count(11)
    assert await world.shelf.claim((await world.shelf.pending())[0], seconds=TURN_S)
    await other.look()
    assert len(world.shelf.reads) == 1
    world.clock.advance(TURN_S)
    await other.look()
    assert len(world.shelf.reads) == 2


async def test_a_doubt_reaches_all_who_watch() -> None:
    """Also those of other workers, and once; somebody else's change of the experiment in between puts it off."""
    world = World(experiment())
    world.codes |= {20: "invalid"}
    workers = [world.worker() for _ in range(3)]
    for worker in workers:
        worker.follow([experiment()])
    world.shelf.count(20)
    for _ in range(2):
        for worker in workers:
            await worker.look()
            worker.follow([world.shelf.kept["e1"].experiment])
    assert world.told == [("acme", "invalid")] * 3
    assert world.announced == ["experiment:e1:invalid:20"]
    stale = replace(world.shelf.kept["e1"], revision=7)
    assert await world.shelf.doubt(stale, None) is None
    assert (await workers[0]._doubted(stale, WORSE)).revision == 7


async def test_what_was_stopped_tells_nothing_stale() -> None:
    """A doubt that could not be announced before is not announced after."""
    world = World(experiment())
    world.codes |= {20: "invalid"}
    worker = world.worker()
    worker.follow([experiment()])
    world.shelf.count(20)
    world.is_deaf = True
    await worker.look()
    world.is_deaf = False
    world.shelf.stop()
    worker.follow([world.shelf.kept["e1"].experiment])
    await worker.look()
    assert (world.announced, world.told) == ([], [("acme", "invalid")])


async def test_a_doubt_that_has_gone_is_not_announced_late() -> None:
    """Nor is it beside the verdict."""
    for n, announced in ((30, []), (SIZE, ["experiment:e1:winner"])):
        world = World(experiment())
        world.codes |= {20: "invalid"}
        worker = world.worker()
        world.is_deaf = True
        for count in (20, n):
            world.shelf.count(count)
            await worker.look()
        world.is_deaf = False
        await worker.look()
        assert world.announced == announced


async def test_a_doubt_is_told_when_it_comes_and_when_it_goes() -> None:
    """It is an alert each time that it comes, and no end."""
    world = World(experiment())
    world.codes |= {20: "invalid", 40: "invalid"}
    worker = world.worker()
    worker.follow([experiment()])
    for n in (10, 20, 30, 40):
        world.shelf.count(n)
        await worker.look()
    assert world.told == [("acme", "invalid"), ("acme", "collecting"), ("acme", "invalid")]
    assert world.announced == ["experiment:e1:invalid:20", "experiment:e1:invalid:40"]
    assert world.shelf.decisions == 0
