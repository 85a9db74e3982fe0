"""farthing doctor: what is wrong, and how to mend it."""

from __future__ import annotations

import typer

from farthing.cli.terminal import AsJson, ConfigFile, print_json


def doctor(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check what may be wrong, and say how to mend it. Exit 1 if something is broken.

    Looks at configuration, keys, database, Redis, clock, price data and port. No provider is called: whether a key is
    accepted shows with the first request.
    """
    import asyncio

    from farthing.cli.checks import Finding, examine, of_mistakes
    from farthing.settings import SettingsError, load

    try:
        settings = load(config)
    except SettingsError as error:
        findings: list[Finding] = of_mistakes(error)
    else:
        findings = asyncio.run(examine(settings))
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
