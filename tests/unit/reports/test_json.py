"""The report as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

from msgspec.structs import replace

from farthing.reports.json import write
from tests.unit.reports.months import TOTAL, MadeUp, report, whole


async def test_the_month_in_sums() -> None:
    """Amounts are numbers with every digit, and what is counted, estimated or unknown stands apart."""
    found = json.loads(await whole(write(MadeUp(report=report()))), parse_float=Decimal)
    assert (found["month"], found["tenant"], found["generated_at"]) == ("2026-11", "acme", "2026-12-01T01:53:20Z")
    assert found["prices"] == {"source": "genai-prices 9.9", "newest": "2026-11-02"}
    assert found["total"] == {
        "requests": 4,
        "cache_hits": 1,
        "tokens_in": 700,
        "tokens_out": 300,
        "cost": Decimal("1.234567891"),
        "unpriced_requests": 1,
        "baseline_cost": Decimal("2.00"),
        "savings": Decimal("0.765432109"),
    }
    assert found["cost_basis"] == {
        "counted": Decimal("1.00"),
        "estimated": Decimal("0.234567891"),
        "estimated_requests": 1,
        "unpriced_requests": 1,
    }
    assert found["savings"] == {
        "actual_cost": Decimal("1.234567891"),
        "baseline_cost": Decimal("2.00"),
        "saved": Decimal("0.765432109"),
        "percent": Decimal("38.27"),
        "by_source": {
            "routing": Decimal("0.80"),
            "answer_cache": Decimal("0.00"),
            "overhead": Decimal("-0.034567891"),
        },
    }
    assert found["by_team"] == [{"name": "team", **found["total"]}]
    assert found["experiments"] == [
        {
            "experiment_id": "e-1",
            "name": "Small for triage",
            "decided_on": "2026-11-06",
            "code": "winner",
            "winner": "test",
            "reason": "Test costs less.",
        }
    ]


async def test_a_key_has_its_name_beside_its_id() -> None:
    """Where people have given it one."""
    keys = replace(TOTAL, name="key-1", label="Support desk"), replace(TOTAL, name="key-2")
    month = MadeUp(report=report(groups={**report().groups, "key": keys}))
    found = json.loads(await whole(write(month)))["by_key"]
    assert [(row["name"], row.get("label")) for row in found] == [("key-1", "Support desk"), ("key-2", None)]


async def test_nothing_is_saved_of_nothing() -> None:
    """A month without requests has no per cent to tell."""
    nothing = report(total=replace(TOTAL, cost=0, baseline_cost=0, savings=0))
    assert json.loads(await whole(write(MadeUp(report=nothing))))["savings"]["percent"] == 0.0
