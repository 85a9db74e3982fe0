"""The distribution functions agree with scipy.stats, and no figure leaves their bounds."""

from __future__ import annotations

from math import inf, log, nan

import numpy as np
import pytest
from scipy import stats

from farthing.domain.stats import distributions as dist


def test_t_agrees_with_scipy_on_a_random_grid() -> None:
    """p-values within 1e-8, and within 1e-8 of themselves, over all sizes of t and degrees of freedom."""
    chance = np.random.default_rng(7)
    t, freedom = chance.normal(0, 4, 2_000), 10 ** chance.uniform(0, 6, 2_000)
    theirs = 2 * stats.t.sf(np.abs(t), freedom)
    ours = [dist.student_p(float(one), float(df)) for one, df in zip(t, freedom, strict=True)]
    assert ours == pytest.approx(theirs.tolist(), rel=1e-8, abs=1e-8)


def test_t_quantiles_agree_with_scipy_on_a_random_grid() -> None:
    """Over shares and degrees of freedom, whole and fractional."""
    chance = np.random.default_rng(8)
    share, freedom = chance.uniform(0.0005, 0.9995, 500), 10 ** chance.uniform(0, 6, 500)
    ours = [dist.student_quantile(float(one), float(df)) for one, df in zip(share, freedom, strict=True)]
    assert ours == pytest.approx(stats.t.ppf(share, freedom).tolist(), rel=1e-8, abs=1e-8)


def test_without_degrees_of_freedom_t_is_normal() -> None:
    """None stands for the normal distribution in all three."""
    assert dist.student_cdf(1.0, None) == dist.normal_cdf(1.0) == pytest.approx(0.8413447460685429, abs=1e-15)
    assert dist.student_quantile(0.975, None) == pytest.approx(1.959963984540054, abs=1e-14)
    assert dist.student_p(-1.959963984540054, None) == pytest.approx(0.05, abs=1e-15)


def test_the_others_agree_with_scipy() -> None:
    """χ², beta and the height of the normal."""
    assert dist.chi_square_p(7.5, 3) == pytest.approx(stats.chi2.sf(7.5, 3), rel=1e-12)
    assert dist.beta_above(3, 9, 0.4) == pytest.approx(stats.beta.sf(0.4, 3, 9), rel=1e-12)
    assert dist.normal_density(-1.3) == pytest.approx(stats.norm.pdf(1.3), rel=1e-14)


def test_z_is_exact_far_into_the_tail() -> None:
    """From a p-value to z and back."""
    assert dist.z_of(1.0) == 0.0
    assert dist.z_of(1.9823306042836678e-29) == pytest.approx(stats.norm.isf(0.9911653021418339e-29), rel=1e-12)
    assert dist.normal_p(dist.z_of(1e-250)) == pytest.approx(1e-250, rel=1e-9)
    assert dist.z_of(0.0) == dist.z_of(1e-300) == pytest.approx(stats.norm.isf(5e-301), rel=1e-12)


@pytest.mark.parametrize(("p", "told"), [(0.0, 1e-300), (-1.0, 1e-300), (2.0, 1.0), (nan, 1.0), (inf, 1.0), (0.3, 0.3)])
def test_a_p_value_is_held_within_its_bounds(p: float, told: float) -> None:
    """Between 1e-300 and 1; what is no number says nothing."""
    assert dist.clamped(p) == told


def test_figures_are_held_within_what_json_can_carry() -> None:
    """Numbers within 1e300 in size, e-values between 1e-300 and 1e300."""
    assert (dist.held(inf), dist.held(-inf), dist.held(3.5)) == (1e300, -1e300, 3.5)
    assert dist.exponential(log(20)) == pytest.approx(20, rel=1e-15)
    assert dist.exponential(1e6) == pytest.approx(1e300, rel=1e-12)
    assert dist.exponential(-1e6) == pytest.approx(1e-300, rel=1e-12)
