"""The chart: how the difference in cost and its interval went on as results came in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from farthing.domain.experiments.data import Data, Moves
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.estimates import COST
from farthing.domain.experiments.results import Point
from farthing.domain.stats.means import ArmMean, compare
from farthing.domain.stats.running import running_means
from farthing.domain.stats.sequential import anytime


def series(experiment: Experiment, data: Data) -> tuple[Point, ...]:
    """For each arm but control, the difference in USD a request with its anytime-valid interval, at each checkpoint.

    Empty without `moves`. Checkpoints before two users in each arm have none.
    """
    moves = data.moves
    if moves is None:
        return ()
    control = list(_means(moves, 0))
    return tuple(
        point
        for place, arm in enumerate(experiment.arms[1:], start=1)
        for point in _points(experiment, arm.name, zip(moves.ends, control, _means(moves, place), strict=False))
    )


def _points(
    experiment: Experiment, arm: str, means: Iterator[tuple[int, ArmMean | None, ArmMean | None]]
) -> Iterator[Point]:
    planned = experiment.planned_for(arm)
    for n, control, treatment in means:
        found = compare(control, treatment, alpha=experiment.alpha) if control and treatment else None
        if found is None:
            continue
        effect, results = found.absolute, int(found.control.requests + found.treatment.requests)
        always = anytime(effect, n=results, planned=planned, alpha=experiment.alpha)
        yield Point(n, arm, effect.estimate / COST.scale, always.low / COST.scale, always.high / COST.scale)


def _means(moves: Moves, place: int) -> Iterator[ArmMean | None]:
    """One arm at every checkpoint; lines of no requests stand in for checkpoints at which it has no results."""
    last = len(moves.ends)
    lines = [line for line, arm in enumerate(moves.arm) if arm == place]
    checkpoint = array("q", [*(moves.checkpoint[line] for line in lines), last])
    user = array("q", [*(moves.user[line] for line in lines), 0])
    cost = array("q", [*(moves.cost[line] for line in lines), 0])
    requests = array("q", [*(moves.requests[line] for line in lines), 0])
    return running_means(checkpoint, user, cost, requests)
