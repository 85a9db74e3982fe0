"""Whether users are spread evenly, independently between experiments, and stay where they are in a ramp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from farthing.domain.experiments.assignment import allocation, point
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.stats.balance import chi_square

Gathered: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
BINS = 100
BLOCK = 20_000
"""Users at a time."""


@dataclass(frozen=True)
class Spread:
    """What so many experiments made of the same users."""

    smallest_p: float
    """Of χ² over 100 equal parts, the smallest of all experiments; of 100 sound ones every tenth has one below .001."""
    p_of_all: float
    """Of χ² over all experiments together."""
    largest_correlation: float
    """Between the arms of two experiments, in size."""


def spread(users: int, experiments: int) -> Spread:
    """Every user in every experiment, by the shipped hash."""
    found = [gathered(range(start, min(users, start + BLOCK)), experiments) for start in range(0, users, BLOCK)]
    return judged(found, users)


def gathered(users: range, experiments: int) -> Gathered:
    """How many of these users fall into each part of each experiment, and how far two arms agree."""
    salts = [f"exp-{number}:0:".encode() for number in range(experiments)]
    units = [f"user-{number}" for number in users]
    points = np.array([[point(salt, unit) for unit in units] for salt in salts], dtype=np.uint64)
    parts = (points / 2.0**64 * BINS).astype(np.int64)
    counts = np.stack([np.bincount(part, minlength=BINS)[:BINS] for part in parts])
    sides: NDArray[np.float64] = np.where(points < np.uint64(1 << 63), -1.0, 1.0)
    return counts, sides @ sides.T


def judged(found: Sequence[Gathered], users: int) -> Spread:
    """What all blocks together say of so many users."""
    counts = np.sum([counts for counts, _ in found], axis=0)
    products = np.sum([products for _, products in found], axis=0)
    means = counts[:, BINS // 2 :].sum(axis=1) / users * 2 - 1
    spreads = np.sqrt(1 - means**2)
    correlation = (products / users - np.outer(means, means)) / np.outer(spreads, spreads)
    np.fill_diagonal(correlation, 0.0)
    equal = [1.0] * BINS
    return Spread(
        smallest_p=min(chi_square([int(one) for one in row], equal) for row in counts),
        p_of_all=chi_square([int(one) for one in counts.sum(axis=0)], equal),
        largest_correlation=float(np.abs(correlation).max()),
    )


def moved(users: int) -> int:
    """How many users a ramp from 10 to 50% of the traffic takes from the arm they were in."""
    arms = (Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5))
    one = Experiment(
        id="ramp",
        tenant="t",
        name="ramp",
        arms=arms,
        sample_size=2,
        salt="ramp",
        phases=(Phase((0.5, 0.5), 0),),
        created_us=0,
        traffic=0.1,
    )
    before, after = allocation(one), allocation(replace(one, traffic=0.5))
    units = [f"user-{number}" for number in range(users)]
    return sum((arm := before.arm(unit)) is not None and arm != after.arm(unit) for unit in units)
