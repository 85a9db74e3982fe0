"""A tenant's invoice, from the ledger's sums and the terms on record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from farthing.domain.errors import Conflict
from farthing.domain.invoice import Invoice, Line, Share, invoice, shares
from farthing.domain.months import month_span
from farthing.domain.plans import PriceList, Terms
from farthing.domain.tenancy import Tenant
from farthing.ports import Queries, Stretch


class Record(Protocol):
    """What tenants pay since when."""

    async def of(self, tenant: str) -> Sequence[Terms]:
        """All that a tenant ever had, the oldest first. Raises `Unavailable`."""


async def terms_of(record: Record, tenant: Tenant | None, prices: PriceList) -> Sequence[Terms]:
    """All that a tenant ever paid; where the record does not tell what a plan charged, what it charges by `prices`.

    Raises `Unavailable`.
    """
    if tenant is None:
        return ()
    found = await record.of(tenant.tenant)
    if not found and tenant.plan is not None:
        return (prices.terms(tenant.plan, since_us=0),)
    return [prices.terms(terms.plan, since_us=terms.since_us) if terms.price is None else terms for terms in found]


async def invoice_of(queries: Queries, tenant: str, month: str, terms: Sequence[Terms]) -> Invoice:
    """The invoice for a month, given by its name, under the terms then. Answers from a cache cost nothing.

    Raises `Conflict` where nobody knows what a plan charged then, as the invoice would be too low, and `Unavailable`.
    """
    parts = [*shares(terms, month_span(month))]
    for share in parts:
        if share.terms.price is None:
            raise Conflict(
                f"What the plan {share.terms.plan} charged in {month} is neither on record nor in the settings. Name "
                "it there as [plans.NAME], or charge by another one (`farthing invoice --plan NAME`)."
            )
    return invoice(tenant, month, [(share, [*await _lines(queries, tenant, share)]) for share in parts])


async def _lines(queries: Queries, tenant: str, share: Share) -> Iterator[Line]:
    usage = await queries.usage(tenant, "model", Stretch(share.start_us, share.end_us))
    return (
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
    )
