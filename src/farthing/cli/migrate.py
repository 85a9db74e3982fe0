"""farthing migrate: the database's schema."""

from __future__ import annotations

from typing import Annotated

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, waiting


def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the schema is up to date.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database's schema up to date. With --check, exit 1 where it is not."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import bring_up_to_date, is_up_to_date
    from farthing.settings import without_password

    database = settings_for(config).lasting_database
    with waiting("looking at the schema" if check else "bringing the schema up to date"):
        changed = False if check else bring_up_to_date(database)
        current = is_up_to_date(database) if check else True
    shown = without_password(database.url.get_secret_value())
    if as_json:
        print_json({"database": shown, "is_current": current, "changed": changed})
        if not current:
            raise typer.Exit(1)
    elif not current:
        raise CommandError(f"the schema of {shown} is behind: run `farthing migrate`")
    else:
        print(f"{shown}: {'brought up to date' if changed else 'up to date'}")
