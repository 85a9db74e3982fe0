"""farthing doctor: what is wrong, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer

from farthing.cli.spend import From, To
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, advancing, print_json


def doctor(
    *,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Also compare every sum of the ledger with its rows, by day.")
    ] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Make sums that are not those of the rows what the rows say.")
    ] = False,
    first: From = None,
    last: To = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check what may be wrong, and say how to mend it. Exit 1 if something is broken.

    Looks at configuration, keys, database, Redis, clock, price data and port. No provider is called: whether a key is
    accepted shows with the first request. --from and --to say which days of the ledger to look at.
    """
    import asyncio

    from farthing.cli.checks import Finding, examine, of_mistakes
    from farthing.cli.moments import stretch_between
    from farthing.settings import SettingsError, load

    if (first or last or mend) and not ledger:
        raise CommandError("--from, --to and --mend belong to --ledger")
    stretch = stretch_between(first, last)
    try:
        settings = load(config)
    except SettingsError as error:
        findings: list[Finding] = of_mistakes(error)
    else:
        findings = asyncio.run(examine(settings))
        if ledger:
            from farthing.cli.ledger_check import examine_ledger

            with advancing("comparing the ledger") as advance:
                findings += asyncio.run(examine_ledger(settings, stretch, mend=mend, advance=advance))
    is_well = all(finding.health != "broken" for finding in findings)
    if as_json:
        print_json({"status": "ok" if is_well else "broken", "checks": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.health:<8} {finding.check}: {finding.detail}")
            if finding.mend:
                print(f"{'':<8} → {finding.mend}")
    if not is_well:
        raise typer.Exit(1)
