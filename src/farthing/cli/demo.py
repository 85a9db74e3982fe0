"""farthing demo: the gateway with simulated models."""

from __future__ import annotations

import typer

from farthing.cli.garbage import postpone
from farthing.cli.serve import Host, Port, Workers
from farthing.cli.terminal import AsJson, ConfigFile


def demo(
    context: typer.Context,
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the gateway with simulated models. They have a database of their own; nothing is called, nothing costs."""
    postpone()
    from farthing.cli.serving import Start, run

    run(Start(host=host, port=port, workers=workers, config=config, as_json=as_json, demo=True), started=context.obj)
