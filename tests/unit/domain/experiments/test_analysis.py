"""The figures of an experiment: right, the same in any order, and never without an answer."""

from __future__ import annotations

import random
from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Cohort, Data, Moves
from farthing.domain.experiments.definition import Experiment, Phase
from farthing.domain.experiments.results import Metric, Missing, Results
from tests.unit.domain.experiments.hostile import anything, figures, holds
from tests.unit.domain.experiments.samples import cohort, data, experiment

COLUMNS = ("requests", "cost", "latency", "errors", "rated", "quality", "covariate")


def some(arm: str, seed: int, users: int, **changed: Any) -> Cohort:
    """Busy and quiet users with costs, latencies, failures and ratings by chance."""
    chance = random.Random(seed)
    requests = [chance.randint(1, 6) for _ in range(users)]
    latencies = [(user, chance.randint(10_000, 2_000_000)) for user, many in enumerate(requests) for _ in range(many)]
    columns: dict[str, Any] = {
        "latency": [sum(us for owner, us in latencies if owner == user) for user in range(users)],
        "errors": [int(chance.random() < 0.1) for _ in requests],
        "rated": [chance.randint(0, many) for many in requests],
        "covariate": [many * chance.randint(100, 900) for many in requests],
        "latency_user": [user for user, _ in latencies],
        "latency_us": [us for _, us in latencies],
    }
    columns["quality"] = [float(4 * many) for many in columns["rated"]]
    costs = [chance.lognormvariate(-8, 1) * many for many in requests]
    return cohort(arm, costs, requests=requests, **columns | changed)


def shuffled(one: Cohort, seed: int) -> Cohort:
    """The same users in another order."""
    order = list(range(len(one.requests)))
    random.Random(seed).shuffle(order)
    place = {user: index for index, user in enumerate(order)}
    columns: dict[str, Any] = {name: [getattr(one, name)[user] for user in order] for name in COLUMNS}
    pairs = [(place[user], us) for user, us in zip(one.latency_user, one.latency_us, strict=True)]
    random.Random(seed).shuffle(pairs)
    return msgspec.structs.replace(
        one,
        **{name: array("d" if name == "quality" else "q", values) for name, values in columns.items()},
        latency_user=array("q", [user for user, _ in pairs]),
        latency_us=array("q", [us for _, us in pairs]),
    )


