"""farthing reconcile: the ledger against a provider's invoice. Reads the database, beside a running gateway."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.moments import Month
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table

if TYPE_CHECKING:
    from farthing.domain.reconciliation import Booked, Entry, Reconciliation
    from farthing.insight.reconciliation import Invoiced
    from farthing.settings import Settings

_MAX_BYTES = 64 * 1024 * 1024
_NUMBERS = ["ledger", "invoice", "difference", "%"]
_Naming = Callable[[str], str]


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="INVOICE.csv", help="The provider's cost export.")],
    *,
    provider: Annotated[str, typer.Option(help="The provider, as the configuration calls it.")],
    month: Month,
    tolerance: Annotated[float, typer.Option(help="The difference in percent up to which all is well.", min=0)] = 0.5,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare a provider's invoice with the ledger."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store
    from farthing.cli.moments import month_of
    from farthing.domain.reconciliation import reconcile as compare

    settings, start_us = settings_for(config), month_of(month).from_us or 0
    theirs, ours = _namings(settings, provider)
    invoiced = _read(file, month, theirs)
    booked = with_store(settings.lasting_database, lambda store: store.queries.charged(provider, start_us))
    if not booked and provider not in settings.providers:
        raise CommandError(f'no provider is called "{provider}", and no request of {month} went to one')
    found = compare([_renamed(line, ours) for line in booked], invoiced.charges)
    allowed = Decimal(str(tolerance))
    if as_json:
        print_json(_shown(found, invoiced.left_out, is_within=found.is_within(allowed)))
    else:
        _print(found, invoiced.left_out)
    if not found.is_within(allowed):
        raise CommandError(f"the ledger and the invoice are more than {allowed.normalize():f} % apart")


def _namings(settings: Settings, provider: str) -> tuple[_Naming, _Naming]:
    """How the price data calls the models of the invoice, and those of the ledger."""
    from farthing.app.catalogue import build_catalogue
    from farthing.cli.database import CLOCK
    from farthing.providers import load_vendors
    from farthing.providers.prices import known_as

    access = settings.providers.get(provider)
    vendor = load_vendors().get((access.vendor if access else provider) or "")
    prices = vendor.prices if vendor else None
    catalogue = build_catalogue(settings, CLOCK.now_us())

    @cache
    def theirs(name: str) -> str:
        return known_as(prices, name) if prices else name

    def ours(name: str) -> str:
        model = catalogue.find(name)
        return theirs(model.upstream if model is not None and model.provider == provider else name)

    return theirs, ours


def _renamed(line: Booked, naming: _Naming) -> Booked:
    from msgspec.structs import replace

    return replace(line, model=naming(line.model) if line.model else "")


def _read(file: Path, month: str, naming: _Naming) -> Invoiced:
    from farthing.insight.reconciliation import BadInvoice, read_invoice

    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read ({error.strerror})") from error
    if len(raw) > _MAX_BYTES:
        raise CommandError(f"{file} is larger than 64 MiB: export fewer columns, or one month")
    try:
        return read_invoice(raw.decode(), month, naming)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CommandError(f"{file}, line {line}: this is not UTF-8") from error
    except BadInvoice as error:
        raise CommandError(f"{file}, {error}") from error


def _print(found: Reconciliation, left_out: int) -> None:
    rows = [[entry.day, *_row(entry)] for entry in found.days]
    rows += [["all days", *_row(entry)] for entry in found.models]
    rows.append(["total", "", *_amounts(found.total)])
    print_table(["day", "model", *_NUMBERS], rows, numbers=_NUMBERS)
    notes = {
        "only on the invoice": ", ".join(name or "none" for name in found.only_invoiced),
        "only in the ledger": ", ".join(name or "none" for name in found.only_booked),
        "requests whose cost is not known (farthing reprice)": f"{found.total.unpriced:,}"
        if found.total.unpriced
        else "",
        "lines for other months, left out": f"{left_out:,}" if left_out else "",
    }
    for note, said in notes.items():
        if said:
            print(f"{note}: {said}")


def _row(entry: Entry) -> list[str]:
    return [entry.model or "none", *_amounts(entry)]


def _amounts(entry: Entry) -> list[str]:
    from farthing.domain.budget import dollars

    share = "" if entry.percent is None else f"{entry.percent:+.2f}"
    return [dollars(entry.ledger), dollars(entry.invoice), dollars(entry.difference), share]


def _shown(found: Reconciliation, left_out: int, *, is_within: bool) -> dict[str, Any]:
    return {
        "is_within_tolerance": is_within,
        "total": _figures(found.total),
        "models": [{"model": entry.model or None, **_figures(entry)} for entry in found.models],
        "days": [{"day": entry.day, "model": entry.model or None, **_figures(entry)} for entry in found.days],
        "only_on_invoice": [name or None for name in found.only_invoiced],
        "only_in_ledger": [name or None for name in found.only_booked],
        "lines_left_out": left_out,
    }


def _figures(entry: Entry) -> dict[str, Any]:
    from farthing.domain.pricing import NANO

    return {
        "ledger": entry.ledger / NANO,
        "invoice": entry.invoice / NANO,
        "difference": entry.difference / NANO,
        "percent": entry.percent,
        "requests": entry.requests,
        "unpriced_requests": entry.unpriced,
        "tokens": entry.tokens,
        "invoiced_tokens": entry.invoiced_tokens,
    }
