"""farthing report: what a month came to. Reads the database, beside a running gateway."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.moments import Month
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, advancing

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from farthing.ports.reports import Order
    from farthing.store import Store


def report(
    *,
    month: Month,
    as_format: Annotated[str, typer.Option("--format", help="csv, json, summary, pdf or focus.")] = "json",
    tenant: Annotated[str | None, typer.Option(help="Whose report.", show_default="everybody's")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="standard output")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a month."""
    from farthing.app.catalogue import known_prices
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.cli.moments import month_of
    from farthing.ports.reports import Order

    if as_json:
        as_format = "json"
    _check(as_format)
    settings = settings_for(config)
    order = Order(
        month=month,
        stretch=month_of(month),
        tenant=tenant,
        format=as_format,
        is_demo=settings.demo,
        now_us=CLOCK.now_us(),
        prices=known_prices(settings, CLOCK.now_us()),
    )
    if output is None:
        with_store(settings.lasting_database, lambda store: _print(store, order, sys.stdout.buffer))
        return
    # Whoever finds the file finds it whole.
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file, advancing(f"writing the report of {month}") as advance:
            with_store(settings.lasting_database, lambda store: _print(store, order, file, advance))
        part.replace(output)
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _check(name: str) -> None:
    """Raises `CommandError` for what is no format, or lacks what it needs."""
    from farthing.app.reporting import check_installed
    from farthing.domain.errors import NotInstalled
    from farthing.reports import FORMATS

    if name not in FORMATS:
        raise CommandError(f'there is no format "{name}": expected one of {", ".join(FORMATS)}')
    try:
        check_installed(name)
    except NotInstalled as error:
        raise CommandError(error.message) from error


async def _print(store: Store, order: Order, file: BinaryIO, advance: Callable[[float], None] = lambda _: None) -> None:
    from farthing.app.reporting import written

    async for piece in written(store, order, advance):
        file.write(piece)