def same(one: Any, other: Any) -> bool:
    """Equal to 12 digits, all through."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == pytest.approx(other, rel=1e-12, abs=1e-15)) if isinstance(one, float) else bool(one == other)


def found(results: Results, name: str, arm: str = "test") -> Metric:
    """One metric of an arm."""
    return next(metric for metric in results.metrics if (metric.name, metric.arm) == (name, arm))


def test_the_order_of_users_changes_nothing() -> None:
    """Shuffled users give the same verdict, hash and figures to 12 digits."""
    arms = [some("control", 1, 150), some("test", 2, 150)]
    one = analyse(experiment(), data(*arms))
    other = analyse(experiment(), data(*(shuffled(arm, 9) for arm in reversed(arms))))
    assert one.experiment.data_hash == other.experiment.data_hash
    assert same(figures(one), figures(other))


def test_the_hash_tells_data_apart() -> None:
    """One nano-dollar more of one user is another hash, and so are the same users in the other arm."""
    base = data(cohort("control", [0.1, 0.2]), cohort("test", [0.3, 0.4]))
    more = data(cohort("control", [0.1, 0.200000001]), cohort("test", [0.3, 0.4]))
    swapped = data(cohort("test", [0.1, 0.2]), cohort("control", [0.3, 0.4]))
    assert len({analyse(experiment(), one).experiment.data_hash for one in (base, more, swapped)}) == 3


def test_every_metric_has_its_figures() -> None:
    """Units are USD, milliseconds and shares; power, cap and covariate stand with the cost alone."""
    arms = [some("control", 3, 300), some("test", 4, 300)]
    results = analyse(experiment(sample_size=2_000), data(*arms))
    cost, latency, tail = (found(results, name) for name in ("cost", "latency", "latency_p95"))
    expected = sum(arms[1].cost) / sum(arms[1].requests) / 1e9
    assert cost.mean["test"] == results.arms["test"].avg_cost == pytest.approx(expected)
    assert latency.mean["control"] == pytest.approx(1_005, rel=0.1)
    assert tail.mean["control"] == pytest.approx(1_900, rel=0.05)
    assert results.arms["control"].p95_latency == tail.mean["control"]
    assert cost.n_users == {"control": 300, "test": 300}
    assert cost.cuped is not None
    assert cost.winsorised is not None
    assert cost.odds is not None
    assert cost.odds.chance_cheaper == pytest.approx(0.714, abs=0.001)
    assert cost.odds.loss_if_kept - cost.odds.loss_if_chosen == pytest.approx(-(cost.diff or 0.0))
    assert 0 < (cost.power_at_planned_effect or 0) < 1
    assert (cost.n_needed or 0) > 1_000
    assert (latency.cuped, latency.winsorised, latency.mde_80) == (None, None, None)
    assert found(results, "quality").coverage["test"] == pytest.approx(sum(arms[1].rated) / sum(arms[1].requests))
    assert found(results, "errors").unit == "user"
    assert (cost.standing, latency.margin, found(results, "errors").margin) == (None, 0.25, 0.01)


def test_errors_of_single_requests_are_plain_shares() -> None:
    """With one request a user Newcombe's interval and Fisher's test take the place of the jackknife."""
    arms = cohort("control", [0.1] * 50, errors=[1] * 2 + [0] * 48), cohort("test", [0.1] * 50, errors=[1] + [0] * 49)
    errors = found(analyse(experiment(), data(*arms)), "errors")
    assert errors.unit == "request"
    assert errors.p_fixed == pytest.approx(1.0)
    assert errors.ci == pytest.approx((-0.11584, 0.07128), abs=5e-3)
    assert errors.standing == "unclear"


def test_many_requests_without_an_error_pass() -> None:
    """Shares whose interval lies within the margin are shown to be no worse."""
    arms = cohort("control", [0.1] * 500), cohort("test", [0.1] * 500)
    assert found(analyse(experiment(sample_size=1_000), data(*arms)), "errors").standing == "pass"


def test_a_percentile_of_few_requests_is_not_told() -> None:
    """Below 77 requests there is none, below 400 it comes with a warning."""
    few = analyse(experiment(), data(some("control", 1, 10), some("test", 2, 10)))
    assert found(few, "latency_p95").diff is None
    assert found(few, "latency_p95").warnings == ("The 95th percentile needs more than 76 requests in each arm.",)
    more = analyse(experiment(sample_size=600), data(some("control", 1, 60), some("test", 2, 60)))
    assert "worth reading from 400 requests" in " ".join(found(more, "latency_p95").warnings)


def test_one_user_in_an_arm_has_figures_and_no_p_value() -> None:
    """Nothing is compared, the reason is given, and the plain figures stand."""
    results = analyse(experiment(), data(cohort("control", [0.1]), cohort("test", [0.3, 0.4])))
    cost = results.primary("test")
    assert cost is not None
    assert (cost.p_fixed, results.p_value, results.interval) == (None, None, None)
    assert cost.warnings == ("There is nothing to compare before each arm has two users with this metric.",)
    assert cost.mean == {"control": 0.1, "test": pytest.approx(0.35)}
    assert (cost.sd["control"], cost.sd["test"] is None) == (None, False)


def test_an_experiment_without_results_says_so() -> None:
    """No figures, no e-value, no error."""
    results = analyse(experiment(), data())
    assert results.verdict.code == "collecting"
    assert (results.srm.e_value, results.arms["test"].avg_cost, results.p_value) == (None, None, None)
    assert figures(results)["experiment"]["n"] == 0


def test_counts_have_an_interval_where_nobody_differs() -> None:
    """Shares of requests are no point, so nothing is called one; only the interval that may be watched is missing."""
    arms = cohort("control", [0.1] * 50, requests=[2] * 50), cohort("test", [0.1] * 50, requests=[2] * 50)
    errors = found(analyse(experiment(sample_size=200), data(*arms)), "errors")
    assert (errors.degenerate, errors.ci_anytime) == (False, None)
    assert errors.ci == pytest.approx((-0.03699, 0.03699), abs=1e-5)
    assert errors.warnings[0].startswith("Within each arm all requests ended alike, so that there is no interval")
    cost = found(analyse(experiment(sample_size=200), data(*arms)), "cost")
    assert (cost.degenerate, "speaks of medians" in cost.warnings[0]) == (True, True)


def test_prompts_that_are_known_of_one_arm_alone_explain_nothing() -> None:
    """Zeros beside known lengths would pass for short prompts, and lengths that are all the same foretell no cost."""
    known, unknown = some("test", 4, 300), some("control", 3, 300, covariate=[0] * 300)
    assert found(analyse(experiment(), data(unknown, known)), "cost").cuped is None
    alike = [some(arm, 5, 200) for arm in ("control", "test")]
    same = [replace(one, covariate=array("q", [300 * many for many in one.requests])) for one in alike]
    assert found(analyse(experiment(), data(*same)), "cost").cuped is None
    assert found(analyse(experiment(), data(some("control", 3, 300), known)), "cost").cuped is not None


def test_what_is_missing_is_told_by_arm_and_in_all() -> None:
    """Of what is needed for 80% power, at the planned shares; nothing where there is enough."""
    arms = [some("control", 3, 300), some("test", 4, 100)]
    one = experiment(sample_size=9_000, shares=(0.75, 0.25))
    cost = found(analyse(one, data(*arms)), "cost")
    assert cost.n_needed is not None
    assert cost.n_missing is not None
    lacking = cost.n_needed - sum(cost.n_requests.values())
    assert lacking > 1_000
    assert cost.n_missing.all == lacking
    assert cost.n_missing.arms == {"control": -(-lacking * 3 // 4), "test": -(-lacking // 4)}
    enough = found(analyse(replace(one, planned_effect=5.0), data(*arms)), "cost")
    assert enough.n_missing == Missing(arms={"control": 0, "test": 0}, all=0)


def test_with_more_arms_more_is_needed() -> None:
    """Power and need are counted at the level that each of two arms may be held against, the sum is of all arms."""
    arms = [some(arm, seed, 200) for seed, arm in enumerate(("control", "test", "third"))]
    several = analyse(experiment(sample_size=9_000, shares=(0.5, 0.25, 0.25)), data(*arms))
    alone = analyse(experiment(sample_size=9_000, shares=(0.75, 0.25), alpha=0.025), data(*arms[:2]))
    one, other = found(several, "cost"), found(alone, "cost")
    assert (one.n_needed, one.mde_80, one.power_at_planned_effect) == (
        other.n_needed,
        other.mde_80,
        other.power_at_planned_effect,
    )
    assert one.n_missing is not None
    lacking = (one.n_needed or 0) - sum(one.n_requests.values())
    assert one.n_missing.all == -(-lacking * 4 // 3)
    assert one.n_missing.arms == {"control": -(-lacking * 2 // 3), "test": -(-lacking // 3)}


def test_a_percentile_weighs_its_phases_by_their_requests() -> None:
    """Of a large phase the latencies of a sample are told, and it weighs no less for that."""
    arms = []
    for phase, users, slow in ((0, 100, 1), (1, 900, 3)):
        for arm in ("control", "test"):
            micros = [slow * (100_000 + 1_000 * place) for place in range(100)]
            one = cohort(arm, [0.1] * users, latency_user=list(range(100)), latency_us=micros)
            arms.append(replace(one, phase=phase))
    tail = found(analyse(phased((0.5, 0.5)), data(*arms)), "latency_p95")
    assert tail.mean["test"] == pytest.approx(0.1 * 194 + 0.9 * 582)
    assert (tail.n_requests["test"], tail.coverage["test"]) == (1_000, 0.2)


def test_one_constant_arm_is_warned_of() -> None:
    """The other arm's error is the difference's, and it is said."""
    results = analyse(experiment(), data(cohort("control", [0.1] * 50), cohort("test", [0.1, 0.2] * 25)))
    assert "One arm does not vary at all: the error is the other's alone." in found(results, "cost").warnings


def phased(shares: tuple[float, float], before: tuple[float, float] = (0.5, 0.5)) -> Experiment:
    """An experiment whose shares were changed once."""
    return experiment(sample_size=400, shares=shares, phases=(Phase(before, 1), Phase(shares, 2)))


def test_phases_are_compared_within_and_never_pooled() -> None:
    """When prices fall while the test arm grows, pooling would call it cheaper; within each phase it is the same."""
    dear, low = [1.0, 1.2] * 10, [0.1, 0.12] * 10
    arms = [
        cohort("control", dear * 9, phase=0),
        cohort("test", dear, phase=0),
        cohort("control", low, phase=1),
        cohort("test", low * 9, phase=1),
    ]
    results = analyse(phased((0.1, 0.9), (0.9, 0.1)), data(*arms))
    assert results.arms["control"].avg_cost == pytest.approx(1.001)
    assert found(results, "cost").diff == pytest.approx(0.0, abs=1e-12)
    assert results.verdict.code == "no_difference"
    assert not results.srm.blocked
    assert found(results, "cost").cuped is None


def test_users_in_wrong_shares_of_one_phase_are_found() -> None:
    """The evidence of all phases is multiplied, each held against its own shares."""
    arms = [cohort(arm, [0.1] * users, phase=p) for p, arm, users in ((0, "control", 90), (0, "test", 10))]
    assert analyse(phased((0.1, 0.9)), data(*arms, cohort("control", [0.1] * 5, phase=1))).srm.blocked


def test_the_chart_follows_the_results() -> None:
    """Each checkpoint has the estimate of the results up to it; the first without two users an arm has none."""
    moves = Moves(
        checkpoint=array("q", [0, 0, 1, 1, 2, 2]),
        user=array("q", [1, 2, 3, 4, 1, 2]),
        arm=array("q", [0, 1, 0, 1, 0, 1]),
        requests=array("q", [1, 1, 1, 1, 2, 2]),
        cost=array("q", [100, 50, 110, 40, 200, 120]),
        ends=(2, 4, 8),
    )
    results = analyse(experiment(), data(cohort("control", [0.1, 0.2]), cohort("test", [0.1, 0.2]), moves=moves))
    assert [(point.n, point.arm) for point in results.series] == [(4, "test"), (8, "test")]
    assert results.series[0].diff == pytest.approx((45 - 105) / 1e9)
    assert results.series[1].diff == pytest.approx((210 / 4 - 410 / 4) / 1e9)
    assert results.series[1].low < results.series[1].diff < results.series[1].high


@settings(max_examples=50, deadline=None)
@given(anything())
def test_no_data_make_it_fail(sample: tuple[Experiment, Data]) -> None:
    """Whatever comes, there is an answer that is JSON, without a warning; `make validate-experiments` tries 10,000."""
    holds(*sample)
