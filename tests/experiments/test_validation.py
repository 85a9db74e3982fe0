"""The simulations of `make validate-experiments` in short, and that their arrays say what the shipped functions say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiments.checking import (
    coverage,
    half_widths,
    inferior,
    log_ratio_evidence,
    ratio_alarms,
    tripped,
    tripped_by_users,
)
from benchmarks.experiments.checking import uneven as few
from benchmarks.experiments.deciding import contests, outcome
from benchmarks.experiments.following import taken_back
from benchmarks.experiments.goals import checks
from benchmarks.experiments.paths import Scenario, drawn, running, welch
from benchmarks.experiments.spreading import moved, spread
from farthing.domain.experiments.analysis import analyse
from farthing.domain.stats.balance import log_e_value
from farthing.domain.stats.means import compare
from farthing.domain.stats.sequential import anytime
from tests.unit.domain.experiments.samples import NAMES, cohort, data, experiment

SINGLE = Scenario(name="single", planned=120, kind="lognormal")
ALIKE = Scenario(name="alike", planned=300, kind="lognormal", requests=5, user_sd=1.0)


def test_arrays_are_the_shipped_test_where_users_come_once() -> None:
    """Difference, error, degrees of freedom and interval are equal at each look of each run."""
    runs = drawn(SINGLE, 3, np.random.default_rng(1))
    arms = running(runs)
    welched = welch(*arms)
    looks = np.broadcast_to(np.arange(1, 121), runs.cost.shape)
    halves = half_widths(looks, 120, (arms[0].users, arms[1].users), welched)
    for run, look in ((0, 20), (1, 60), (2, 119)):
        control, other = runs.arm_means(run, look + 1)
        assert control is not None
        assert other is not None
        found = compare(control, other)
        assert found is not None
        shown = found.absolute
        assert [float(one[run, look]) for one in welched] == pytest.approx(
            [shown.estimate, shown.se, shown.freedom, shown.t], rel=1e-8
        )
        always = anytime(shown, n=look + 1, planned=120)
        assert halves[run, look] == pytest.approx((always.high - always.low) / 2, rel=1e-8)


def test_screening_is_never_far_above_the_jackknife() -> None:
    """Where users come back the running error is that of the delta method: within two percent of what decides."""
    runs = drawn(ALIKE, 20, np.random.default_rng(2))
    arms = running(runs)
    for run in range(20):
        for look in (200, 299):
            for place, mean in enumerate(runs.arm_means(run, look + 1)):
                assert mean is not None
                assert arms[place].users[run, look] == mean.users
                assert arms[place].mean[run, look] == pytest.approx(mean.mean, rel=1e-9)
                assert arms[place].effective[run, look] == pytest.approx(mean.effective_users, rel=1e-9)
                assert np.sqrt(arms[place].variance[run, look]) == pytest.approx(mean.se, rel=0.02)


def test_a_simulated_experiment_is_decided_as_a_real_one() -> None:
    """The whole analysis of the same results comes to the same p-value and the same winner."""
    runs = drawn(ALIKE, 12, np.random.default_rng(3))
    for run in range(12):
        cohorts = []
        for place in (0, 1):
            users = [runs.cost[run][(runs.arm[run] == place) & (runs.user[run] == user)] for user in range(60)]
            present = [costs for costs in users if costs.size]
            cohorts.append(
                cohort(NAMES[place], [float(costs.sum()) for costs in present], requests=[len(one) for one in present])
            )
        (contest,) = contests(runs, run, 300)
        results = analyse(experiment(sample_size=300), data(*cohorts))
        assert results.p_value == pytest.approx(contest.effect.p, rel=1e-5)
        assert results.verdict.significant == (contest.effect.p <= 0.05)


def test_the_sample_ratio_in_arrays_is_the_shipped_one() -> None:
    """The e-value is equal, however the users fell."""
    treatment, every = np.array([3, 40, 260]), np.array([10, 100, 500])
    assert log_ratio_evidence(treatment, every) == pytest.approx(
        [log_e_value([n - t, t], [0.5, 0.5]) for t, n in zip(treatment.tolist(), every.tolist(), strict=True)]
    )


def test_looking_makes_no_winners() -> None:
    """A few hundred A/A tests, looked at after every result, by both rules; the usual test finds far more."""
    for scenario in (SINGLE, ALIKE):
        found = outcome(scenario, 300, seed=4)
        assert found.planned <= 0.09
        assert found.early <= 0.09
        assert found.peeked > 2 * found.planned


def test_an_early_stop_saves_results_and_finds_what_is_there() -> None:
    """At an effect of 80% power the early rule finds nearly as many, with fewer results."""
    found = outcome(Scenario(name="power", planned=400, effect=-2.8016 * 3 * 0.1), 300, seed=5)
    assert found.early >= found.planned - 0.03 >= 0.7
    assert found.size <= 0.87


def test_the_interval_holds_all_along() -> None:
    """In at least 94 of 100 short paths the truth is never outside, whatever the costs' tail."""
    assert coverage(SINGLE, 300, seed=6) >= 0.94


def test_guards_let_little_pass() -> None:
    """Uneven users, inferior arms, sound ratios and harmless arms: few errors; wrong ratios and harm are found."""
    assert few(40, 300, seed=7) <= 0.1
    assert inferior(100, 200, seed=8) <= 0.1
    assert ratio_alarms(0.5, 200, seed=9) <= 0.02
    assert ratio_alarms(0.55, 200, seed=9) >= 0.99
    assert tripped((0.02, 0.02), 30, seed=10, requests=1_000)[0] <= 0.1
    assert tripped((0.02, 0.10), 30, seed=10)[1] <= 450
    assert tripped_by_users(50, seed=10) <= 0.06


def test_a_promoted_winner_is_taken_back_for_a_reason() -> None:
    """One that is worse by no more than its margins stays, one that is twice as dear does not."""
    assert taken_back(8, seed=11, looks=10, latency=1.25, quality=-0.2)[0] <= 0.125
    assert taken_back(4, seed=12, cost=2.0)[0] == 1.0


def test_users_are_spread_evenly_and_stay() -> None:
    """Ten thousand users in four experiments: no part is fuller, none follows another, a ramp moves nobody."""
    found = spread(10_000, 4)
    assert found.smallest_p > 0.001
    assert found.largest_correlation < 0.04
    assert moved(5_000) == 0


def test_every_promise_is_checked() -> None:
    """The whole run asks all of them; the shortest is played here as it is."""
    rows = checks(0.001)[-1]()
    assert [(row.goal, row.is_kept) for row in rows] == [("≤ 50 ms of CPU", True)]
    assert len(checks(0.001)) >= 30
