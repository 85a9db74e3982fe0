"""What is said to whoever a budget refuses: which one, whose, how much is left, when it resets, what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from farthing.domain.budget import Budget, Span, dollars
from farthing.domain.errors import InsufficientQuota, Unavailable


def not_enough(budget: Budget, window: Span, *, spent: int, held: int, asked: int) -> InsufficientQuota:
    """The budget does not hold a request of `asked` nano-dollars beside what is spent and held."""
    return InsufficientQuota(
        f"{_name(budget)} does not hold this request: {dollars(spent)} of {dollars(budget.limit)} are spent, "
        f"{dollars(held)} are reserved by requests under way, and this one may cost {dollars(asked)}. "
        f"Ask for less or for a cheaper model{_until(window)}, or have the limit raised."
    )


def only_kept(budget: Budget, window: Span, *, spent: int) -> InsufficientQuota:
    """So near its end the budget pays for nothing new."""
    return InsufficientQuota(
        f"{_name(budget)} nears its end, {dollars(spent)} of {dollars(budget.limit)} are spent: only answers that are "
        f"kept already are given{_until(window)}, and this one is not. Have the limit raised to ask for more."
    )


def unpriced(budget: Budget) -> InsufficientQuota:
    """The cost cannot be known before."""
    return InsufficientQuota(
        f"{_name(budget)} is limited, and this model's price is not known, so its cost cannot be reserved. "
        "Ask for another model, or have a price set for this one.",
        code="unpriced_model",
    )


def out_of_reach(budget: Budget) -> Unavailable:
    """The database is away, and what was leased from it before is used up."""
    name = _name(budget)
    return Unavailable(
        f"What is left of {name[0].lower()}{name[1:]} cannot be told while the database is away. Try again shortly.",
        code="accounting_unavailable",
        retry_after=2,
    )


def _name(budget: Budget) -> str:
    whose = "everybody" if budget.scope == "gateway" else f"{budget.scope} {budget.subject}"
    called = f' "{budget.name}"' if budget.name else ""
    if budget.window == "total":
        return f"The budget{called} of {whose}"
    return f"The {budget.window}'s budget{called} of {whose}"


def _until(window: Span) -> str:
    end = window.end_us
    return "" if end is None else f" until it resets at {datetime.fromtimestamp(end // 1_000_000, UTC):%FT%TZ}"
