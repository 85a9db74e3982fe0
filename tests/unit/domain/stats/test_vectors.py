"""Numbers that other projects' statistics give, reproduced by ours, each at its own tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isclose, sqrt
from typing import Any

import numpy as np
import pytest

from farthing.domain.stats import balance, beliefs, cuped, means, multiplicity, noninferiority, power, proportions
from farthing.domain.stats import distributions as dist
from farthing.domain.stats.ratios import Moments, ratio_mean
from farthing.domain.stats.sequential import anytime, anytime_bound
from tests.unit.domain.stats import mixtures, reference
from tests.unit.domain.stats.reference import CASES, Row

ELSEWHERE = "assignment"
"""The category that domain.experiments answers for."""

NOT_COVERED = {
    "p09": "several arms in one test: each is compared with control",
    "s09": "the one-sided normal mixture itself, for sums whose variance is known: ours are told by its bound",
    "w03": "power of deciding by the anytime interval, with the noise widened too: nothing of ours decides by it",
}
"""Cases whose method is not shipped, each with the reason."""


def sides(effect: means.Effect) -> dict[str, Any]:
    """What every two-sided test tells."""
    told = {"est": effect.estimate, "se": effect.se, "p": effect.p, "t": effect.t}
    return told | {"z": effect.t, "df": effect.freedom, "ci": [effect.low, effect.high]}


def welch(inputs: Row) -> dict[str, Any]:
    """Means and variances, two sides or one."""
    effect = reference.compared(inputs)
    if inputs["side"] == "two":
        return sides(effect)
    found = means.one_sided(effect, inputs["side"], alpha=inputs["alpha"])
    return {"p": found.p, "ci": [-inf, found.bound]}


def welch_raw(inputs: Row) -> dict[str, Any]:
    """One request per user, by the jackknife; a − b."""
    return sides(reference.raw(inputs["b"], inputs["a"]).absolute)


def ztest(inputs: Row) -> dict[str, Any]:
    """A lower bound by the normal distribution."""
    effect = reference.normal(reference.compared({**inputs, "relative": False}))
    return {"est": effect.estimate, "ci": [means.one_sided(effect, "greater", alpha=inputs["alpha"]).bound, inf]}


def nim_decision(inputs: Row) -> dict[str, Any]:
    """A margin relative to control's mean."""
    effect = reference.normal(reference.compared({**inputs, "relative": False}))
    margin = inputs["margin_rel"] * reference.moments(inputs["a"]).mean
    found = noninferiority.non_inferiority(effect, margin=margin, better="higher", alpha=inputs["alpha"])
    return {"non_inferior": found == "pass"}


def z_from_means(inputs: Row) -> dict[str, Any]:
    """Spreads that are known."""
    arms = [means.mean_of(inputs[f"n_{arm}"], inputs[f"mean_{arm}"], inputs[f"sigma_{arm}"] ** 2) for arm in "ab"]
    se = sqrt(arms[0].se ** 2 + arms[1].se ** 2)
    return sides(means.effect(arms[1].mean - arms[0].mean, se, alpha=inputs["alpha"]))


def tost_welch(inputs: Row) -> dict[str, Any]:
    """Two one-sided tests against both ends of a margin; a − b."""
    effect = reference.raw(inputs["b"], inputs["a"]).absolute
    above = means.one_sided(effect, "greater", against=-inputs["eps"])
    below = means.one_sided(effect, "less", against=inputs["eps"])
    p = max(above.p, below.p)
    return {**sides(effect), "ci90": [above.bound, below.bound], "p": p, "equivalent": p <= inputs["alpha"]}


def wald_ci_pooled_p(inputs: Row) -> dict[str, Any]:
    """Two shares: the interval by their own errors, the test by the pooled one."""
    p = dist.normal_p(proportions.pooled_z(*reference.shares(inputs)))
    return {**sides(reference.wald(inputs)), "p": p}


def ratio_welch(inputs: Row) -> dict[str, Any]:
    """Ratios by the delta method, from moments."""

    def ratio(arm: Row) -> means.ArmMean:
        n, m, d = arm["n"], arm["m_sum"], arm["d_sum"]
        spreads = [
            reference.covariance(n, *args) for args in ((arm["m_sq"], m, m), (arm["d_sq"], d, d), (arm["md"], m, d))
        ]
        return ratio_mean(Moments(n, m / n, d / n, *spreads))

    a, b = ratio(inputs["a"]), ratio(inputs["b"])
    found = means.compare(a, b)
    assert found is not None
    assert found.relative is not None
    return {**sides(found.relative), "ratio_a": a.mean, "ratio_b": b.mean}


def delta_var(inputs: Row) -> dict[str, Any]:
    """The variance of a difference."""
    arms = [means.mean_of(inputs[f"n_{arm}"], inputs[f"mean_{arm}"], inputs[f"var_{arm}"]) for arm in "ab"]
    found = means.compare(arms[0], arms[1])
    assert found is not None
    return {"var": found.absolute.se**2}


