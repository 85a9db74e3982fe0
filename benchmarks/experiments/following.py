"""How a promoted winner is watched: who is taken back in error, and how soon who is worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.paths import Reals, Wholes
from farthing.domain.experiments.aftermath import regretted
from farthing.domain.experiments.data import GROUPS, MILLION, Followed
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.verdict import Verdict

USERS, HELD_BACK = 9_800, 200
EACH = 0.5
"""Requests of a user between two looks."""
FAILING = 0.02
RATED = 0.3

PROMOTED = Experiment(
    id="promoted",
    tenant="t",
    name="promoted",
    arms=(Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5)),
    sample_size=2_000,
    salt="promoted",
    phases=(Phase((0.5, 0.5), 0),),
    promote=True,
    status="completed",
    created_us=0,
    completed_us=1,
    verdict=Verdict(code="winner", winner="test", reason="It is cheaper.", is_final=True),
)


class Crowd:
    """Users of one arm, alike to themselves, with costs and latencies of a long tail."""

    def __init__(self, chance: np.random.Generator, users: int) -> None:
        self.arm = Followed()
        self._chance = chance
        self._own = chance.standard_normal((3, users)) * 0.5
        self._group = chance.integers(0, GROUPS, users)

    def ask(self, *, cost: float, latency: float, quality: float) -> None:
        """A stretch of requests: `cost` and `latency` times control's, `quality` points more."""
        users = self._own.shape[1]
        who = self._chance.integers(0, users, round(users * EACH))
        own, at, noise = self._own[:, who], self._group[who], self._chance.standard_normal((3, who.size))
        rated = self._chance.random(who.size) < RATED
        points = np.where(rated, np.clip(4 + quality + own[2] * 0.5 + noise[2] * 0.5, 1, 5), 0.0)
        everybody = np.ones(who.size, dtype=np.int64)
        for name, values in {
            "requests": everybody,
            "errors": self._chance.random(who.size) < FAILING,
            "priced": everybody,
            "cost": 1e5 * cost * np.exp(own[0] + noise[0]),
            "latency": 5e5 * latency * np.exp(own[1] + 0.5 * noise[1]),
            "rated": rated,
            "quality": points * MILLION,
        }.items():
            setattr(self.arm, name, _added(getattr(self.arm, name), at, np.rint(values)))


def _added(sums: list[int], at: Wholes, values: Reals | NDArray[np.bool_] | Wholes) -> list[int]:
    more = np.bincount(at, weights=values, minlength=GROUPS)
    return [former + round(each) for former, each in zip(sums, more.tolist(), strict=True)]


def taken_back(
    runs: int, seed: int, *, looks: int = 40, cost: float = 1.0, latency: float = 1.0, quality: float = 0.0
) -> tuple[float, float]:
    """The share of winners that give way within so many looks, and at which look they do on average."""
    taken, after = 0, 0
    for run in range(runs):
        chance = np.random.default_rng((seed, run))
        winner, control = Crowd(chance, USERS), Crowd(chance, HELD_BACK)
        for look in range(1, looks + 1):
            winner.ask(cost=cost, latency=latency, quality=quality)
            control.ask(cost=1.0, latency=1.0, quality=0.0)
            if regretted(PROMOTED, {"test": winner.arm, "control": control.arm}) is not None:
                taken, after = taken + 1, after + look
                break
    return taken / runs, after / max(1, taken)
