"""What others counted wrong: usage as providers really report it, through the dialect and the price list to money."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from farthing.dialects import UPSTREAM
from farthing.domain.chat import Usage
from farthing.domain.pricing import NANO, PriceSheet
from farthing.providers.prices import price_for, sheet_from_usd

CASES = json.loads((Path(__file__).parents[2] / "golden" / "money.json").read_text(encoding="utf-8"))["cases"]

ANSWERS: dict[str, dict[str, Any]] = {
    "openai": {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    },
    "anthropic": {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Yes."}],
        "stop_reason": "end_turn",
    },
    "gemini": {
        "responseId": "1",
        "modelVersion": "m",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}],
    },
}


def reported(case: dict[str, Any]) -> Usage:
    """The usage that the dialect reads from a whole answer with this report."""
    field = "usageMetadata" if case["dialect"] == "gemini" else "usage"
    body = msgspec.json.encode(ANSWERS[case["dialect"]] | {field: case["usage"]})
    usage = UPSTREAM[case["dialect"]].read_completion(body).usage
    assert usage is not None
    return usage


def sheet(price: dict[str, str]) -> PriceSheet:
    """The vendor's price of that day, or the one the report names."""
    if "day" in price:
        found = price_for(price["vendor"], price["model"], datetime.fromisoformat(price["day"]).replace(tzinfo=UTC))
        assert found is not None
        return found
    return sheet_from_usd(
        Decimal(price["input"]), Decimal(price["output"]), cached_usd_per_mtok=Decimal(price["cached"])
    )


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_each_token_is_charged_once_at_its_own_price(case: dict[str, Any]) -> None:
    """The reported usage costs what the provider's invoice said, class by class, and not what others made of it."""
    usage = reported(case)
    price = sheet(case["price"])
    assert price.parts(usage) == case["parts"]
    assert price.cost(usage) == case["nano"] == sum(case["parts"].values())
    assert abs(case["nano"] / NANO - case["wrong_usd"]) > 0.00005


def test_a_model_that_nobody_priced_is_unknown_until_somebody_does() -> None:
    """37.4 million tokens that another gateway booked as $1.16 are unpriced, and about $187 once the price is set."""
    assert price_for("anthropic", "snowflake-next-opus", datetime(2026, 8, 5, tzinfo=UTC)) is None
    assert sheet_from_usd(5, 25).cost(Usage(prompt=37_400_000)) == 187 * NANO
