"""What cheaper answers lose, by a judge and by people."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from farthing.domain.routing.compared import FEWEST, Seen, by_judge, by_people, losses_of
from farthing.domain.routing.promise import boldest, verdict_on
from farthing.domain.routing.promised import MARGINS
from farthing.domain.routing.rules import Promise

TEN = Promise(points=0.1)


def seen(
    count: int, *, of_baseline: bool, error: float | None = None, short: float = 0.0, loss: float = 0.0
) -> list[Seen]:
    """So many requests that are alike."""
    return [Seen(short=short, loss=loss, of_baseline=of_baseline, error=error)] * count


def test_what_is_not_let_through_loses_nothing() -> None:
    """The baseline answers it."""
    both = [*seen(1, of_baseline=True, short=0.02, loss=0.3), *seen(1, of_baseline=False, short=0.1, loss=0.5)]
    assert by_judge(both, 0.02) == [0.3, 0.0]
    assert by_judge(both, 1.0) == [0.3, 0.5]


@pytest.mark.parametrize(("baseline", "cheaper"), [(FEWEST - 1, FEWEST), (FEWEST, FEWEST - 1)])
def test_too_few_ratings_of_either_model_correct_nothing(baseline: int, cheaper: int) -> None:
    """However many there are of the other."""
    both = [*seen(baseline, of_baseline=True, error=0.0), *seen(cheaper, of_baseline=False, error=-0.9)]
    assert by_people(both, 1.0) is None
    assert losses_of(both, 1.0, TEN) == [0.0] * len(both)


def test_people_correct_what_the_judge_says_of_each_model() -> None:
    """By how far it is off on those of its answers that were rated, for the share that the margin lets through."""
    both = [
        *seen(30, of_baseline=True, error=0.05, loss=0.02),
        *seen(30, of_baseline=False, error=-0.1, loss=0.02),
        *seen(40, of_baseline=False, short=0.1, loss=0.5),
    ]
    losses = by_people(both, 0.05)
    assert losses is not None
    assert sum(losses) / 100 == pytest.approx(0.6 * (0.02 + 0.05 + 0.1))
    assert losses[60:] == [0.0] * 40


def test_the_error_is_that_of_pairs_and_of_ratings() -> None:
    """The variance of the mean is the judge's over the pairs, and that of his errors over the ratings."""
    dice = np.random.default_rng(5)
    errors = dice.normal(0, 0.3, 400)
    both = [
        Seen(short=0.0, loss=float(loss), of_baseline=place % 2 == 0, error=float(error) if place < 400 else None)
        for place, (loss, error) in enumerate(zip(dice.normal(0, 0.2, 4_000), [*errors, *[0.0] * 3_600], strict=True))
    ]
    losses = by_people(both, 0.0)
    assert losses is not None
    wanted = sqrt(0.2**2 / 4_000 + 2 * 0.3**2 / 200)
    assert np.std(losses, ddof=1) / sqrt(4_000) == pytest.approx(wanted, rel=0.05)


def test_few_ratings_leave_it_to_the_judge_unless_he_is_far_off() -> None:
    """Their own error would break every promise; but what is beyond doubt is no matter of chance."""
    swayed = [
        *[
            Seen(short=0.0, loss=0.0, of_baseline=side, error=error)
            for side in (True, False)
            for error in (0.5, -0.5) * 20
        ],
        *seen(400, of_baseline=True),
    ]
    assert losses_of(swayed, 0.0, TEN) == by_judge(swayed, 0.0)
    flattered = [
        *[
            Seen(short=0.0, loss=0.0, of_baseline=side, error=error - 0.4 * (not side))
            for side in (True, False)
            for error in (0.5, -0.5) * 20
        ],
        *seen(400, of_baseline=True),
    ]
    found = verdict_on(losses_of(flattered, 0.0, TEN), TEN)
    assert found.loss == pytest.approx(0.4)
    assert not found.is_kept


def test_a_judge_who_flatters_the_cheaper_model_breaks_no_promise() -> None:
    """It loses 0.15 in truth, the judge sees none of that; people who rate half of what is served do."""
    dice = np.random.default_rng(11)
    broken = trusted = 0
    for _ in range(60):
        good = dice.random(600) < 0.8, dice.random(600) < 0.65
        graded = good[0], good[1] | (dice.random(600) < 0.43)
        of_baseline, rated = dice.random(600) < 0.5, dice.random(600) < 0.5
        both = [
            Seen(
                short=0.0,
                loss=float(graded[0][row]) - float(graded[1][row]),
                of_baseline=bool(of_baseline[row]),
                error=float(good[side][row]) - float(graded[side][row]) if rated[row] else None,
            )
            for row in range(600)
            for side in [int(not of_baseline[row])]
        ]
        trusted += boldest([by_judge(both, MARGINS[0])], TEN)[0].is_kept
        broken += boldest([losses_of(both, MARGINS[0], TEN)], TEN)[0].is_kept
    assert trusted > 50
    assert broken <= 6
