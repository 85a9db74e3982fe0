"""What the gateway may spend in a day on its own behalf, over all workers and hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from farthing.domain.budget import Budget
from farthing.domain.keys import Errand

ERRAND_BUDGET = "learning:"
"""How the ids of budgets begin that come with the settings of learning."""
_NAMES: Mapping[Errand, str] = {"shadow": "shadow calls", "judge": "the judge"}


def errand_budgets(limits: Mapping[Errand, int]) -> Iterator[Budget]:
    """A budget for each errand that may be done, by the nano-dollars it may cost in a day."""
    for errand, limit in limits.items():
        yield Budget(
            id=f"{ERRAND_BUDGET}{errand}",
            tenant="",
            scope="gateway",
            subject=errand,
            window="day",
            limit=limit,
            name=_NAMES[errand],
        )
