"""farthing learning: what was learned from rated answers. Asks a running gateway."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, GatewayUrl, advancing, print_json, print_table

if TYPE_CHECKING:
    from farthing.cli.client import Gateway

LEARNING = typer.Typer(help="What was learned from rated answers.", no_args_is_help=True)

_PATH = "/admin/learning"
_LOOK_S = 0.5
_OUTCOMES = {
    "kept": "it decides from now on",
    "not_better": "what was in force stays",
    "dry_run": "nothing was changed; --apply takes it over where it is better",
    "failed": "nothing was changed",
    "interrupted": "nothing was changed",
}


@LEARNING.command()
def status(*, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show what is in force, and what there is to learn from."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(f"{_PATH}/status")
    if as_json:
        print_json(found)
        return
    active, labels = found["active"], found["labels"]
    if active is None:
        weight = found["prior"]["weight"]
        print(f"nothing learned yet: models are chosen by complexity, which the prior moves with weight {weight:g}")
    else:
        print(f"in force since {active['created_at']}: {active['id']}")
        if found["unused"] is not None:
            print(f"but not used: {found['unused']}")
        _print_models(active)
    rated = ", ".join(f"{count:,} of {model}" for model, count in labels["models"].items())
    print(f"rated answers: {rated or 'none'}{'' if found['is_enough'] else ' (too few to learn from)'}")
    for run in found["snapshots"]:
        if not run["is_active"]:
            print(f"kept: {run['id']} of {run['created_at']}")
    if found["last"] is not None and found["last"] != active:
        print(f"last training, {found['last']['created_at']}: {_told(found['last'])}")
    _print_judged(found["judge"])
    for promise in found["promises"]:
        since = f" since {promise['since']}" if promise["since"] else ""
        print(f"promise of {promise['rule']}, {promise['points']:g} points{since}: {promise['reason']}")


@LEARNING.command()
def retrain(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Take over what is learned, where it is better.")] = False,
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Learn anew; without --apply it is only told what would come of it."""
    from farthing.cli.configured import gateway_for

    gateway = gateway_for(url, config)
    run = gateway.post(f"{_PATH}/retrain?dry_run={str(not apply).lower()}&wait_s=0", {})
    with advancing("learning from rated answers") as advance:
        while run["outcome"] == "running":
            advance(run.get("progress", 0))
            time.sleep(_LOOK_S)
            run = _followed(gateway, run["id"])
    if as_json:
        print_json(run)
    else:
        _print_models(run)
        print(f"{_told(run)} ({_OUTCOMES.get(run['outcome'], run['outcome'])})")
    if run["outcome"] in {"failed", "interrupted"}:
        raise typer.Exit(1)


@LEARNING.command()
def rollback(*, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Go back to what was learned before."""
    from farthing.cli.configured import gateway_for

    run = gateway_for(url, config).post(f"{_PATH}/rollback", {})
    if as_json:
        print_json(run)
    else:
        print(f"in force again: {run['id']} of {run['created_at']}")


def _followed(gateway: Gateway, run_id: str) -> dict[str, Any]:
    """The training as it stands. Raises `CommandError` where it is known no more."""
    found = gateway.get(f"{_PATH}/status")
    runs = [found["training"], found["last"], *found["snapshots"]]
    run: dict[str, Any] | None = next((run for run in runs if run is not None and run["id"] == run_id), None)
    if run is None:
        raise CommandError("the training ended while others began: look at `farthing learning status`")
    return run


def _print_models(run: Mapping[str, Any]) -> None:
    columns = ["model", "ratings", "quality", "error before", "error after"]
    rows = [
        [name, f"{its['labels']:,}", f"{its['quality']:.2f}", _error(its["error_before"]), _error(its["error_after"])]
        for name, its in run.get("models", {}).items()
    ]
    if rows:
        whole = ["all", f"{run['labels']:,}", "", _error(run["error_before"]), _error(run["error_after"])]
        print_table(columns, [*rows, whole], numbers=columns[1:])


def _print_judged(judge: Mapping[str, Any]) -> None:
    if judge["model"] is not None:
        alike = judge["agreement"]
        told = "too few answers are rated by people to compare" if alike is None else _alike(alike)
        print(f"judge {judge['model']}: {told}")
    columns = ["model", "judged", "rated", "grade", "corrected"]
    rows = [
        [name, f"{its['judged']:,}", f"{its['rated']:,}", f"{its['mean']:.2f}", _corrected(its)]
        for name, its in judge["models"].items()
    ]
    if rows:
        print_table(columns, rows, numbers=columns[1:])


def _alike(alike: Mapping[str, Any]) -> str:
    low, high = alike["interval"]
    share, kappa = f"{alike['share']:.0%} ({low:.0%} to {high:.0%})", alike["kappa"]
    beyond = "" if kappa is None else f", kappa {kappa:.2f}"
    return f"agrees with people on {share} of {alike['answers']:,} answers{beyond}"


def _corrected(its: Mapping[str, Any]) -> str:
    if its["corrected"] is None:
        return "unknown"
    low, high = its["interval"]
    return f"{its['corrected']:.2f} ({low:.2f} to {high:.2f})"


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _told(run: Mapping[str, Any]) -> str:
    reason = run.get("reason")
    return str(reason) if reason else f"{run['outcome']}."
