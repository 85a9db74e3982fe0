"""What a request costs whose model had no known price when it was made."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.exchange import Attempt, Exchange, broken_cost


def repriced(exchange: Exchange, catalogue: Catalogue) -> Exchange | None:
    """The exchange with its cost, from a catalogue at the prices of its own day; None where there still is none.

    What is priced already is never touched: neither a cost, nor a baseline that was known.
    """
    model = _asked(exchange, catalogue)
    if exchange.cost is not None or model is None or model.price is None:
        return None
    broken = broken_cost(_priced(attempt, catalogue) for attempt in exchange.attempts)
    if broken is None:
        return None
    own = model.price.cost(exchange.usage)
    baseline = exchange.baseline_cost
    return replace(
        exchange,
        cost=own + broken,
        baseline_cost=_baseline(exchange, catalogue, own) if baseline is None else baseline,
        price_version=model.price.version,
    )


def _priced(attempt: Attempt, catalogue: Catalogue) -> Attempt:
    """One whose answer broke, with what that cost, as far as it is known now."""
    charge = attempt.charge
    if charge is UNSET or charge.cost is not None:
        return attempt
    model = catalogue.find(attempt.model)
    if model is None or model.provider != attempt.provider or model.price is None:
        return attempt
    return replace(attempt, charge=replace(charge, cost=model.price.cost(charge.usage)))


def _asked(exchange: Exchange, catalogue: Catalogue) -> Model | None:
    """The model that answered, if it still lives where it did: another provider's price says nothing."""
    model = catalogue.find(exchange.model or "")
    return model if model is not None and model.provider == exchange.provider else None


def _baseline(exchange: Exchange, catalogue: Catalogue, cost: int) -> int | None:
    """As when the request was recorded: the model that was asked for, or for `auto` the baseline model."""
    if exchange.strategy == "passthrough":
        return cost
    compared = catalogue.find(exchange.requested_model) or catalogue.compared
    if compared is None:
        return cost
    return compared.price.cost(exchange.usage) if compared.price else None
