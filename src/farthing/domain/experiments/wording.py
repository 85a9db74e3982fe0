"""The sentences of a verdict, for people who know their product and no statistics."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from farthing.domain.experiments.results import Metric

NAMES = {
    "cost": "cost",
    "latency": "mean latency",
    "latency_p95": "p95 latency",
    "errors": "error rate",
    "quality": "quality",
    "rating_rate": "rating rate",
}


EARLY = "It was stopped early, and differences found early are too large by about a third on average."


def usd(amount: float) -> str:
    """An amount in USD with three digits that count, never in powers of ten."""
    return f"${Decimal(f'{amount:.3g}'):f}"


def names(metrics: Sequence[Metric]) -> str:
    """Metrics as one enumeration."""
    *most, last = [NAMES[metric.name] for metric in metrics]
    return f"{', '.join(most)} and {last}" if most else last


def compared_cost(metric: Metric) -> str:
    """How an arm's cost stands to control's: `costs 50.0% less a request than control ($0.0001 against $0.0002)`."""
    control, arm = metric.mean[metric.against] or 0.0, metric.mean[metric.arm] or 0.0
    amounts = f"({usd(arm)} against {usd(control)})"
    way = "less" if arm < control else "more"
    much = "" if metric.rel is None else f"{abs(metric.rel):.1%} "
    return f"costs {much}{way} a request than {metric.against} {amounts}"


def collecting(n: int, planned: int, *, may_stop: bool) -> str:
    """Nothing may be decided yet."""
    unless = ", or the difference is very large from half of it on" if may_stop else ""
    return f"{n:,} of {planned:,} planned results are in; nothing is decided before the plan is full{unless}."


def empty(arms: Sequence[str]) -> str:
    """The plan is full without anything in some arms."""
    return f"The plan is full, and {_arms(arms)} no results at all, so nothing can be compared."


def lonely(arms: Sequence[str]) -> str:
    """The plan is full with single users in some arms."""
    return f"The plan is full, and {_arms(arms)} fewer than two users, so chance cannot be told from a difference."


def _arms(arms: Sequence[str]) -> str:
    *most, last = arms
    return f"arms {', '.join(most)} and {last} have" if most else f"arm {last} has"


def uneven(users: Sequence[tuple[str, int]]) -> str:
    """Users did not reach the arms in the planned shares."""
    counted = ", ".join(f"{count:,} in {arm}" for arm, count in users)
    return (
        f"Users did not reach the arms in the planned shares ({counted}), so nothing can be concluded: "
        "look for requests that are lost or assigned elsewhere."
    )


def crossed(share: float) -> str:
    """Too many users were seen in more than one arm."""
    return f"{share:.1%} of the users were seen in more than one arm, too many for any conclusion."


def crossed_some(share: float) -> str:
    """A few users were seen in more than one arm."""
    return f"{share:.1%} of the users were seen in more than one arm; each counts for his first."


def lost(arm: str, count: int) -> str:
    """Results of an arm are missing."""
    return f"{count:,} results of {arm} were lost on their way."


def rated_unevenly(arm: str) -> str:
    """Users of one arm rate more often than those of control."""
    return f"Requests of {arm} are rated more or less often than control's, so their qualities may not compare."


def harmed(metric: Metric) -> str:
    """An arm fails more often than control."""
    control, arm = metric.mean[metric.against] or 0.0, metric.mean[metric.arm] or 0.0
    return f"Stopped, since {metric.arm} fails more often than {metric.against}: {arm:.1%} against {control:.1%}."


def indifferent(metrics: Sequence[Metric]) -> str:
    """No difference was shown."""
    if len(metrics) == 1:
        metric = metrics[0]
        return f"No difference in cost was shown between {metric.arm} and {metric.against}; keep {metric.against}."
    return f"No arm was shown to cost less than {metrics[0].against}; keep {metrics[0].against}."


def negligible(metric: Metric, least: float) -> str:
    """A difference too small to act on."""
    return f"{_begun(metric)}, which is real and below the {least:.1%} that were called worth acting on."


def traded(metric: Metric, failed: Sequence[Metric]) -> str:
    """Cheaper, and worse elsewhere."""
    return f"{_begun(metric)}, and is worse in {names(failed)}: that is for you to weigh."


def unproven(metric: Metric, unclear: Sequence[Metric]) -> str:
    """Cheaper, and under the strict policy not shown to be as good."""
    return f"{_begun(metric)}, and was not shown to be as good in {names(unclear)}, which the strict policy asks for."


def outliers(metric: Metric) -> str:
    """A handful of users make the difference."""
    return (
        f"{_begun(metric)}, because of a few very dear users: with those capped the answer is another, so no winner "
        "is named."
    )


def won(metric: Metric) -> str:
    """An arm wins."""
    return f"{_begun(metric)}, and no guardrail was broken."


def kept(metrics: Sequence[Metric]) -> str:
    """Control wins."""
    if len(metrics) == 1:
        return f"{_begun(metrics[0])}, so {metrics[0].against} stays."
    return f"Every other arm costs more a request than {metrics[0].against}, so {metrics[0].against} stays."


def ended(n: int, planned: int) -> str:
    """Somebody ended it before it could decide."""
    return f"Ended by hand after {n:,} of {planned:,} planned results, so nothing was decided."


def _begun(metric: Metric) -> str:
    return f"Arm {metric.arm} {compared_cost(metric)}"
