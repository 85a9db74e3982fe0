"""farthing spend: what was spent."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, print_json, print_table, usd

From = Annotated[str | None, typer.Option("--from", help="First day or moment, such as 2026-11-01.")]
To = Annotated[str | None, typer.Option("--to", help="Last day or moment.")]


class Grouping(StrEnum):
    """What a row of the spending stands for."""

    MODEL = "model"
    PROVIDER = "provider"
    KEY = "key"
    TEAM = "team"
    USER = "user"
    DAY = "day"
    HOUR = "hour"
    TAG = "tag"


def spend(
    *,
    by: Annotated[Grouping, typer.Option(help="What a row stands for.")] = Grouping.MODEL,
    first: From = None,
    last: To = None,
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent. A row stands for a model unless --by says otherwise."""
    from farthing.cli.configured import gateway_for

    usage = gateway_for(url, config).get("/v1/usage", {"from": first, "to": last, "group_by": by.value})
    if as_json:
        print_json(usage)
        return
    columns = [by.value, "requests", "tokens in", "tokens out", "cost", "baseline", "saved"]
    rows = [_row(row.get("group"), row) for row in usage["rows"]]
    print_table(columns, [*rows, _row("total", usage["total"])], numbers=columns[1:])


def _row(name: str | None, figures: dict[str, Any]) -> list[str]:
    counts = [f"{figures[field]:,}" for field in ("requests", "tokens_in", "tokens_out")]
    return [name or "none", *counts, *(usd(figures[field]) for field in ("cost", "baseline_cost", "savings"))]
