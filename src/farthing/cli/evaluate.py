"""farthing eval: how good routers are, on recorded outcomes. Needs no gateway, and calls no model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from farthing.cli.terminal import AsJson, CommandError, advancing, print_json, print_table

EVALUATIONS = typer.Typer(help="Score routers on recorded outcomes.", no_args_is_help=True)

Train = Annotated[
    list[Path] | None,
    typer.Option(help="Recorded outcomes to learn from, instead of the file's own parts.", show_default=False),
]
Cold = Annotated[
    list[Path] | None,
    typer.Option(
        help="Recorded outcomes of other tasks, for a router without any label of this one.", show_default=False
    ),
]
Prices = Annotated[
    list[str] | None,
    typer.Option("--price", help="MODEL=USD_PER_MTOK, for outcomes without a cost.", show_default="list prices"),
]
Budgets = Annotated[
    list[float] | None,
    typer.Option("--at", help="US dollars per request to tell the quality at.", show_default="0.000235, 0.00065"),
]


@EVALUATIONS.callback()
def _evaluations() -> None:
    """Makes `routing` a command of its own name."""


@EVALUATIONS.command()
def routing(
    file: Annotated[Path, typer.Argument(help="Recorded outcomes, JSON lines, gzipped or not.", show_default=False)],
    *,
    train: Train = None,
    cold: Cold = None,
    price: Prices = None,
    at: Budgets = None,
    as_json: AsJson = False,
) -> None:
    """Score routers on prompts that they have not seen."""
    with _said():
        from farthing.insight.evaluation.costs import priced
        from farthing.insight.evaluation.evaluating import Question, evaluate
        from farthing.insight.evaluation.figures import PUBLISHED_BUDGETS
        from farthing.insight.evaluation.learners import CASCADES, LEARNERS
        from farthing.insight.evaluation.learners import cold as prior_alone
        from farthing.insight.evaluation.report import as_json as shown
        from farthing.insight.evaluation.report import summary, tables
        from farthing.insight.learning.labels import read_labels

        named, budgets = dict(_prices(price or ())), _budgets(at) or PUBLISHED_BUDGETS
        rows, learners = read_labels(file), dict(LEARNERS)
        if cold:
            elsewhere = [row for other in cold for row in read_labels(other)]
            learners["cold"] = prior_alone(priced(elsewhere, named), rows)
        question = Question(
            rows=rows,
            train=[row for other in train or () for row in read_labels(other)],
            learners=learners,
            cascades=CASCADES,
            prices=named,
            budgets=budgets,
        )
        with advancing(f"scoring {len(learners)} routers on {len(rows):,} outcomes") as advance:
            found = evaluate(question, advance)
    if as_json or not sys.stdout.isatty():
        print_json(shown(found, _name(file)))
        return
    for line in summary(found):
        print(line)
    for columns, cells in tables(found):
        print_table(columns, cells, numbers=columns[1:])


@contextmanager
def _said() -> Iterator[None]:
    """What is wrong with the files ends the command in one line."""
    from farthing.insight.learning.labels import BadLabels

    try:
        yield
    except BadLabels as error:
        raise CommandError(str(error)) from error


def _prices(texts: Sequence[str]) -> Iterator[tuple[str, float]]:
    for text in texts:
        model, _, amount = text.rpartition("=")
        try:
            price = float(amount)
        except ValueError:
            price = -1.0
        if not model or not 0 <= price < float("inf"):
            raise CommandError(f'"{text}" is no price: expected MODEL=USD_PER_MTOK, such as gpt-4o=6.25')
        yield model, price


def _budgets(amounts: Sequence[float] | None) -> Sequence[float]:
    for amount in amounts or ():
        if not 0 < amount < float("inf"):
            raise CommandError(f"{amount:g} is no budget: expected US dollars per request, such as 0.0005")
    return amounts or ()


def _name(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl")
