"""Answers are compared beside the requests: exact in the ledger, bounded by the day, and for all to see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from farthing.domain.pricing import NANO
from tests.servers.gateway import Gateway

SETTINGS = """
[learning]
shadow_share = 1.0
judge = "demo/large"
"""
SECONDS = 60.0


def ask(gateway: Gateway, method: str, path: str, body: Any = None) -> Any:
    """The JSON of an answer that must be good."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer
    finally:
        connection.close()


def route(gateway: Gateway, number: int) -> Any:
    """An answer of the model that is chosen for an easy question."""
    body = {"model": "auto", "messages": [{"role": "user", "content": f"What is {number} in words?"}]}
    return ask(gateway, "POST", "/v1/chat/completions", body)


def soon(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What is seen at last."""
    began, seen = time.monotonic(), look()
    while not wanted(seen) and time.monotonic() - began < SECONDS:
        time.sleep(0.1)
        seen = look()
    return seen


def judged(gateway: Gateway) -> Any:
    """What is told of the judge."""
    return ask(gateway, "GET", "/admin/learning/status")["judge"]


def rows(gateway: Gateway) -> list[dict[str, Any]]:
    """All of the ledger."""
    data: list[dict[str, Any]] = ask(gateway, "GET", "/v1/requests?limit=1000")["data"]
    return data


def nano(usd: float) -> int:
    """The exact amount in nano-dollars."""
    return round(usd * NANO)


def test_what_it_costs_to_compare_is_exact_and_told(start_gateway: Callable[..., Gateway]) -> None:
    """Each routed request has one shadow call and two judgements, which count as overhead and as no decision."""
    gateway = start_gateway(SETTINGS)
    answers = [route(gateway, number) for number in range(3)]
    found = soon(lambda: judged(gateway), lambda seen: seen["models"].get("demo/small", {}).get("judged") == 3)
    assert {answer["model"] for answer in answers} == {"demo/small"}
    assert (found["model"], found["agreement"]) == ("demo/large", None)
    all_rows = rows(gateway)
    by_strategy = {name: [row for row in all_rows if row["strategy"] == name] for name in ("shadow", "judge")}
    assert {name: len(some) for name, some in by_strategy.items()} == {"shadow": 3, "judge": 6}
    assert {row["model"] for row in by_strategy["shadow"]} == {"demo/large"}
    errands = [*by_strategy["shadow"], *by_strategy["judge"]]
    assert all((row["status"], row["baseline_cost"], row["tenant"]) == ("ok", 0, "local") for row in errands)
    savings = ask(gateway, "GET", "/v1/savings")
    overhead = sum(nano(row["cost"]) for row in errands)
    assert nano(savings["by_source"]["overhead"]) == -overhead < 0
    assert nano(savings["actual_cost"]) == sum(nano(row["cost"]) for row in all_rows)
    tags = {row["group"]: row["requests"] for row in ask(gateway, "GET", "/v1/usage?group_by=tag")["rows"]}
    assert tags == {"farthing=shadow": 3, "farthing=judge": 6}
    metrics = ask(gateway, "GET", "/routing/metrics")
    assert (metrics["total_decisions"], list(metrics["strategy_performance"])) == (3, ["hybrid"])
    quality = {each["name"]: each["votes"] for each in ask(gateway, "GET", "/quality/stats")["by_source"]}
    assert quality == {"judge": 6}


def test_the_days_budget_holds_for_all_workers_together(start_gateway: Callable[..., Gateway]) -> None:
    """Of what a verdict may cost at most it holds one; callers are served on, and nobody changes it by hand."""
    limit = 40_000_000
    gateway = start_gateway(f"{SETTINGS}judge_usd_per_day = {limit / NANO}\n", workers=2)
    for number in range(12):
        route(gateway, number)

    def spent() -> int:
        return sum(nano(row["cost"]) for row in rows(gateway) if row["strategy"] == "judge")

    assert 0 < soon(spent, lambda cost: cost > 0) <= limit
    assert [row["status"] for row in rows(gateway) if row["strategy"] == "hybrid"] == ["ok"] * 12
    budgets = {each["budget_id"]: each for each in ask(gateway, "GET", "/admin/budgets")["data"]}
    judge = budgets["learning:judge"]
    assert (judge["scope"], judge["subject"], judge["window"]) == ("gateway", "judge", "day")
    assert "learning:shadow" in budgets
