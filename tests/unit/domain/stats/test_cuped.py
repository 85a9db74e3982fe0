"""What a covariate foretold is taken out."""

from __future__ import annotations

import numpy as np
import pytest

from farthing.domain.stats.columns import Numbers
from farthing.domain.stats.cuped import Adjusted, Covaried, adjusted, theta
from farthing.domain.stats.means import arm_mean, compare

REQUESTS = np.random.default_rng(1).integers(1, 6, (2, 400))
TOKENS = np.random.default_rng(2).integers(10, 4_000, (2, 400)) * REQUESTS
NOISE = np.random.default_rng(3).integers(0, 900, (2, 400))


def taken(costs: list[Numbers]) -> Adjusted | None:
    """Both arms with these costs, and the tokens as covariate."""
    first, second = (Covaried(cost, REQUESTS[arm], TOKENS[arm]) for arm, cost in enumerate(costs))
    return adjusted(first, second)


def test_noise_that_was_foretold_is_gone() -> None:
    """Costs of 3 nano-dollars a token and some noise: θ is 3, and nearly all variance is removed."""
    found = taken([3 * TOKENS[0] + NOISE[0], 3 * TOKENS[1] + NOISE[1] + 500 * REQUESTS[1]])
    assert found is not None
    assert found.theta == pytest.approx(3, rel=0.02)
    assert found.variance_removed > 0.98
    assert found.comparison.absolute.estimate == pytest.approx(500, abs=4 * found.comparison.absolute.se)


def test_it_is_the_jackknife_of_adjusted_costs() -> None:
    """As if s − θ(x − X̄·n) had been paid."""
    costs = [3 * TOKENS[0] + NOISE[0], 2 * TOKENS[1] + NOISE[1]]
    found = taken([costs[0], costs[1]])
    assert found is not None
    common = TOKENS.sum() / REQUESTS.sum()
    arms = [
        arm_mean(costs[arm] - found.theta * (TOKENS[arm] - common * REQUESTS[arm]), REQUESTS[arm]) for arm in (0, 1)
    ]
    assert arms[0] is not None
    assert arms[1] is not None
    direct = compare(arms[0], arms[1])
    assert direct is not None
    assert found.comparison.absolute.estimate == pytest.approx(direct.absolute.estimate, rel=1e-10)
    assert found.comparison.absolute.se == pytest.approx(direct.absolute.se, rel=1e-10)
    assert found.comparison.control.mean == pytest.approx(arms[0].mean, rel=1e-12)


def test_a_relative_effect_stays_relative_to_what_control_paid() -> None:
    """Not to what it would have paid with everybody's prompts; a free control has none."""
    costs = [3 * TOKENS[0] + NOISE[0], 3 * TOKENS[1] + NOISE[1]]
    found = taken([costs[0], costs[1]])
    assert found is not None
    assert found.comparison.relative is not None
    paid = costs[0].sum() / REQUESTS[0].sum()
    assert found.comparison.relative.estimate == pytest.approx(found.comparison.absolute.estimate / paid, rel=1e-12)
    free = taken([np.zeros(400, dtype=np.int64), costs[1]])
    assert free is not None
    assert free.comparison.relative is None


def test_where_nothing_can_be_taken_out_there_is_none() -> None:
    """A constant covariate, constant costs, fewer than two users."""
    costs = [3 * TOKENS[0] + NOISE[0], 3 * TOKENS[1] + NOISE[1]]
    same = [Covaried(costs[arm], REQUESTS[arm], 700 * REQUESTS[arm]) for arm in (0, 1)]
    assert adjusted(same[0], same[1]) is None
    assert taken([5 * REQUESTS[0], 9 * REQUESTS[1]]) is None
    assert adjusted(Covaried([4], [1], [2]), Covaried(costs[1], REQUESTS[1], TOKENS[1])) is None


def test_a_slope_beyond_all_bounds_is_none() -> None:
    """Nor one of what does not vary."""
    tiny, large = np.array([1e-60, -1e-60]), np.array([1e90, -1e90])
    assert theta([(large, tiny)]) == 0.0
    assert theta([(large, np.zeros(2))]) == 0.0
    assert theta([(tiny, large)]) == pytest.approx(1e-150, rel=1e-12)
