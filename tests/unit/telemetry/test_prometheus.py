"""Figures of a worker as Prometheus reads them."""

from __future__ import annotations

from typing import Any

from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from farthing.telemetry.prometheus import PrometheusSink


def exchange(**changes: Any) -> Exchange:
    """An answered request."""
    facts: dict[str, Any] = {
        "request_id": "r",
        "created_at_us": 0,
        "status": "ok",
        "route": "/complete",
        "dialect": "native",
        "tenant": "t",
        "provider": "fake",
        "model": "small",
        "usage": Usage(prompt=10, completion=5),
        "cost": 1_500_000_000,
        "baseline_cost": 2_000_000_000,
        "duration_us": 300_000,
        "upstream_us": 299_000,
    }
    return Exchange(**(facts | changes))


def lines(sink: PrometheusSink) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = sink.text().decode()
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_an_answer_is_counted_in_all_its_parts() -> None:
    """Requests, tokens, money and time by provider and model."""
    sink = PrometheusSink("1.2.3")
    sink.record(exchange())
    sink.record(exchange(status="cached", cache="hit", cost=0, stream=True, first_token_us=2_000))
    found, where = lines(sink), 'model="small",provider="fake"'
    assert found['farthing_build_info{version="1.2.3"}'] == 1
    assert found[f'farthing_requests_total{{cache="off",{where},status="ok"}}'] == 1
    assert found[f'farthing_requests_total{{cache="hit",{where},status="cached"}}'] == 1
    assert found[f'farthing_tokens_total{{direction="in",{where}}}'] == 20
    assert found[f"farthing_cost_usd_total{{{where}}}"] == 1.5
    assert found[f"farthing_baseline_cost_usd_total{{{where}}}"] == 4
    assert found[f"farthing_request_duration_seconds_count{{{where}}}"] == 2
    assert found[f"farthing_time_to_first_token_seconds_count{{{where}}}"] == 1
    assert found["farthing_gateway_seconds_count"] == 1


def test_what_has_no_price_is_counted_as_such() -> None:
    """Never as nothing."""
    sink = PrometheusSink("1")
    sink.record(exchange(cost=None, baseline_cost=None))
    found = lines(sink)
    assert found['farthing_unpriced_requests_total{model="small",provider="fake"}'] == 1
    assert not any(name.startswith("farthing_cost_usd_total") for name in found)


def test_what_a_caller_wrote_is_no_label() -> None:
    """A request that was refused before a model was found counts under none, whatever it asked for."""
    sink = PrometheusSink("1")
    sink.record(exchange(status="rejected", provider=None, model=None, requested_model="evil", cost=0))
    assert b"evil" not in sink.text()
    assert lines(sink)['farthing_requests_total{cache="off",model="none",provider="none",status="rejected"}'] == 1


def test_pools_are_read_at_each_scrape() -> None:
    """By pool and figure, as they are at that moment."""
    sink, figures = PrometheusSink("1"), {"writer": {"open": 1}}
    sink.watch_pools(lambda: figures)
    assert lines(sink)['farthing_pool_connections{figure="open",pool="writer"}'] == 1
    figures["writer"]["open"] = 2
    assert lines(sink)['farthing_pool_connections{figure="open",pool="writer"}'] == 2


def test_durations_are_shown_by_bucket() -> None:
    """Each bucket counts everything up to its bound in seconds, and the sum is in seconds as well."""
    sink = PrometheusSink("1")
    for duration_us in (1_000, 1_001, 400_000_000):
        sink.record(exchange(duration_us=duration_us, upstream_us=0))
    found, where = lines(sink), 'model="small",provider="fake"'
    name = "farthing_request_duration_seconds"
    assert found[f'{name}_bucket{{le="0.001",{where}}}'] == 1
    assert found[f'{name}_bucket{{le="0.0025",{where}}}'] == 2
    assert found[f'{name}_bucket{{le="300.0",{where}}}'] == 2
    assert found[f'{name}_bucket{{le="+Inf",{where}}}'] == 3
    assert found[f"{name}_count{{{where}}}"] == 3
    assert found[f"{name}_sum{{{where}}}"] == 400.002001
    assert found['farthing_gateway_seconds_bucket{le="0.0025"}'] == 2
