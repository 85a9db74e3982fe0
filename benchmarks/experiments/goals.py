"""Every promise about experiments as a row: what is played, what is promised, what was seen."""

from __future__ import annotations

import time
import warnings
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from benchmarks.experiments.checking import coverage, inferior, ratio_alarms, tripped, tripped_by_users, uneven
from benchmarks.experiments.deciding import Outcome, outcome
from benchmarks.experiments.following import EACH, HELD_BACK, taken_back
from benchmarks.experiments.paths import Scenario
from benchmarks.experiments.spreading import Spread, moved, spread
from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Cohort, Data
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.stats.proportions import Share, wilson
from tests.unit.domain.experiments.hostile import anything, holds

POWERED = 2.8016
"""Standard errors of an effect that a test at .05 finds in four of five cases."""


@dataclass(frozen=True)
class Row:
    """One promise and what was seen of it."""

    what: str
    goal: str
    seen: str
    is_kept: bool


SMALL = 1_000
"""Results of a plan up to which it is played twice as often."""

Check = Callable[[], list[Row]]
KINDS = {"normal": ("normal", 1.0), "lognormal 1": ("lognormal", 1.0), "lognormal 1.5": ("lognormal", 1.5)}


def checks(scale: float) -> list[Check]:
    """All of them, the longest first; `scale` 1 plays as many experiments as are promised."""
    runs = max(20, round(10_000 * scale))
    quiet = sorted(_quiet(), key=lambda one: -one.planned)
    return [
        partial(_hostile, max(20, runs)),
        partial(_spread, max(10_000, round(1_000_000 * scale)), max(5, round(100 * scale))),
        # Small plans cost little: played twice as often, chance moves a share by 0.15% instead of 0.22%.
        *(partial(_false_winners, one, runs if one.planned > SMALL else 2 * runs) for one in quiet),
        partial(_power, runs),
        *(partial(_coverage, kind, sigma, max(20, runs // 2)) for kind, sigma in KINDS.values()),
        partial(_few, runs),
        partial(_guards, runs),
        partial(_switch, max(20, runs // 5)),
        partial(_promoted, max(20, runs // 10)),
        partial(_time, max(1_000, round(100_000 * scale))),
    ]


def _quiet() -> Iterator[Scenario]:
    """A/A tests: nothing differs, so that every winner is false."""
    for planned in (100, 1_000, 5_000):
        for name, (kind, sigma) in KINDS.items():
            yield Scenario(name=f"{name}, N {planned:,}", planned=planned, kind=kind, sigma=sigma)
    for planned in (100, 1_000, 5_000):
        for name, (kind, sigma) in KINDS.items():
            called = f"{name}, 5 requests of each user, N {planned:,}"
            own = 0.7 if kind == "normal" else 1.0
            yield Scenario(name=called, planned=planned, kind=kind, sigma=sigma, requests=5, user_sd=own)
    usual = Scenario(name="lognormal 1, N 1,000", planned=1_000, kind="lognormal")
    yield replace(usual, name=f"{usual.name}, four arms, Holm", shares=(0.25,) * 4)
    yield replace(usual, name=f"{usual.name}, shares 80/20", shares=(0.8, 0.2))
    yield replace(usual, name="normal, N 1,000, shares 80/20", kind="normal", shares=(0.8, 0.2))
    yield replace(usual, name=f"{usual.name}, costs double meanwhile", trend=1.0)


def _false_winners(scenario: Scenario, runs: int) -> list[Row]:
    """By both rules, with the upper 95% bound of the estimate; beside them the usual test at each look."""
    return winners(scenario, outcome(scenario, runs, seed=7))


def winners(scenario: Scenario, found: Outcome) -> list[Row]:
    """What was seen of a scenario as rows."""
    rows, runs = [], found.runs
    for rule, share in (("at the plan", found.planned), ("early stop", found.early)):
        upper = wilson(Share(round(share * runs), runs))[1]
        seen = f"{share:.2%} (at most {upper:.2%}); a t-test of the users at each look {found.peeked:.1%}"
        kept = share <= 0.055 and upper <= 0.06
        rows.append(Row(f"false winners, {rule}: {scenario.name}", "≤ 5.5%, bound ≤ 6%", seen, kept))
    return rows


def _power(runs: int) -> list[Row]:
    """At the effect that the plan finds in four of five cases."""
    planned = 1_000
    effect = -POWERED * 3 * sqrt(4 / planned)
    found: Outcome = outcome(Scenario(name="power", planned=planned, effect=effect), runs, seed=8)
    seen = f"{found.early:.1%} (one look {found.planned:.1%})"
    return [
        Row("power with early stop, N 1,000", "≥ 79% where one look has 80%", seen, found.early >= 0.79),
        Row("its mean sample", "≤ 83% of the plan", f"{found.size:.1%}", found.size <= 0.83),
    ]


def _coverage(kind: str, sigma: float, runs: int) -> list[Row]:
    share = coverage(Scenario(name="path", planned=1_000, kind=kind, sigma=sigma), runs, seed=9)
    name = kind if kind == "normal" else f"{kind} {sigma:g}"
    return [Row(f"interval holds after every result, {name}, N 1,000", "≥ 95%", f"{share:.1%}", share >= 0.95)]


def _few(runs: int) -> list[Row]:
    found = {users: uneven(users, runs, seed=10) for users in (40, 100)}
    what = "false winners, {} uneven users, one look"
    return [Row(what.format(users), "≤ 6%", f"{share:.2%}", share <= 0.06) for users, share in found.items()]


def _guards(runs: int) -> list[Row]:
    share = inferior(200, runs, seed=11)
    few = inferior(30, runs, seed=12)
    return [
        Row(f"quality worse by the margin passes, {users} ratings an arm", "≤ 5%", f"{seen:.2%}", seen <= 0.05)
        for users, seen in ((200, share), (30, few))
    ]


def _switch(runs: int) -> list[Row]:
    alarms, found = ratio_alarms(0.5, runs * 5, seed=13), ratio_alarms(0.55, runs * 5, seed=14)
    false, _ = tripped((0.02, 0.02), runs, seed=15)
    alike = tripped_by_users(runs, seed=22)
    caught, took = tripped((0.02, 0.10), runs, seed=16)
    return [
        Row("sample ratio: false alarm in 100 looks", "≤ 1%", f"{alarms:.2%}", alarms <= 0.01),
        Row("sample ratio: 55/45 found by 5,000 users", "≥ 99.9%", f"{found:.2%}", found >= 0.999),
        Row("kill switch: false trips in 4,000 requests", "≤ 5%", f"{false:.2%}", false <= 0.05),
        Row("kill switch: false trips, few of 100 users fail again and again", "≤ 5%", f"{alike:.2%}", alike <= 0.05),
        Row("kill switch: 2% to 10% errors", "≤ 400 requests", f"{took:.0f}, {caught:.1%} caught", took <= 400),
    ]


def _promoted(runs: int) -> list[Row]:
    """A winner against users held back, looked at 40 times: no worse, worse by its margins, dearer."""
    alike, _ = taken_back(runs, seed=18)
    edge, _ = taken_back(runs, seed=19, latency=1.25, quality=-0.2)
    found, look = taken_back(runs, seed=20, cost=1.5)
    seen = f"{found:.1%}, after {look * HELD_BACK * EACH:.0f} requests held back"
    return [
        Row("promoted winner, no worse: taken back", "≤ 5%", f"{alike:.1%}", alike <= 0.05),
        Row("promoted winner, worse by its margins: taken back", "≤ 5%", f"{edge:.1%}", edge <= 0.05),
        Row("promoted winner, half as dear again: taken back", "≥ 95%", seen, found >= 0.95),
    ]


def _spread(users: int, experiments: int) -> list[Row]:
    return spreads(spread(users, experiments), users, experiments)


def spreads(found: Spread, users: int, experiments: int) -> list[Row]:
    """How users were spread, as rows."""
    changed = moved(users // 10)
    each = f"{users:,} users, {experiments} experiments"
    seen = f"smallest {found.smallest_p:.5f}, of all {found.p_of_all:.3f}"
    largest = found.largest_correlation
    return [
        Row(f"evenly spread, χ² p: {each}", "> .001", seen, found.smallest_p > 0.001),
        Row(f"correlation of two experiments: {each}", "< .005", f"at most {largest:.4f}", largest < 0.005),
        Row("users moved by a ramp from 10 to 50%", "0", str(changed), changed == 0),
    ]


def _hostile(examples: int) -> list[Row]:
    """Whatever the store hands over: a crash, a warning or what is no JSON ends it."""
    seen = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(anything())
    def play(sample: tuple[Experiment, Data]) -> None:
        nonlocal seen
        seen += 1
        holds(*sample)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play()
    return [Row("hostile data without crash, warning, NaN or infinity", "≥ 10,000", f"{seen:,}", seen >= 10_000)]


def _time(users: int) -> list[Row]:
    """Processor time of a whole analysis, by metric, the best of three."""
    experiment, data = _crowd(users)
    metrics = len(analyse(experiment, data).metrics)
    took = []
    for _ in range(3):
        start = time.process_time()
        analyse(experiment, data)
        took.append(time.process_time() - start)
    each = min(took) * 1e3 / metrics
    what = f"whole analysis of {users:,} users, by metric"
    return [Row(what, "≤ 50 ms of CPU", f"{each:.1f} ms", each <= 50)]


def _crowd(users: int) -> tuple[Experiment, Data]:
    """An experiment with so many users of one to nine requests."""
    chance = np.random.default_rng(17)
    cohorts = []
    for arm in ("control", "test"):
        half = users // 2
        requests = chance.integers(1, 10, half)
        cost = (chance.lognormal(12, 1, half) * requests).astype(np.int64)
        whole: dict[str, NDArray[np.int64]] = {
            "requests": requests,
            "cost": cost,
            "latency": requests * 400_000 + cost % 1_000,
            "errors": (chance.random(half) < 0.02).astype(np.int64),
            "rated": (chance.random(half) < 0.2).astype(np.int64),
            "covariate": requests * 300 + cost % 100,
            "latency_user": chance.integers(0, half, min(20_000, half)),
            "latency_us": chance.integers(1, 10**6, min(20_000, half)),
        }
        columns: dict[str, Any] = {name: array("q", values.tolist()) for name, values in whole.items()}
        quality = array("d", [4.0 * many for many in columns["rated"]])
        cohorts.append(Cohort(arm=arm, quality=quality, **columns))
    arms = (Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5))
    n = sum(sum(one.requests) for one in cohorts)
    one = Experiment(
        id="e", tenant="t", name="e", arms=arms, sample_size=n, salt="e", phases=(Phase((0.5, 0.5), 0),), created_us=0
    )
    return one, Data(n=n, cohorts=tuple(cohorts))
