"""When an experiment decides, and what it says."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Cohort, Served
from farthing.domain.experiments.results import Results
from farthing.domain.experiments.verdict import Verdict
from tests.unit.domain.experiments.samples import cohort, data, experiment

CHANCE = random.Random(5)
DEAR = [0.0002 * CHANCE.lognormvariate(0, 0.3) for _ in range(50)]
CHEAP = [0.0001 * CHANCE.lognormvariate(0, 0.3) for _ in range(50)]


def judged(control: Cohort, test: Cohort, *others: Cohort, **settings: Any) -> Results:
    """The analysis of a full plan with these cohorts."""
    every = data(control, test, *others)
    shares = tuple(1 / len(every.cohorts) for _ in every.cohorts)
    plan: dict[str, Any] = {"sample_size": every.n, "shares": shares}
    return analyse(experiment(**plan | settings), every)


def told(results: Results) -> tuple[str, str | None, bool]:
    """Code, winner and whether it is final."""
    return results.verdict.code, results.verdict.winner, results.verdict.is_final


def test_the_cheaper_arm_wins_in_one_plain_sentence() -> None:
    """Code, winner, and a sentence that a product manager can read; what was not measured is a caveat."""
    results = judged(cohort("control", [0.0002] * 50), cohort("test", [0.0001] * 50))
    assert told(results) == ("winner", "test", True)
    assert results.verdict.reason == (
        "Arm test costs 50.0% less a request than control ($0.0001 against $0.0002), and no guardrail was broken."
    )
    assert results.verdict.caveats == (
        "Not shown to be as good for test: error rate.",
        "Not measured for test: mean latency, p95 latency and quality.",
    )
    assert results.p_value == results.metrics[0].p_fixed
    assert results.interval == results.metrics[0].ci == pytest.approx((-0.0001, -0.0001))


def test_while_results_are_collected_only_figures_that_may_be_watched_are_headlines() -> None:
    """Before the plan is full the p-value and interval are those that hold at every look, and nothing is decided."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP))
    results = analyse(experiment(sample_size=200), every)
    assert told(results) == ("collecting", None, False)
    assert (results.p_value, results.interval) == (results.metrics[0].p_anytime, results.metrics[0].ci_anytime)
    assert results.verdict.reason == "100 of 200 planned results are in; nothing is decided before the plan is full."


def test_an_early_stop_was_chosen_and_then_decides_from_half_the_plan_on() -> None:
    """At half the plan a large difference ends it; a plan without early stop goes on."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP))
    early = analyse(experiment(sample_size=200, early_stop=True), every).verdict
    assert (early.code, early.rule, early.winner, early.is_final) == ("winner", "early", "test", True)
    assert early.alpha_used == pytest.approx(0.0475, abs=1e-4)
    assert "stopped early" in early.caveats[0]
    assert analyse(experiment(sample_size=202, early_stop=True), every).verdict.code == "collecting"


def test_an_early_look_ends_nothing_that_more_results_may_clear() -> None:
    """A difference below the smallest one worth acting on is looked at again when the plan is full."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP))
    assert analyse(experiment(sample_size=200, early_stop=True, min_effect=0.9), every).verdict.code == "collecting"


def test_control_can_win() -> None:
    """A dearer arm leaves everything as it is, whatever its quality."""
    results = judged(cohort("control", CHEAP), cohort("test", DEAR, quality=[5.0] * 50, rated=[1] * 50))
    assert told(results) == ("winner", "control", True)
    assert results.verdict.reason.endswith("so control stays.")


def test_a_dearer_arm_by_next_to_nothing_is_negligible() -> None:
    """The smallest effect worth acting on holds in both directions."""
    results = judged(cohort("control", [0.0002] * 50), cohort("test", [0.000202] * 50), min_effect=0.02)
    assert told(results) == ("negligible", None, True)


def test_a_free_control_has_no_relative_difference() -> None:
    """Where control costs nothing the absolute difference decides, whatever relative one is worth acting on."""
    results = judged(cohort("control", [0.0] * 50), cohort("test", [0.0001] * 50), min_effect=0.5)
    assert told(results) == ("winner", "control", True)
    assert results.metrics[0].rel is None
    assert results.verdict.reason.startswith("Arm test costs more a request than control ($0.0001 against $0)")


WORSE: dict[str, dict[str, Any]] = {
    "error rate": {"errors": [1] * 20 + [0] * 30},
    "quality": {"quality": [3.0, 3.5] * 25, "rated": [1] * 50},
    "mean latency": {"latency": [900_000, 950_000] * 25},
}


