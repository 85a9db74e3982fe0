"""farthing replay: what another policy would have cost on the own ledger, and at what quality. Calls no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from farthing.cli.spend import From, To
from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, print_json, print_table, usd, waiting

PATIENCE_S = 330.0
"""A little longer than the gateway takes at most."""


class StrategyName(StrEnum):
    """How the policy chooses."""

    COMPLEXITY = "complexity"
    LEARNING = "learning"
    HYBRID = "hybrid"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Shows what another policy would have done: a command whose options are its fields."""

    strategy: Annotated[StrategyName, typer.Option(help="How models are chosen.")] = StrategyName.HYBRID
    pool: Annotated[
        str | None, typer.Option(help="Models to choose from, with commas between.", show_default="today's")
    ] = None
    floor: Annotated[
        float | None,
        typer.Option(
            help="The most quality (0 to 1) that a cheaper answer may cost.", show_default="routing.quality_floor"
        ),
    ] = None
    price: Annotated[
        list[str] | None, typer.Option(help="MODEL=IN,OUT in USD per million tokens.", show_default=False)
    ] = None
    first: From = None
    last: To = None
    limit: Annotated[int, typer.Option(help="At most so many requests, the newest.", min=1, max=100_000)] = 10_000
    url: GatewayUrl = None
    config: ConfigFile = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        """Does it."""
        from farthing.cli.configured import gateway_for

        with waiting("playing the ledger again"):
            found = gateway_for(self.url, self.config, patience_s=PATIENCE_S).get(f"/v1/replay?{self._query()}")
        if self.as_json:
            print_json(found)
        else:
            _print(found)

    def _query(self) -> str:
        policy = {"strategy": self.strategy.value, "pool": self.pool, "floor": self.floor}
        asked = policy | {"from": self.first, "to": self.last, "limit": self.limit}
        given = [(name, value) for name, value in asked.items() if value is not None]
        return urlencode([*given, *(("price", price) for price in self.price or ())])


def _print(found: Mapping[str, Any]) -> None:
    print(found["sentence"])
    if (cost := found["cost"]) is not None:
        columns = ["", "was", "would be", "saved", "counted", "estimated"]
        print_table(columns, [_cost_row(cost)], numbers=columns[1:])
        columns = ["model", "requests", "would be", "cost", "would cost"]
        print_table(columns, [_model_row(row) for row in found["models"]], numbers=columns[1:])
        columns = ["pattern", "requests", "cost", "would cost", "quality", "would be", "difference"]
        print_table(columns, [_pattern_row(row) for row in found["patterns"]], numbers=columns[1:])
    if (quality := found["quality"]) is not None:
        effective = f"worth {quality['effective_sample_size']:g} of equal weight"
        print(f"{quality['rated']:,} rated answers, taken to be rated by chance within a pattern, {effective}")
    for warning in found["warnings"]:
        print(f"note: {warning}")


def _cost_row(cost: Mapping[str, Any]) -> list[str]:
    exact = cost["exact_share"]
    shares = ["", ""] if exact is None else [f"{exact:.0%}", f"{1 - exact:.0%}"]
    return ["cost", usd(cost["actual_cost"]), usd(cost["cost"]), usd(cost["saved"]), *shares]


def _model_row(row: Mapping[str, Any]) -> list[str]:
    counts = [f"{row[name]:,}" for name in ("actual_requests", "requests")]
    return [row["model"], *counts, usd(row["actual_cost"]), usd(row["cost"])]


def _pattern_row(row: Mapping[str, Any]) -> list[str]:
    quality = row["quality"]
    cells = ["unknown"] * 3
    if quality is not None and quality["is_sure"]:
        difference = quality["difference"]
        cells = [f"{quality[name]['mean']:.3f}" for name in ("was", "would")]
        cells.append(f"{difference['low']:+.3f} to {difference['high']:+.3f}")
    return [row["pattern"], f"{row['requests']:,}", usd(row["actual_cost"]), usd(row["cost"]), *cells]
