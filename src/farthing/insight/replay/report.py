"""The answer to what another policy would have done: one sentence, figures, tables, and what to doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.domain.budget import dollars
from farthing.domain.stats.offpolicy import Comparison, Worth, compare_choices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from farthing.domain.stats.offpolicy import Replayed
    from farthing.insight.replay.policy import Policy
    from farthing.insight.replay.tally import Tally

FEWEST_EFFECTIVE = 30
"""Rated answers of equal weight below which nothing is said of the quality."""
MOST_UNSEEN = 0.05
"""Share of requests whose choice could never have answered, above which the quality is a mere prediction."""
_NUMBERS_SHOWN = 4


def report(tally: Tally, policy: Policy, *, is_learned: bool, is_cut: bool) -> dict[str, Any]:
    """As JSON, money in nano-dollars. `is_cut` tells that there may be older requests."""
    found: dict[str, Any] = {
        "strategy": policy.strategy,
        "floor": policy.floor,
        "requests": len(tally),
        "left_out": dict(tally.left_out),
    }
    if not len(tally):
        return found | {
            "sentence": "No request of this time can be decided anew.",
            "cost": None,
            "quality": None,
            "models": [],
            "patterns": [],
            "warnings": _left_out(tally),
            "is_cut": is_cut,
        }
    replayed, columns = tally.replayed(), tally.columns()
    compared = compare_choices(replayed)
    doubts = _doubts(tally, replayed, compared)
    cost = _cost(columns)
    return found | {
        "sentence": _sentence(len(tally), policy, cost, compared, is_sure=not doubts),
        "cost": cost | {"unpriced_requests": tally.unpriced},
        "quality": _quality(compared, replayed, is_sure=not doubts),
        "models": _models(tally, columns),
        "patterns": _patterns(tally, columns, replayed),
        "warnings": [*doubts, *_caveats(tally, policy, is_learned=is_learned), *_left_out(tally)],
        "is_cut": is_cut,
    }


def _cost(columns: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Of the requests whose costs are known; `exact_share` of them were answered by the choice."""
    is_priced = columns["is_priced"]
    was, would, count = int(columns["was"].sum()), int(columns["would"].sum()), int(is_priced.sum())
    exact = int(columns["is_exact"].sum())
    return {
        "actual_cost": was,
        "cost": would,
        "saved": was - would,
        "percent": 100 * (was - would) / was if was else None,
        "exact_share": exact / count if count else None,
    }


def _quality(compared: Comparison | None, replayed: Replayed, *, is_sure: bool) -> dict[str, Any] | None:
    if compared is None:
        return None
    import numpy as np

    return {
        "was": _worth(compared.was),
        "would": _worth(compared.would),
        "difference": _worth(compared.difference),
        "effective_sample_size": round(compared.would.effective, 1),
        "rated": int((~np.isnan(replayed.rating)).sum()),
        "explored_share": round(float((replayed.propensity > 0).mean()), _NUMBERS_SHOWN),
        "is_sure": is_sure,
    }


def _worth(worth: Worth) -> dict[str, float]:
    low, high = worth.interval
    values = {"mean": worth.mean, "low": low, "high": high}
    return {name: round(value, _NUMBERS_SHOWN) for name, value in values.items()}


def _models(tally: Tally, columns: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    rows = []
    for number, name in enumerate(tally.models):
        before, after = columns["model"] == number, columns["choice"] == number
        rows.append(
            {
                "model": name,
                "actual_requests": int(before.sum()),
                "requests": int(after.sum()),
                "actual_cost": int(columns["was"][before].sum()),
                "cost": int(columns["would"][after].sum()),
            }
        )
    return sorted(rows, key=lambda row: (-row["requests"], -row["actual_requests"], row["model"]))


def _patterns(tally: Tally, columns: dict[str, NDArray[Any]], replayed: Replayed) -> list[dict[str, Any]]:
    rows = []
    for number, name in enumerate(tally.patterns):
        chosen = columns["pattern"] == number
        part = replayed.rows(chosen)
        compared = compare_choices(part)
        rows.append(
            {
                "pattern": name,
                "requests": int(chosen.sum()),
                "actual_cost": int(columns["was"][chosen].sum()),
                "cost": int(columns["would"][chosen].sum()),
                "quality": _quality(compared, part, is_sure=not _unsure(part, compared)),
            }
        )
    return sorted(rows, key=lambda row: (-row["requests"], row["pattern"]))


def _unsure(replayed: Replayed, compared: Comparison | None) -> list[str]:
    """Why the quality is not known."""
    if compared is None:
        return ["No answer was rated whose rating can be used: nothing is known of the quality."]
    doubts = []
    if compared.would.effective < FEWEST_EFFECTIVE:
        doubts.append(
            f"The rated answers say as much as {compared.would.effective:.0f} of equal weight; {FEWEST_EFFECTIVE} are "
            "needed: the logs cannot say what the quality is."
        )
    unseen = float((replayed.propensity == 0).mean())
    if unseen > MOST_UNSEEN:
        doubts.append(
            f"In {unseen:.0%} of the requests the choice could not have been what answered: their quality is only "
            "predicted, and the interval does not hold for what is not explored."
        )
    return doubts


def _doubts(tally: Tally, replayed: Replayed, compared: Comparison | None) -> list[str]:
    """As `_unsure`, with the models that nobody has rated."""
    doubts = _unsure(replayed, compared)
    if compared is not None:
        import numpy as np

        is_rated = ~np.isnan(replayed.rating)
        rated = {int(number) for number in np.unique(replayed.model[is_rated])}
        unrated = sorted(tally.models[number] for number in {*np.unique(replayed.choice).tolist()} - rated)
        if unrated:
            doubts.append(f"No rating of answers of {', '.join(unrated)} can be used, and it would be chosen.")
    return doubts


def _caveats(tally: Tally, policy: Policy, *, is_learned: bool) -> list[str]:
    """What to know of figures that hold."""
    caveats = []
    if policy.strategy != "complexity" and not is_learned:
        caveats.append(f"Nothing is learned yet: {policy.strategy} decides as complexity does.")
    if tally.unlogged:
        caveats.append(
            f"{tally.unlogged:,} requests are older than exploration: what they were not answered by is taken to have "
            "had no chance."
        )
    if tally.stale:
        caveats.append(f"{tally.stale:,} ratings are left out, for what decides here has learned from them.")
    return caveats


def _left_out(tally: Tally) -> list[str]:
    return [f"{count:,} requests are left out: {why}." for why, count in sorted(tally.left_out.items())]


def _sentence(
    requests: int, policy: Policy, cost: dict[str, Any], compared: Comparison | None, *, is_sure: bool
) -> str:
    was, would = cost["actual_cost"], cost["cost"]
    less = "" if cost["percent"] is None else f" ({abs(cost['percent']):.1f}% {'less' if would <= was else 'more'})"
    beginning = (
        f"With {policy.strategy} and a floor of {policy.floor:g} these {requests:,} requests would have cost "
        f"{dollars(would)} instead of {dollars(was)}{less}"
    )
    if compared is None or not is_sure:
        return f"{beginning}; at what quality, the logs cannot say."
    low, high = compared.difference.interval
    return (
        f"{beginning}, at a quality of {compared.would.mean:.3f} instead of {compared.was.mean:.3f}: between "
        f"{low:+.3f} and {high:+.3f}, with 95% confidence."
    )
