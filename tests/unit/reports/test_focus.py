"""The report as a FOCUS dataset, held to what version 1.0 requires; `make validate-focus` asks its own validator."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.report import Charge
from farthing.reports.focus import COLUMNS, write
from tests.unit.reports.months import CHARGE, MadeUp, whole

NEVER_NULL = (
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart"),
    *("ChargeCategory", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost"),
    *("InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
)
"""By the specification, version 1.0."""
OF_USAGE = (
    "ConsumedQuantity",
    "ConsumedUnit",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "SkuId",
    "SkuPriceId",
)
"""Not null either where the category is `Usage`."""
NULLABLE = (
    *("BillingAccountName", "ChargeClass", "ChargeDescription", "CommitmentDiscountCategory", "CommitmentDiscountId"),
    *("CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType", "ContractedUnitPrice"),
    *("PricingCategory", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType"),
    *("SubAccountId", "SubAccountName", "Tags"),
)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


async def rows(*charges: Charge) -> list[dict[str, str]]:
    """The file as a spreadsheet reads it."""
    return list(csv.DictReader(io.StringIO((await whole(write(MadeUp(charges)))).decode())))


def test_every_column_is_there() -> None:
    """Those that the specification requires, and ours marked as it wants."""
    required = {*NEVER_NULL, *OF_USAGE, *NULLABLE}
    assert len(COLUMNS) == len(set(COLUMNS))
    assert required <= set(COLUMNS)
    assert all(column.startswith("x_") for column in set(COLUMNS) - required - {"AvailabilityZone"})


async def test_a_charge_is_a_row() -> None:
    """Of the day it arose on, within the month it is billed in."""
    (row,) = await rows(CHARGE)
    assert {column for column in (*NEVER_NULL, *OF_USAGE) if not row[column]} == set()
    assert all(
        MOMENT.fullmatch(row[f"{span}Period{end}"]) for span in ("Billing", "Charge") for end in ("Start", "End")
    )
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z")
    assert {row[column] for column in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")} == {"1.234567891"}
    assert (row["ChargeCategory"], row["ChargeClass"], row["PricingCategory"]) == ("Usage", "", "Standard")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"], row["SkuId"]) == ("1000.0", "Tokens", "small")
    assert (row["SubAccountId"], row["ResourceId"], row["ResourceType"]) == ("support", "key-1", "Virtual key")
    assert json.loads(row["Tags"]) == {"feature": "triage"}
    assert (row["x_Basis"], row["x_Savings"], row["x_Requests"]) == ("counted", "0.765432109", "3")


async def test_what_nobody_was_charged_for_is_no_row() -> None:
    """A refusal has no model and no cost; what has cost something has a row, whoever was to blame."""
    refused = replace(CHARGE, provider=None, model=None, key_id=None, cost=0, tokens_in=0, tokens_out=0)
    broken = replace(refused, cost=5)
    (row,) = await rows(refused, broken)
    assert (row["ProviderName"], row["SkuId"], row["ResourceType"]) == ("Farthing", "unknown", "")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"], row["BilledCost"]) == ("3.0", "Requests", "0.000000005")
    assert await rows(refused) == []


async def test_an_unknown_cost_is_told_in_words() -> None:
    """The specification allows no empty cost."""
    (row,) = await rows(replace(CHARGE, basis="unpriced", cost=0))
    assert (row["BilledCost"], row["x_Basis"]) == ("0.00", "unpriced")
    assert row["ChargeDescription"] == "Tokens of small, at a cost not known yet"


@given(st.integers(0, 10**18), st.integers(0, 10**12), st.integers(1, 10**9))
async def test_price_times_quantity_is_the_cost(cost: int, tokens: int, requests: int) -> None:
    """To the nano-dollar, whatever the mean price is."""
    (row,) = await rows(replace(CHARGE, cost=cost, tokens_in=tokens, tokens_out=0, requests=requests))
    product = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
    assert round(product, 9) == Decimal(row["ListCost"]) == Decimal(cost) / 10**9
