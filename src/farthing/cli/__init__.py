"""The farthing program: one file per command, which imports what is heavy only when it runs."""

from __future__ import annotations

import sys
from time import monotonic

import typer

from farthing.cli.budgets import BUDGETS
from farthing.cli.credentials import CREDENTIALS
from farthing.cli.demo import demo
from farthing.cli.doctor import doctor
from farthing.cli.evaluate import EVALUATIONS
from farthing.cli.experiments import EXPERIMENTS
from farthing.cli.invoice import invoice
from farthing.cli.keys import KEYS
from farthing.cli.learning import LEARNING
from farthing.cli.migrate import migrate
from farthing.cli.reconcile import reconcile
from farthing.cli.replay import Replay
from farthing.cli.report import report
from farthing.cli.reprice import reprice
from farthing.cli.savings import savings
from farthing.cli.serve import serve
from farthing.cli.spend import spend
from farthing.cli.tenants import TENANTS
from farthing.cli.terminal import CommandError, complain
from farthing.cli.top import top
from farthing.cli.why import why

PROGRAM = typer.Typer(
    name="farthing",
    help="The AI cost optimizer: a gateway that buys each answer at the lowest price that keeps its quality.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (serve, demo, migrate, doctor, spend, savings, top, why, reprice, reconcile, invoice, report):
    PROGRAM.command()(_command)
PROGRAM.command("replay", help="Show what another policy would have cost.")(Replay)
PROGRAM.add_typer(KEYS, name="keys")
PROGRAM.add_typer(TENANTS, name="tenants")
PROGRAM.add_typer(BUDGETS, name="budgets")
PROGRAM.add_typer(CREDENTIALS, name="credentials")
PROGRAM.add_typer(EXPERIMENTS, name="experiments")
PROGRAM.add_typer(LEARNING, name="learning")
PROGRAM.add_typer(EVALUATIONS, name="eval")


@PROGRAM.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(version_of("farthing"))
        raise typer.Exit


def main() -> None:
    """Runs the command that the arguments name; an error is one line on standard error and a non-zero status."""
    started = monotonic()
    try:
        status = PROGRAM(standalone_mode=False, prog_name="farthing", obj=started)
    except typer.Abort:
        status = 130
    except typer.TyperException as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        if "\n" in said:  # the help of a group that was called without a command
            print(said, file=sys.stderr)
        else:
            complain(f"{said.rstrip('.')} (farthing --help)")
        status = getattr(error, "exit_code", 2)
    except CommandError as error:
        complain(str(error))
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