@pytest.mark.parametrize("metric", WORSE)
def test_cheaper_and_worse_is_a_trade_off(metric: str) -> None:
    """A guardrail that fails names no winner, and the sentence says which."""
    good: dict[str, Any] = {"quality": [4.5, 5.0] * 25, "rated": [1] * 50, "latency": [400_000, 450_000] * 25}
    worse = good | WORSE[metric]
    results = judged(cohort("control", DEAR, **good), cohort("test", CHEAP, **worse))
    if metric == "error rate":
        assert told(results) == ("stopped_harm", None, True)
        assert results.verdict.reason == "Stopped, since test fails more often than control: 40.0% against 0.0%."
        assert results.arms["test"].harm_e_value is not None
        assert results.arms["test"].harm_e_value >= 20
    else:
        assert told(results) == ("trade_off", None, True)
        assert results.verdict.reason.endswith(f"and is worse in {metric}: that is for you to weigh.")


def test_what_is_not_proven_blocks_under_the_strict_policy_alone() -> None:
    """The default tells it as a caveat; strict names no winner before every measured guardrail has passed."""
    noisy: dict[str, Any] = {"quality": [2.0, 5.0] * 25, "rated": [1] * 50}
    arms = cohort("control", DEAR, **noisy), cohort("test", CHEAP, **noisy)
    assert told(judged(*arms)) == ("winner", "test", True)
    strict = judged(*arms, policy="strict")
    assert told(strict) == ("inconclusive", None, True)
    assert "error rate and quality" in strict.verdict.reason


def test_ratings_at_different_rates_are_told() -> None:
    """Who rates may be another kind of user in each arm."""
    results = judged(
        cohort("control", DEAR, rated=[1] * 50, quality=[4.0, 5.0] * 25),
        cohort("test", CHEAP, rated=[1, 0, 0, 0, 0] * 10, quality=[4.0, 0, 0, 0, 0] * 10),
    )
    assert "Requests of test are rated more or less often than control's, so" in " ".join(results.verdict.caveats)


def test_a_handful_of_dear_users_names_no_winner() -> None:
    """Where the answer is another with the dearest hundredth capped, that is said instead."""
    control = [0.0001 + 0.000001 * (place % 7) for place in range(200)]
    test = [cost * 1.01 for cost in control]
    control[:3] = [0.01, 0.02, 0.03]
    low = judged(cohort("control", control), cohort("test", test), alpha=0.2)
    assert told(low) == ("outlier_driven", None, True)
    high = judged(cohort("control", test), cohort("test", control), alpha=0.2)
    assert told(high) == ("outlier_driven", None, True)


def test_users_in_wrong_shares_forbid_conclusions_and_end_only_a_full_plan() -> None:
    """Before the plan is full the shares may mend themselves; after it the experiment is invalid."""
    arms = cohort("control", DEAR * 2), cohort("test", CHEAP[:20])
    results = judged(*arms)
    assert told(results) == ("invalid", None, True)
    assert "100 in control, 20 in test" in results.verdict.reason
    assert told(judged(*arms, sample_size=500)) == ("invalid", None, False)


def test_wrong_shares_are_told_as_they_were_counted() -> None:
    """With users whose answers the cache had, without whom the sentence would name shares that are as planned."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP), served=(Served(arm="test", phase=0, users=60),))
    verdict = analyse(experiment(sample_size=500), every).verdict
    assert (verdict.code, verdict.is_final) == ("invalid", False)
    assert "(50 in control, 110 in test)" in verdict.reason


def test_one_user_who_fails_again_and_again_ends_nothing() -> None:
    """He is one, as often as he asks; an arm in which hardly anybody gets an answer ends as soon as ever."""
    often = [1] * 29 + [30]
    control, test = cohort("control", DEAR[:30]), cohort("test", CHEAP[:30], requests=often, errors=[0] * 29 + [28])
    alone = judged(control, test, sample_size=500)
    assert told(alone) == ("collecting", None, False)
    assert alone.arms["test"].harm_e_value == pytest.approx(1.4, abs=0.5)
    down = cohort("test", CHEAP[:5], requests=[2] * 5, errors=[2] * 5)
    assert told(judged(cohort("control", DEAR[:5], requests=[2] * 5), down, sample_size=500)) == (
        "stopped_harm",
        None,
        True,
    )


def test_harm_ends_it_even_where_the_shares_are_wrong() -> None:
    """An invalid experiment whose arm fails does not go on failing until the plan is full."""
    failing = cohort("test", CHEAP[:30], errors=[1] * 30)
    verdict = judged(cohort("control", DEAR * 3), failing, sample_size=500).verdict
    assert (verdict.code, verdict.is_harmful, verdict.is_final) == ("invalid", True, True)


@pytest.mark.parametrize(("crossed", "code"), [(0, "winner"), (1, "winner"), (3, "invalid")])
def test_users_in_two_arms_are_told_and_then_too_many(crossed: int, code: str) -> None:
    """From half a percent on it is said, from two percent on nothing may be concluded."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP), crossovers=crossed)
    verdict = analyse(experiment(), every).verdict
    assert verdict.code == code
    assert any("more than one arm" in text for text in (*verdict.caveats, verdict.reason)) == (crossed > 0)


