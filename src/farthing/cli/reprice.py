"""farthing reprice: costs for rows whose price was not known. Works on the database, beside a running gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.spend import From, To
from farthing.cli.terminal import AsJson, ConfigFile, advancing, print_json, print_table, usd

if TYPE_CHECKING:
    from farthing.store.repricing import Priced


def reprice(
    *,
    first: From = None,
    last: To = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Price what was unpriced, each at its own day's prices."""
    from farthing.app.repricing import reprice as price_rows
    from farthing.app.repricing import told
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store
    from farthing.cli.moments import stretch_between

    settings, stretch = settings_for(config), stretch_between(first, last)
    with advancing("looking for requests without a price") as advance:
        done = with_store(
            settings.lasting_database,
            lambda store: price_rows(store, settings, stretch, dry_run=dry_run, advance=advance),
        )
    if as_json:
        print_json(told(done, is_dry=dry_run))
        return
    if not done.models:
        print("every request has a price")
        return
    columns = ["provider", "model", "would be priced" if dry_run else "priced", "cost", "still unpriced"]
    rows = [
        [provider or "none", name or "none", *_figures(model)]
        for (provider, name), model in sorted(done.models.items())
    ]
    print_table(columns, [*rows, ["total", "", *_figures(done.total)]], numbers=columns[2:])


def _figures(model: Priced) -> list[str]:
    from farthing.domain.pricing import NANO

    return [f"{model.rows:,}", usd(model.cost / NANO), f"{model.still_unpriced:,}"]
