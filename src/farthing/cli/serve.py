"""farthing serve: the gateway."""

from __future__ import annotations

from typing import Annotated

import typer

from farthing.cli.garbage import postpone
from farthing.cli.terminal import AsJson, ConfigFile

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="0 takes any free port.", show_default="8000")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Processes sharing the port.", show_default="1")]


def serve(
    context: typer.Context,
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the gateway. SIGTERM ends it when running requests are done, SIGHUP re-reads the configuration."""
    postpone()
    from farthing.cli.serving import Start, run

    run(Start(host=host, port=port, workers=workers, config=config, as_json=as_json), started=context.obj)
