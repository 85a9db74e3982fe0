"""An evaluation as JSON and as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from farthing.insight.evaluation.evaluating import Evaluation, Standing
from farthing.insight.evaluation.figures import CONFIDENCE, Figure

HEADLINES = ("hybrid", "learning")
"""Routers whose figures are the result, the first that was scored."""

COSTS = ("cost@95", "cost@99", "cost@100", "op99", "op99_quality")
COMPARED = ("aiq", "apgr", "cpt50", "cpt80")
"""Figures of the first two tables; the third has the rewards and the time of a decision."""

_SHARES = {"aiq", "apgr", "reward_at"}
"""Told in thousandths; all others are per cent."""


def as_json(found: Evaluation, name: str) -> dict[str, Any]:
    """Everything, each figure with its interval; plain under `result` for the router that counts, null without one."""
    return {
        "dataset": name,
        "rows": found.rows,
        "left_out": found.left_out,
        "folds": found.folds,
        "train": {"rows": found.train_rows, "dropped": found.train_dropped},
        "models": to_builtins(found.models),
        "best_single": found.best_single,
        "confidence": CONFIDENCE,
        "result": _result(found.routers),
        "routers": {router: _standing(standing) for router, standing in found.routers.items()},
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {**to_builtins(standing.figures), "decision_us_p50": standing.decision_us_p50}


def _result(routers: Mapping[str, Standing]) -> dict[str, Any] | None:
    for router in HEADLINES:
        if router in routers:
            plain = {name: _plain(figure) for name, figure in routers[router].figures.items()}
            return {"router": router, **plain, "decision_us_p50": routers[router].decision_us_p50}
    return None


def _plain(figure: Figure | Mapping[str, Figure]) -> Any:  # noqa: ANN401 (a number, nothing, or such by name)
    return figure.value if isinstance(figure, Figure) else {name: one.value for name, one in figure.items()}


def tables(found: Evaluation) -> list[tuple[list[str], list[list[str]]]]:
    """Names of columns and a row for each router: what it costs, how it is compared elsewhere, what a budget buys."""
    rewards = found.routers["zero"].figures["reward_at"]
    budgets = [] if isinstance(rewards, Figure) else list(rewards)
    bought = [[router, *_bought(standing, budgets)] for router, standing in found.routers.items()]
    return [
        *(_shown(found.routers, columns) for columns in (COSTS, COMPARED)),
        (["router", *(f"at ${budget}" for budget in budgets), "µs"], bought),
    ]


def _shown(routers: Mapping[str, Standing], columns: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for router, standing in routers.items():
        figures = [(name, standing.figures[name]) for name in columns]
        rows.append([router, *(_cell(figure, name) for name, figure in figures if isinstance(figure, Figure))])
    return ["router", *columns], rows


def _bought(standing: Standing, budgets: Sequence[str]) -> list[str]:
    rewards, decision = standing.figures["reward_at"], standing.decision_us_p50
    cells = [] if isinstance(rewards, Figure) else [_cell(rewards[budget], "reward_at") for budget in budgets]
    return [*cells, "-" if decision is None else f"{decision:,.0f}"]


def _cell(figure: Figure, name: str) -> str:
    """The figure and its interval; a dash where it is not defined or never reached."""
    if figure.value is None:
        return "-"
    digits = 3 if name in _SHARES else 1
    low, high = ("-" if bound is None else f"{bound:.{digits}f}" for bound in (figure.low, figure.high))
    return f"{figure.value:.{digits}f} ({low}..{high})"


def summary(found: Evaluation) -> list[str]:
    """What stands above the table."""
    if found.folds:
        how = f"cross-fitted in {found.folds} parts"
    else:
        how = f"routers fitted on {found.train_rows:,} other rows"
    single = found.models[found.best_single]
    lines = [
        f"{found.rows:,} prompts, {len(found.models)} models, {how}",
        f"best single model {found.best_single}: quality {single.quality:.3f} for ${single.cost_usd:.6f} a request",
    ]
    if found.left_out:
        lines.append(f"{found.left_out:,} rows lack one of these models and are not scored")
    if found.train_dropped:
        lines.append(f"{found.train_dropped:,} rows were not trained on, as their prompts are scored")
    return lines
