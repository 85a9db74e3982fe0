"""farthing why: how a model was chosen, and what was asked of it and of others."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, print_json, print_table, say, usd


def why(
    *,
    request_id: Annotated[str, typer.Argument(help="The answer's x-request-id.")],
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show why a model was chosen, and what each call cost."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(f"/v1/requests/{quote(request_id, safe='')}")
    if as_json:
        print_json(found)
        return
    for name in ("request_id", "created_at", "status", "model", "provider", "strategy", "tier", "confidence", "reason"):
        if found.get(name) is not None:
            say(f"{name.replace('_', ' '):<12}  {found[name]}")
    print(f"{'cost':<12}  {usd(found.get('cost'))}")
    if candidates := _candidates(found):
        print()
        is_expected = any(candidate.get("estimated_quality") is not None for candidate in candidates)
        numbers = ["estimated cost", *(["expected quality"] if is_expected else [])]
        rows = [_row(candidate, is_expected=is_expected) for candidate in candidates]
        print_table(["place", "model", *numbers, "reason"], rows, numbers=numbers)
    if calls := found.get("calls"):
        print()
        numbers = ["tokens in", "tokens out", "cost"]
        print_table(["asked", *numbers, "came of it", "why"], [_call(one) for one in calls], numbers=numbers)


def _candidates(found: dict[str, Any]) -> list[dict[str, Any]]:
    decision = found.get("decision") or {}
    candidates: list[dict[str, Any]] = decision.get("candidates") or []
    return sorted(candidates, key=lambda candidate: (candidate.get("rank") is None, candidate.get("rank") or 0))


def _row(candidate: dict[str, Any], *, is_expected: bool) -> list[str]:
    rank = candidate.get("rank")
    place = "lost" if rank is None else str(rank + 1)
    expected = [_quality(candidate)] if is_expected else []
    return [place, candidate["model"], usd(candidate.get("estimated_cost")), *expected, candidate.get("reason") or ""]


def _quality(candidate: dict[str, Any]) -> str:
    quality, interval = candidate.get("estimated_quality"), candidate.get("quality_interval")
    if quality is None:
        return "unknown"
    return f"{quality:.2f}" + (f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "")


def _call(one: dict[str, Any]) -> list[str]:
    tokens = [f"{one[name]:,}" for name in ("tokens_in", "tokens_out")]
    cost = "unknown" if one["cost"] is None else f"${one['cost']:,.9f}"
    return [one["model"], *tokens, cost, one["error"] or one["outcome"], one["why"]]
