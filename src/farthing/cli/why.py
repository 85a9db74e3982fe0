"""farthing why: how a model was chosen."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, print_json, print_table, usd


def why(
    *,
    request_id: Annotated[str, typer.Argument(help="The answer's x-request-id.")],
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show why a model was chosen, and every other was not."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(f"/v1/requests/{quote(request_id, safe='')}")
    if as_json:
        print_json(found)
        return
    for name in ("request_id", "created_at", "status", "model", "provider", "strategy", "tier", "confidence", "reason"):
        if found.get(name) is not None:
            print(f"{name.replace('_', ' '):<12}  {found[name]}")
    print(f"{'cost':<12}  {usd(found.get('cost'))}")
    if candidates := _candidates(found):
        print()
        columns = ["place", "model", "estimated cost", "reason"]
        print_table(columns, [_row(candidate) for candidate in candidates], numbers=["estimated cost"])


def _candidates(found: dict[str, Any]) -> list[dict[str, Any]]:
    decision = found.get("decision") or {}
    candidates: list[dict[str, Any]] = decision.get("candidates") or []
    return sorted(candidates, key=lambda candidate: (candidate.get("rank") is None, candidate.get("rank") or 0))


def _row(candidate: dict[str, Any]) -> list[str]:
    rank = candidate.get("rank")
    place = "lost" if rank is None else str(rank + 1)
    return [place, candidate["model"], usd(candidate.get("estimated_cost")), candidate.get("reason") or ""]