def ratio_cuped_fixed_theta(inputs: Row) -> dict[str, Any]:
    """A ratio less θ times a ratio before."""
    columns = ("m_post", "d_post", "m_pre", "d_pre")
    arms = [reference.delta_moved(*(np.array(inputs[arm][name]) for name in columns)) for arm in "ab"]
    found = cuped.taken_out(arms[0], arms[1], inputs["theta"])
    assert found.relative is not None
    return sides(found.relative)


def ratio_cuped_moments_sequential(inputs: Row) -> dict[str, Any]:
    """The same with a pooled θ, from moments, watched."""
    names = ("m_post", "d_post", "m_pre", "d_pre")

    def moved(arm: Row) -> cuped.Moved:
        crossed = {(name, name): arm[name][1] for name in names}
        for first in names:
            for second in names:
                key = f"{first}_{second}".replace("_p", "p")
                crossed |= {(first, second): arm[key], (second, first): arm[key]} if key in arm else {}
        n, sums = arm["n"], [arm[name][0] for name in names]
        matrix = [[reference.covariance(n, crossed[p, q], arm[p][0], arm[q][0]) for q in names] for p in names]
        return reference.delta_moved(*reference.with_covariance(n, [each / n for each in sums], np.array(matrix)))

    arms = [moved(inputs[arm]) for arm in "ab"]
    slope = cuped.theta([(arm.moved, arm.covariate_moved) for arm in arms])
    found = cuped.taken_out(arms[0], arms[1], slope)
    assert found.relative is not None
    return watched(found.relative, inputs)


def watched(effect: means.Effect, inputs: Row) -> dict[str, Any]:
    """An effect with its anytime interval."""
    plain = reference.normal(effect)
    n = inputs["a"]["n"] + inputs["b"]["n"]
    seen = anytime(plain, n=n, planned=inputs["n_star"], alpha=inputs["alpha"])
    return {"est": plain.estimate, "se": plain.se, "p": seen.p, "ci": [seen.low, seen.high], "ci_low": seen.low}


def acs_proportion(inputs: Row) -> dict[str, Any]:
    """Shares, relative, watched."""
    arms = [means.mean_of(share.of, share.mean, share.of * share.se**2) for share in reference.shares(inputs)]
    found = means.compare(arms[0], arms[1])
    assert found is not None
    assert found.relative is not None
    return watched(found.relative, inputs)


def acs_one_sided(inputs: Row) -> dict[str, Any]:
    """One side of it."""
    effect, side = reference.normal(reference.compared(inputs)), inputs["side"]
    n = inputs["a"]["n"] + inputs["b"]["n"]
    bound = anytime_bound(effect, side, n=n, planned=inputs["n_star"], alpha=inputs["alpha"])
    return {"ci": [bound, inf] if side == "greater" else [-inf, bound]}


def cuped_theta(inputs: Row) -> dict[str, Any]:
    """The slope over both arms."""
    first, second = (cuped.Covaried(arm["y"], [1] * len(arm["y"]), arm["x"]) for arm in inputs["arms"])
    found = cuped.adjusted(first, second)
    assert found is not None
    return {"theta": found.theta}


