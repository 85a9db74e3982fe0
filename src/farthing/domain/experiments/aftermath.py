"""What becomes of a winner that was promoted: held for good against the users who were held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.experiments.assignment import HELD_BACK
from farthing.domain.experiments.data import MILLION, Followed, Following
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.wording import usd
from farthing.domain.stats.harm import harm_by_users
from farthing.domain.stats.means import Comparison, Effect, Side, arm_mean, compare
from farthing.domain.stats.sequential import anytime_bound

FEWEST_GROUPS = 25
"""With requests, in each arm, below which nothing but failures is compared."""


class Watch(Struct, frozen=True, kw_only=True):
    """One metric that can take a winner back."""

    column: Following
    worse: Side = "greater"
    is_relative: bool = False
    """Whether the margin is a share of control's mean; else it is in the column's unit."""
    margin: Callable[[Experiment], float]
    """How much worse the winner may be."""
    said: str
    shown: Callable[[float], str]
    """The column's mean for people."""


WATCHES: Sequence[Watch] = (
    Watch(
        column="cost",
        margin=lambda _: 0.0,
        said="cost more a request than",
        shown=lambda nanos: usd(nanos / 1e9),
    ),
    Watch(
        column="latency",
        is_relative=True,
        margin=lambda one: one.margins.latency,
        said="been slower than",
        shown=lambda micros: f"{micros / 1e3:,.0f} ms",
    ),
    Watch(
        column="quality",
        worse="less",
        margin=lambda one: one.margins.quality * MILLION,
        said="been rated lower than",
        shown=lambda millionths: f"{millionths / MILLION:.2f}",
    ),
)
WATCHED = 1 + len(WATCHES)
"""What can take a winner back: failures, and each of these. Each has its part of the experiment's alpha."""


def regretted(experiment: Experiment, aftermath: Mapping[str, Followed]) -> str | None:
    """Why the promoted arm should give way to control, in words that end a sentence; None where it should not.

    May be looked at after every request: of winners that are no worse at most alpha ever give way. Failures are
    compared by request, no surer than groups of users allow; all else by groups.
    """
    winner = experiment.promoted
    if winner is None:
        return None
    followed, held_back = aftermath.get(winner.name), aftermath.get(experiment.control.name)
    # With nobody on one side there is nothing to compare with.
    if followed is None or held_back is None:
        return None
    regrets = _regrets(experiment, followed, held_back)
    return next((f"{winner.name} has {said}" for said in regrets), None)


def _regrets(experiment: Experiment, followed: Followed, held_back: Followed) -> Iterator[str]:
    since = f"{experiment.control.name} since it was promoted"
    level = experiment.alpha / WATCHED
    sides = (followed.errors, followed.requests), (held_back.errors, held_back.requests)
    if harm_by_users(treatment=sides[0], control=sides[1]).e_value >= 1 / level:
        rates = [f"{sum(errors) / sum(requests):.1%}" for errors, requests in sides]
        yield f"failed more often than {since}: {' against '.join(rates)}"
    for watch in WATCHES:
        found = _compared(watch, followed, held_back)
        if found is not None and _is_worse(experiment, watch, found, level):
            means = watch.shown(found.treatment.mean), watch.shown(found.control.mean)
            yield f"{watch.said} {since}: {' against '.join(means)}"


def _compared(watch: Watch, followed: Followed, held_back: Followed) -> Comparison | None:
    """The winner against control; None with too few groups of users."""
    means = [arm_mean(getattr(one, watch.column), one.counts(watch.column)) for one in (held_back, followed)]
    if not means[0] or not means[1] or min(means[0].users, means[1].users) < FEWEST_GROUPS:
        return None
    return compare(means[0], means[1])


def _is_worse(experiment: Experiment, watch: Watch, found: Comparison, level: float) -> bool:
    """Whether even the bound on the good side is beyond the margin; never where nothing varies."""
    effect = found.relative if watch.is_relative else found.absolute
    if effect is None or not effect.se:
        return False
    margin = watch.margin(experiment)
    results = round(found.control.requests + found.treatment.requests)
    # As much is known of few who were held back as of the plan's two equal arms.
    planned = round(experiment.sample_size / (4 * HELD_BACK * (1 - HELD_BACK)))
    bound = anytime_bound(_leaning(effect, found), watch.worse, n=results, planned=planned, alpha=level)
    return bound > margin if watch.worse == "greater" else bound < -margin


def _leaning(effect: Effect, found: Comparison) -> Effect:
    """With the p-value that decides, which widens the bound."""
    return replace(effect, p=max(effect.p, found.decisive_p))
