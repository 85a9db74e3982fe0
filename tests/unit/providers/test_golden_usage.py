"""Real usage objects of every vendor and token class against their price lists, worked out a second time by hand."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from farthing.domain.pricing import TOKEN_CLASSES, TOOL_CLASSES
from farthing.providers.prices import price_for
from tests.unit.providers.vendor_streams import streamed, whole

DIALECTS = ("openai", "responses", "embeddings", "anthropic", "gemini")
FOLDER = Path(__file__).parents[2] / "golden" / "usage"


def _cases() -> list[Any]:
    return [
        pytest.param(dialect, case, id=f"{dialect}: {case['case']}")
        for dialect in DIALECTS
        for case in json.loads((FOLDER / f"{dialect}.json").read_text(encoding="utf-8"))["cases"]
    ]


CASES = _cases()


def invoiced(case: dict[str, Any]) -> int:
    """The nano-dollars of the bill written by hand, in decimal arithmetic and rounded half up once."""
    usd = sum((Decimal(tokens) * Decimal(price) for tokens, price in case["bill"].values()), Decimal(0)) / 10**6
    usd += sum((Decimal(calls) * Decimal(price) for calls, price in case.get("tools", {}).values()), Decimal(0)) / 10**3
    return int(((usd + Decimal(case.get("per_request", 0))) * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(("dialect", "case"), CASES)
def test_a_reported_usage_costs_what_the_price_list_says(dialect: str, case: dict[str, Any]) -> None:
    """Every token stands in one class, and the whole costs the hand-written bill to the nano-dollar, part by part."""
    usage = whole(dialect, case["usage"])
    price = price_for(case["vendor"], case["model"], datetime.fromisoformat(case["at"]))
    assert usage is not None
    assert price is not None
    assert not usage.estimated
    billed = case["bill"] | case.get("tools", {})
    assert {name: getattr(usage, name) for name in (*TOKEN_CLASSES, *TOOL_CLASSES) if getattr(usage, name)} == {
        name: number for name, (number, _) in billed.items()
    }
    assert price.cost(usage) == invoiced(case) == sum(price.parts(usage).values())
    assert price.knows_tools(usage)
    assert price.parts(usage).keys() - {"per_request"} == {name for name, (_, rate) in billed.items() if Decimal(rate)}


@pytest.mark.parametrize(("dialect", "case"), CASES)
def test_the_bill_holds_every_token_that_the_vendor_counted(dialect: str, case: dict[str, Any]) -> None:
    """The classes sum to the vendor's own total, where it tells one."""
    told = case["usage"].get("usage", case["usage"])
    total = told.get("totalTokenCount", told.get("total_tokens"))
    if total is None:
        runs = [told, *(run for run in told.get("iterations", ()) if run["type"] == "compaction")]
        fields = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
        total = sum(run.get(field) or 0 for run in runs for field in fields)
    assert sum(tokens for tokens, _ in case["bill"].values()) == total, dialect


@pytest.mark.parametrize(("dialect", "case"), [param for param in CASES if param.values[0] != "embeddings"])
def test_a_stream_reports_what_the_whole_answer_does(dialect: str, case: dict[str, Any]) -> None:
    """The same call costs the same, streamed or not, wherever the vendor's stream has its report."""
    assert streamed(dialect, case["usage"], case.get("stream", "apart")) == whole(dialect, case["usage"])


def test_there_is_a_case_for_every_token_class_and_enough_of_them() -> None:
    """At least 40 cases; no class that is charged is left out."""
    assert len(CASES) >= 40
    assert {name for param in CASES for name in param.values[1]["bill"]} == set(TOKEN_CLASSES)
    assert {name for param in CASES for name in param.values[1].get("tools", ())} == set(TOOL_CLASSES)
