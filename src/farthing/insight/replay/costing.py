"""What a request would have cost at the model of another choice."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from farthing.insight.replay.policy import Choice, Policy
from farthing.ports.replay import Decided


class Cost(Struct, frozen=True):
    """Nano-dollars for one request."""

    was: int
    would: int
    is_exact: bool
    """Whether the tokens are those of an answer that the model of the choice gave."""


def cost_of(row: Decided, choice: Choice, policy: Policy) -> Cost | None:
    """None where one of the two costs is not known.

    Where the choice is what answered, the cost is what it was. Elsewhere the input is priced as it was, with the same
    parts read from a prompt cache, and the output as long as what is known of the two models says.
    """
    if row.cost is None:
        return None
    name, price = choice.model.name, choice.model.price
    if name == row.model and row.is_first:
        if name not in policy.repriced:
            return Cost(row.cost, row.cost, is_exact=True)
        return None if price is None else Cost(row.cost, price.cost(row.usage), is_exact=True)
    if price is None:
        return None
    text = row.usage.completion + row.usage.reasoning
    usage = replace(row.usage, completion=round(text * choice.longer), reasoning=0)
    return Cost(row.cost, price.cost(usage), is_exact=False)