def test_lost_results_are_told_by_arm() -> None:
    """What was dropped on its way is a caveat, since losing more of one arm bends the comparison."""
    every = data(cohort("control", DEAR), cohort("test", CHEAP), dropped={"control": 0, "test": 4})
    assert analyse(experiment(), every).verdict.caveats[-1] == "4 results of test were lost on their way."


def test_an_ended_experiment_says_so() -> None:
    """Ended by hand before its plan, it is inconclusive; what was decided before stays decided."""
    every = data(cohort("control", DEAR[:5]), cohort("test", CHEAP[:5]))
    verdict = analyse(experiment(status="cancelled"), every).verdict
    assert (verdict.code, verdict.is_final) == ("inconclusive", True)
    assert verdict.reason == "Ended by hand after 10 of 100 planned results, so nothing was decided."
    kept = Verdict(code="winner", winner="test", reason="As it was.", is_final=True)
    assert analyse(experiment(status="completed", verdict=kept), every).verdict == kept


def test_of_several_arms_the_cheapest_that_is_sound_wins() -> None:
    """A cheaper arm that is worse steps back behind one that is not; p-values are adjusted for both."""
    good: dict[str, Any] = {"quality": [4.5, 5.0] * 25, "rated": [1] * 50}
    worse: dict[str, Any] = {"quality": [2.5, 3.0] * 25, "rated": [1] * 50}
    cheapest = [cost / 2 for cost in CHEAP]
    arms = cohort("control", DEAR, **good), cohort("test", cheapest, **worse), cohort("third", CHEAP, **good)
    results = judged(*arms)
    assert told(results) == ("winner", "third", True)
    first, second = (results.primary(name) for name in ("test", "third"))
    assert first is not None
    assert second is not None
    assert (results.headline, results.primary("none")) == (second, None)
    assert first.p_adjusted == pytest.approx(2 * (first.p_fixed or 1), rel=1e-9)


def test_headline_and_sentence_speak_of_the_same_arm() -> None:
    """The arm that is named is the one whose figures are shown, though another differs more clearly."""
    good: dict[str, Any] = {"quality": [4.5, 5.0] * 25, "rated": [1] * 50}
    worse: dict[str, Any] = {"quality": [2.5, 3.0] * 25, "rated": [1] * 50}
    dearest = cohort("third", [cost * 9 for cost in DEAR], **good)
    results = judged(cohort("control", DEAR, **good), cohort("test", CHEAP, **worse), dearest)
    assert told(results) == ("trade_off", None, True)
    assert results.verdict.about == results.headline.arm == "test"
    assert results.verdict.reason.startswith("Arm test costs")
    failing = cohort("test", DEAR, errors=[1] * 50)
    harmed = judged(cohort("control", DEAR, **good), failing, dearest)
    assert (harmed.verdict.code, harmed.headline.arm) == ("stopped_harm", "test")
    plain = [0.0001 + 0.000001 * (place % 7) for place in range(200)]
    outlying = cohort("third", [0.01, 0.02, 0.03, *plain[3:]])
    clear = cohort("test", [cost * 3 for cost in plain])
    odd = judged(cohort("control", [cost * 1.01 for cost in plain]), clear, outlying, alpha=0.4)
    assert (odd.verdict.code, odd.verdict.about, odd.headline.arm) == ("outlier_driven", "third", "third")


def test_figures_that_may_be_watched_are_adjusted_for_the_arms_too() -> None:
    """Of two arms the clearer one counts twice, whenever one looks."""
    half = cohort("control", DEAR[:25]), cohort("test", CHEAP[:25]), cohort("third", DEAR[25:])
    results = judged(*half, sample_size=300)
    first = results.primary("test")
    assert first is not None
    assert results.headline == first
    assert results.p_value == first.p_anytime_adjusted == pytest.approx(2 * (first.p_anytime or 1), rel=1e-12)
    alone = judged(*half[:2], sample_size=300)
    assert alone.p_value == alone.headline.p_anytime


def test_control_wins_against_several_only_if_all_cost_more() -> None:
    """One arm without a shown difference leaves it open which is the cheapest."""
    same, dearer = cohort("test", DEAR[::-1]), cohort("third", [cost * 3 for cost in DEAR])
    results = judged(cohort("control", DEAR), same, dearer)
    assert told(results) == ("no_difference", None, True)
    assert results.verdict.reason == "No arm was shown to cost less than control; keep control."
    both = judged(cohort("control", DEAR), replace(dearer, arm="test"), dearer)
    assert told(both) == ("winner", "control", True)
    assert both.verdict.reason == "Every other arm costs more a request than control, so control stays."
