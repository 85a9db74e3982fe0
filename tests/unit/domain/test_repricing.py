"""A row without a cost takes the price of its own day, and what was known stays."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Charge, Exchange
from farthing.domain.pricing import PriceSheet, Rates
from farthing.domain.repricing import repriced


def model(name: str, nano: int | None, provider: str = "local") -> Model:
    """A model at so many nano-dollars a token, or unpriced."""
    rates = dict.fromkeys(Rates.__struct_fields__, (nano or 0) * 1_000_000) | {"per_request": 0}
    sheet = None if nano is None else PriceSheet(version=f"list of {name}", steps=((0, Rates(**rates)),))
    return Model(name=name, provider=provider, upstream=name, dialect="openai", tier="simple", price=sheet)


ROW = Exchange(
    request_id="1",
    created_at_us=0,
    status="ok",
    route="/v1/chat/completions",
    dialect="openai",
    tenant="acme",
    requested_model="auto",
    provider="local",
    model="small",
    strategy="hybrid",
    usage=Usage(prompt=3, completion=2),
    cost=None,
    baseline_cost=None,
)


def catalogue(*models: Model, **more: Any) -> Catalogue:
    """A catalogue of these models."""
    return Catalogue(models={one.name: one for one in models}, **more)


DEAR = model("large", 7)
BOTH = catalogue(model("small", 2), DEAR, baseline="large")


@pytest.mark.parametrize(
    ("row", "known", "cost", "baseline"),
    [
        (ROW, BOTH, 10, 35),
        (ROW, catalogue(model("small", 2), baseline="large", reference=model("large", 9)), 10, 45),
        (ROW, catalogue(model("small", 2), model("large", None), baseline="large"), 10, None),
        (ROW, catalogue(model("small", 2)), 10, 10),
        (
            replace(ROW, strategy="passthrough"),
            BOTH,
            10,
            10,
        ),
        (replace(ROW, requested_model="large"), catalogue(model("small", 2), DEAR), 10, 35),
        (replace(ROW, baseline_cost=99), BOTH, 10, 99),
        (ROW, catalogue(model("small", 0)), 0, 0),
    ],
    ids=["baseline", "reference", "unpriced baseline", "no baseline", "passthrough", "by name", "known", "free"],
)
def test_the_cost_and_what_it_is_compared_with(
    row: Exchange, known: Catalogue, cost: int, baseline: int | None
) -> None:
    """As if the price had been known from the start; the price's version is noted."""
    found = repriced(row, known)
    assert found == replace(row, cost=cost, baseline_cost=baseline, price_version="list of small")


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (ROW, catalogue(model("small", None))),
        (ROW, catalogue(model("large", 7))),
        (ROW, catalogue(model("small", 2, provider="elsewhere"))),
        (replace(ROW, model=None), catalogue(model("small", 2))),
        (replace(ROW, cost=0), catalogue(model("small", 2))),
        (replace(ROW, cost=5), catalogue(model("small", 2))),
    ],
    ids=["unpriced", "unknown", "another provider's", "no model", "free", "priced"],
)
def test_what_is_unknown_or_priced_already_is_left_alone(row: Exchange, known: Catalogue) -> None:
    """No price is guessed, and none is changed afterwards."""
    assert repriced(row, known) is None


@pytest.mark.parametrize(
    ("name", "provider", "cost", "total"),
    [
        ("large", "local", 4, 14),
        ("large", "local", None, 17),
        ("large", "other", None, None),
        ("gone", "x", None, None),
    ],
)
def test_what_broke_before_is_priced_too(name: str, provider: str, cost: int | None, total: int | None) -> None:
    """A part that is still unknown leaves the whole unknown."""
    charge = Charge(usage=Usage(prompt=1), cost=cost)
    attempts = (
        Attempt(model=name, provider=provider, error="x", charge=charge),
        Attempt(model="small", provider="local"),
    )
    priced = repriced(replace(ROW, attempts=attempts), BOTH)
    assert (priced and priced.cost) == total
