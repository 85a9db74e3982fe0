"""The report as a FOCUS 1.0 cost and usage dataset, the FinOps Open Cost and Usage Specification (focus.finops.org)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal, localcontext

from farthing.domain.budget import DAY_US
from farthing.domain.report import Charge, moment_of
from farthing.ports import Stretch
from farthing.ports.reports import Month
from farthing.reports.cells import amount, decimal, document, lines, name

GATEWAY = "Farthing"
"""Who provides what no vendor does, such as a kept answer whose vendor is not known."""
DIGITS = 28
"""Of a unit price: times its quantity it is the cost again, to the nano-dollar."""
_CONSTANT = {
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "PricingCategory": "Standard",
    "ResourceType": "Virtual key",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Language models",
}
_NULL = (
    "AvailabilityZone",
    "ChargeClass",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "RegionId",
    "RegionName",
)
"""What does not apply: the specification wants the columns all the same."""
_COMPUTED = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
)
_OWN = ("x_Basis", "x_BaselineCost", "x_Requests", "x_Savings", "x_TokensIn", "x_TokensOut")
"""Columns of ours, which the specification wants marked like this."""
COLUMNS = (*sorted((*_COMPUTED, *_CONSTANT, *_NULL)), *_OWN)


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """The header, and batch by batch what was charged for."""
    yield lines([COLUMNS])
    async for batch in month.charges():
        rows = [_row(charge, month.order.stretch) for charge in batch if _is_charge(charge)]
        if rows:
            yield lines([row[column] for column in COLUMNS] for row in rows)


def _is_charge(charge: Charge) -> bool:
    """A request that was refused here is none."""
    return charge.model is not None or charge.cost != 0 or charge.basis == "unpriced"


def _row(charge: Charge, period: Stretch) -> dict[str, str]:
    cost, provider = amount(charge.cost), name(charge.provider or GATEWAY)
    model, key = name(charge.model or "unknown"), name(charge.key_id)
    return {
        **dict.fromkeys(_NULL, ""),
        **_CONSTANT,
        **_quantities(charge),
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        **dict.fromkeys(("BillingAccountId", "BillingAccountName"), name(charge.tenant)),
        "BillingPeriodStart": moment_of(period.from_us or 0),
        "BillingPeriodEnd": moment_of(period.to_us or 0),
        "ChargePeriodStart": moment_of(charge.day_us),
        "ChargePeriodEnd": moment_of(charge.day_us + DAY_US),
        "ChargeDescription": f"Tokens of {model}{_doubt(charge)}",
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
        **dict.fromkeys(("ResourceId", "ResourceName"), key),
        "ResourceType": _CONSTANT["ResourceType"] if key else "",
        **dict.fromkeys(("SkuId", "SkuPriceId"), model),
        **dict.fromkeys(("SubAccountId", "SubAccountName"), name(charge.team)),
        "Tags": document(charge.tags),
        "x_Basis": charge.basis,
        "x_BaselineCost": amount(charge.baseline_cost),
        "x_Requests": str(charge.requests),
        "x_Savings": amount(charge.savings),
        "x_TokensIn": str(charge.tokens_in),
        "x_TokensOut": str(charge.tokens_out),
    }


def _doubt(charge: Charge) -> str:
    """An unknown cost stands as 0 where the specification allows no empty cell, so words must tell."""
    return {"counted": "", "estimated": ", counted by the gateway", "unpriced": ", at a cost not known yet"}[
        charge.basis
    ]


def _quantities(charge: Charge) -> dict[str, str]:
    """Tokens at their mean price; requests where something else than tokens was paid for."""
    tokens = charge.tokens_in + charge.tokens_out
    quantity, unit = (tokens, "Tokens") if tokens else (charge.requests, "Requests")
    with localcontext() as context:
        context.prec = DIGITS
        price = format((decimal(charge.cost) / Decimal(quantity)).normalize(), "f")
    return {
        # The specification's validator takes no number for a decimal that has no point.
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), f"{quantity}.0"),
        **dict.fromkeys(("ConsumedUnit", "PricingUnit"), unit),
        **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), price),
    }
