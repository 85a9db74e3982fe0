"""A tenant's invoice, from the ledger's sums."""

from __future__ import annotations

from farthing.domain.invoice import Invoice, Line, invoice
from farthing.domain.plans import TenantPlan
from farthing.ports import Queries, Stretch


async def invoice_of(queries: Queries, tenant: str, month: tuple[str, Stretch], plan: TenantPlan | None) -> Invoice:
    """The invoice for a month, given by its name and its stretch. Answers from a cache cost nothing.

    Raises `Unavailable`.
    """
    name, stretch = month
    usage = await queries.usage(tenant, "model", stretch)
    lines = [
        Line(
            model=row["group"],
            requests=row["requests"],
            tokens_in=row["tokens_in"],
            tokens_out=row["tokens_out"],
            cost=row["cost"],
            unpriced=row["unpriced_requests"],
        )
        for row in usage["rows"]
        if row["group"] is not None or row["cost"] or row["unpriced_requests"]
    ]
    return invoice(tenant, name, lines, plan)
