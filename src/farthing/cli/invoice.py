"""farthing invoice: what a tenant owes for a month. Reads the database, beside a running gateway."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.moments import Month
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, age_of_prices, print_json, print_table, say

if TYPE_CHECKING:
    from farthing.domain.invoice import Invoice, Line, Share
    from farthing.settings import Settings
    from farthing.store import Store

_NUMBERS = ["requests", "tokens in", "tokens out", "cost", "markup", "amount"]


def invoice(
    tenant: Annotated[str, typer.Argument(help="Whose invoice.")],
    *,
    month: Month,
    plan: Annotated[
        str | None, typer.Option(help="The plan to charge by.", show_default="what the tenant was on")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a tenant owes for a month."""
    from farthing.app.catalogue import known_prices
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.cli.moments import month_of
    from farthing.domain.errors import Conflict
    from farthing.domain.permissions import Reach
    from farthing.domain.plans import PriceList
    from farthing.http.presentation import shown_invoice, shown_prices
    from farthing.insight.invoicing import invoice_of, terms_of

    settings = settings_for(config)
    month_of(month)
    prices = PriceList(plans=settings.plans, at_us=CLOCK.now_us())
    named = None if plan is None else [prices.terms(_checked(settings, plan), since_us=0)]

    async def work(store: Store) -> Invoice:
        known = await store.tenancy.tenants(Reach(tenant=tenant), limit=1)
        terms = named or await terms_of(store.terms, known[0] if known else None, prices)
        try:
            found = await invoice_of(store.queries, tenant, month, terms)
        except Conflict as error:
            raise CommandError(error.message) from error
        if not known and not found.lines:
            raise CommandError(f'no tenant is called "{tenant}", and no request of {month} was charged to one')
        return found

    found = with_store(settings.lasting_database, work)
    data = known_prices(settings, prices.at_us)
    if as_json:
        print_json(shown_invoice(found, data))
    elif as_csv:
        _print_csv(found)
    else:
        _print_lines(found)
        for share in _subscribed(found) if named is None else ():
            say(_terms(share))
        say(age_of_prices(shown_prices(data)))


def _checked(settings: Settings, name: str) -> str:
    if name not in settings.plans:
        known = ", ".join(sorted(settings.plans)) or "none"
        raise CommandError(f'there is no plan "{name}" in the settings: expected one of {known}')
    return name


def _print_lines(found: Invoice) -> None:
    from farthing.domain.budget import dollars

    rows = [_row(line.model or "none", line) for line in found.lines]
    rows += [[_told(share, found), "", "", "", "", "", dollars(share.price)] for share in _subscribed(found)]
    rows.append([*_row("total", found.used)[:-1], dollars(found.total)])
    print_table([f"{found.tenant} {found.month}", *_NUMBERS], rows, numbers=_NUMBERS)
    if unpriced := found.used.unpriced:
        typer.echo(f"requests whose cost is not known and missing here: {unpriced:,} (farthing reprice)", err=True)


def _subscribed(found: Invoice) -> list[Share]:
    """The days on which the tenant was on a plan."""
    return [share for share in found.shares if share.terms.plan is not None]


def _told(share: Share, found: Invoice) -> str:
    days = sum(one.days for one in found.shares)
    return f"plan {share.terms.plan}" + ("" if share.days == days else f", {share.days} of {days} days")


def _terms(share: Share) -> str:
    """What the plan charged on these days, and since when."""
    from farthing.domain.budget import dollars
    from farthing.domain.report import date_of

    terms = share.terms
    since = f"since {date_of(terms.since_us)}" if terms.since_us else "since before terms were put on record"
    markup = (terms.markup_basis_points or 0) / 100
    return f"terms of {terms.plan}: {dollars(terms.price or 0)} a month and {markup:g} % on what is used, {since}"


def _row(name: str, line: Line) -> list[str]:
    from farthing.domain.budget import dollars

    counts = [f"{count:,}" for count in (line.requests, line.tokens_in, line.tokens_out)]
    return [name, *counts, dollars(line.cost), dollars(line.markup), dollars(line.amount)]


def _print_csv(found: Invoice) -> None:
    import csv

    from farthing.reports.cells import amount, harmless

    counts = ("requests", "tokens_in", "tokens_out", "unpriced_requests")
    rows = [("model", line.model or "", _cells(line)) for line in found.lines]
    rows += [("plan", share.terms.plan or "", [""] * 6 + [amount(share.price)]) for share in _subscribed(found)]
    rows.append(("total", "", [*_cells(found.used)[:-1], amount(found.total)]))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["tenant", "month", "kind", "name", *counts, "cost_usd", "markup_usd", "amount_usd"])
    for kind, name, cells in rows:
        out.writerow([harmless(found.tenant), found.month, kind, harmless(name), *cells])


def _cells(line: Line) -> list[str]:
    from farthing.reports.cells import amount

    counts = [str(count) for count in (line.requests, line.tokens_in, line.tokens_out, line.unpriced)]
    return counts + [amount(nano) for nano in (line.cost, line.markup, line.amount)]