def mde_relative(inputs: Row) -> dict[str, Any]:
    """The smallest effect, relative to a mean that is estimated as well."""
    arm = means.mean_of(inputs["n_total"] // inputs["n_variations"], inputs["mean"], inputs["variance"])
    return {"mde": power.smallest_relative_effect(arm.se / arm.mean, alpha=inputs["alpha"], power=inputs["power"])}


def n_total_two_arms(inputs: Row) -> dict[str, Any]:
    """Two equal arms."""
    wish = power.Wish(
        variance=inputs["variance"], effect=inputs["mde_abs"], alpha=inputs["alpha"], power=inputs["power"]
    )
    return {"n_total": power.sample_size(wish)}


def achieved_power(inputs: Row) -> dict[str, Any]:
    """Of two arms as they are."""
    se = sqrt(inputs["variance"] * (1 / inputs["n1"] + 1 / inputs["n2"]))
    return {"power": power.power_at(inputs["mde_abs"], se, alpha=inputs["alpha"])}


def mid_experiment_scaling(inputs: Row) -> dict[str, Any]:
    """How much more is needed, as a multiple of what there is."""
    effect = reference.compared({**inputs, "relative": True})
    results = inputs["a"]["n"] + inputs["b"]["n"]
    needed = power.results_needed(inputs["mde_rel"], effect.se, results, alpha=inputs["alpha"], power=inputs["power"])
    return {"scaling": needed / results - 1}


def flat_prior(inputs: Row) -> dict[str, Any]:
    """Shares, relative, as somebody believes who knew nothing."""
    arms = [means.mean_of(share.of, share.mean, share.of * share.se**2) for share in reference.shares(inputs)]
    found = means.compare(arms[0], arms[1])
    assert found is not None
    assert found.relative is not None
    effect = reference.normal(found.relative)
    held = beliefs.belief(effect)
    risk = [held.loss_if_control, held.loss_if_treatment]
    return {**sides(effect), "chance_to_win": held.chance_greater, "risk": risk}


def cuped_welch_sequential(inputs: Row) -> dict[str, Any]:
    """Plain means with a pooled θ, from users with these moments; control's variance by the means as they were."""
    users = [reference.with_moments(inputs[arm]) for arm in "ab"]
    slope = cuped.theta([(y - y.mean(), x - x.mean()) for y, x in users])
    before = reference.raw(*(y for y, _ in users))
    after = reference.raw(*(y - slope * x for y, x in users))
    base = before.control.mean
    control = after.control.se * before.treatment.mean / base
    found = means.relative_effect(after.absolute, after.treatment.se, control, base, alpha=inputs["alpha"])
    assert found is not None
    return watched(found, inputs)


def agresti_caffo(inputs: Row) -> dict[str, Any]:
    """The interval by the arms' own errors, with one hit and one miss more in each."""
    more = {arm: {"x": inputs[arm]["x"] + 1, "n": inputs[arm]["n"] + 2} for arm in "ab"}
    return sides(reference.wald({**inputs, **more}))


def bonferroni(inputs: Row) -> dict[str, Any]:
    """Holm's first step: of several p-values of which the others say nothing."""
    others = [1.0] * (len(inputs["p"]) - 1)
    return {"adjusted": [multiplicity.holm([p, *others])[0] for p in inputs["p"]]}


METHODS: Mapping[str, Callable[[Row], dict[str, Any]]] = {
    "welch": welch,
    "welch_raw": welch_raw,
    "ztest": ztest,
    "nim_decision": nim_decision,
    "z_from_means": z_from_means,
    "tost_welch": tost_welch,
    "wald_ci_pooled_p": wald_ci_pooled_p,
    "ratio_welch": ratio_welch,
    "delta_var": delta_var,
    "ratio_cuped_fixed_theta": ratio_cuped_fixed_theta,
    "ratio_cuped_moments_sequential": ratio_cuped_moments_sequential,
    "cuped_theta": cuped_theta,
    "acs": lambda inputs: watched(reference.compared(inputs), inputs),
    "acs_proportion": acs_proportion,
    "acs_one_sided": acs_one_sided,
    "srm_chi2": lambda inputs: {"p": balance.chi_square(inputs["observed"], inputs["weights"])},
    "srm_sequential_log_bf": lambda inputs: {
        "log_bf": balance.log_e_value(inputs["observed"], inputs["weights"], inputs["dirichlet"])
    },
    "cuped_welch_sequential": cuped_welch_sequential,
    "agresti_caffo": agresti_caffo,
    "bonferroni": bonferroni,
    "beta_binomial_mixture_two_sided": mixtures.bounded_sums,
    "bernoulli_confseq": mixtures.one_share,
    "quantile_ab_anytime_p": mixtures.quantiles,
    "holm": lambda inputs: {"adjusted": multiplicity.holm(inputs["p"])},
    "bh": lambda inputs: {"adjusted": multiplicity.benjamini_hochberg(inputs["p"])},
    "mde_relative": mde_relative,
    "n_total_two_arms": n_total_two_arms,
    "achieved_power": achieved_power,
    "mid_experiment_scaling": mid_experiment_scaling,
    "flat_prior": flat_prior,
}
"""How the cases of a method are put to ours."""

BY_ID = {case["id"]: case for case in CASES}
BELOW = {"d01", "d02"}
"""Cases whose answer is that there is none: each has a test of its own."""
COVERED = [case for case in CASES if case["method"] in METHODS]


def alike(found: Any, expected: Any, case: Row) -> bool:
    """Whether two answers agree at the tolerance of the case."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(alike, found, expected, [case] * len(found)))
    if isinstance(expected, bool):
        return bool(found is expected)
    return isclose(found, float(expected), rel_tol=case["rtol"], abs_tol=case["atol"])


@pytest.mark.parametrize("case", COVERED, ids=[case["id"] for case in COVERED])
def test_other_projects_numbers_come_out(case: Row) -> None:
    """Every figure that a case expects, at its own tolerance."""
    found = METHODS[case["method"]](case["inputs"])
    wrong = {
        name: (found[name], value) for name, value in case["expected"].items() if not alike(found[name], value, case)
    }
    assert wrong == {}


def test_every_case_is_covered_or_has_its_reason() -> None:
    """None is forgotten, none stands twice, and none is excused that could be held."""
    here = {case["id"] for case in CASES if case["category"] != ELSEWHERE}
    covered = {case["id"] for case in COVERED}
    assert covered | BELOW | set(NOT_COVERED) == here
    assert (len(CASES), len(here), len(covered), len(NOT_COVERED)) == (78, 63, 58, 3)


def test_a_negative_variance_is_refused_with_its_reason() -> None:
    """Case d01: the other project answers p = 1, we say what is wrong with the numbers."""
    with pytest.raises(ValueError, match=r"a variance of -\d+\.\d+ is none"):
        reference.moments(BY_ID["d01"]["inputs"]["a"])


def test_a_single_user_allows_no_inference() -> None:
    """Case d02: no p-value at all, rather than p = 1."""
    single = means.arm_mean([1], [1])
    assert single is not None
    assert means.compare(reference.moments(BY_ID["d02"]["inputs"]["a"]), single) is None
