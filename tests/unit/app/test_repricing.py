"""Rows of past days are priced at the prices of those days."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.app import repricing
from farthing.app.repricing import PastPrices
from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from tests.unit.app.conftest import SettingsOf
from tests.unit.domain.test_repricing import ROW

USAGE = Usage(prompt=1_000, completion=500)


def moment(text: str) -> int:
    """The moment in µs."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def row(at: str, **changes: Any) -> Exchange:
    """A call of a vendor's model by its name, without a cost."""
    return replace(
        ROW,
        created_at_us=moment(at),
        usage=USAGE,
        strategy="passthrough",
        **{"provider": "openai", "model": "o3", **changes},
    )


@pytest.mark.parametrize(
    ("at", "nano"),
    [("2025-06-09T23:59:59Z", 30_000_000), ("2025-06-10T00:00Z", 6_000_000), ("2026-11-21T00:00Z", 6_000_000)],
)
def test_a_call_costs_what_its_day_charged(settings_of: SettingsOf, at: str, nano: int) -> None:
    """$10 and $40 per million before o3's price fell, $2 and $8 from that midnight on; the version names the day."""
    found = PastPrices(settings_of(OPENAI_API_KEY="sk-x")).price(row(at))
    assert found is not None
    assert (found.cost, found.baseline_cost) == (nano, nano)
    assert (found.price_version or "").split()[0] == "genai-prices"


@pytest.mark.parametrize(
    ("at", "nano"),
    [
        ("2026-11-20T00:59Z", 450_000),
        ("2026-11-20T01:00Z", 900_000),
        ("2026-11-20T03:59Z", 900_000),
        ("2026-11-20T04:00Z", 450_000),
    ],
)
def test_a_call_costs_what_its_hour_charged(settings_of: SettingsOf, at: str, nano: int) -> None:
    """A vendor that takes double between 1 and 4 in the morning took it then."""
    prices = PastPrices(settings_of(DEEPSEEK_API_KEY="sk-x"))
    found = prices.price(row(at, provider="deepseek", model="deepseek-flash"))
    assert found is not None
    assert found.cost == nano


def test_the_files_own_price_holds_for_every_day(settings_of: SettingsOf) -> None:
    """A price that was set by hand after the calls is what they are charged at."""
    text = """
    [providers.local]
    dialect = "openai"
    base_url = "http://127.0.0.1:9/v1"
    [[models]]
    name = "mystery"
    provider = "local"
    """
    late = row("2026-03-01T00:00Z", provider="local", model="mystery")
    assert PastPrices(settings_of(text)).price(late) is None
    found = PastPrices(settings_of(text + "input_usd_per_mtok = 5\noutput_usd_per_mtok = 25")).price(late)
    assert found is not None
    assert (found.cost, found.price_version) == (17_500_000, "config")


def test_days_without_a_change_share_a_catalogue(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices are compiled once for each stretch in which none changes, however many rows it has."""
    prices = PastPrices(settings_of(OPENAI_API_KEY="sk-x"))
    first = prices.at(moment("2025-06-09T12:00Z"))
    assert prices.at(moment("2025-06-09T23:59:59Z")) is first
    second = prices.at(moment("2025-06-10T00:00Z"))
    assert second is not first
    monkeypatch.setattr(repricing, "build_catalogue", None)
    assert prices.at(moment("2025-06-10T00:00:01Z")) is second
