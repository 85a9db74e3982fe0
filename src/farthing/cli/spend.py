"""farthing spend: what was spent."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, age_of_prices, print_json, print_table, say, usd

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
    """Show what was spent. A row stands for a model unless --by says otherwise.

    Without a time: the last 30 days, and what this month will have cost at its end.
    """
    from farthing.cli.configured import gateway_for

    gateway = gateway_for(url, config)
    usage = gateway.get("/v1/usage", {"from": first, "to": last, "group_by": by.value})
    forecast = gateway.get("/v1/forecast") if first is None and last is None else None
    if as_json:
        print_json(usage if forecast is None else {**usage, "forecast": forecast})
        return
    if not usage["rows"]:
        print("nothing was asked in this time, so nothing was spent")
        return
    columns = [by.value, "requests", "tokens in", "tokens out", "cost", "baseline", "saved"]
    rows = [_row(row.get("group"), row) for row in usage["rows"]]
    print_table(columns, [*rows, _row("total", usage["total"])], numbers=columns[1:])
    if forecast is not None:
        _print_forecast(forecast)
    # A gateway of an older release does not tell.
    if "prices" in usage:
        say(age_of_prices(usage["prices"]))


def _print_forecast(found: dict[str, Any]) -> None:
    """This month, in all and by budget, and what the same forecast was off by in the month before."""
    columns = [found["month"], "spent", "at its end", "between", "limit"]
    budgets = [
        [one["name"] or f"{one['scope']} {one['subject'] or ''}".strip(), *_outlook(one), usd(one["limit"])]
        for one in found["budgets"]
    ]
    say("")
    print_table(columns, [["all", *_outlook(found), ""], *budgets], numbers=columns[1:])
    if found["note"]:
        say(found["note"])
    for past in found["past"][:1]:
        error = past["error_percent"]
        way = "high" if error > 0 else "low"
        say(f"On this day of {past['month']} the forecast was {abs(error):.1f} % too {way}.")


def _outlook(found: dict[str, Any]) -> list[str]:
    bounds = found["interval"]
    return [
        usd(found["spent"]),
        "unknown" if found["forecast"] is None else usd(found["forecast"]),
        "unknown" if bounds is None else f"{usd(bounds[0])} and {usd(bounds[1])}",
    ]


def _row(name: str | None, figures: dict[str, Any]) -> list[str]:
    counts = [f"{figures[field]:,}" for field in ("requests", "tokens_in", "tokens_out")]
    return [name or "none", *counts, *(usd(figures[field]) for field in ("cost", "baseline_cost", "savings"))]
