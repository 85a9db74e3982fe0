"""The report as CSV: a row for what is alike on a day, amounts in US dollars."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from farthing.domain.report import Charge, date_of
from farthing.ports.reports import Month
from farthing.reports.cells import amount, document, lines, name

COLUMNS = (
    *("day", "tenant", "provider", "model", "key", "team", "tags", "basis", "requests", "tokens_in", "tokens_out"),
    *("cost_usd", "baseline_cost_usd", "savings_usd"),
)


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """The header, and batch by batch its rows."""
    yield lines([COLUMNS])
    async for batch in month.charges():
        yield lines(map(_row, batch))


def _row(charge: Charge) -> tuple[str | int, ...]:
    return (
        date_of(charge.day_us),
        *map(name, (charge.tenant, charge.provider, charge.model, charge.key_id, charge.team)),
        document(charge.tags),
        charge.basis,
        charge.requests,
        charge.tokens_in,
        charge.tokens_out,
        # Unknown is never zero.
        "" if charge.basis == "unpriced" else amount(charge.cost),
        amount(charge.baseline_cost),
        amount(charge.savings),
    )
