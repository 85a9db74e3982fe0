"""The page about scale shows what the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.scale.inputs import Inputs
from benchmarks.scale.page import PAGE, at_walls, events, publish, rates, said, waiting
from benchmarks.scale.plan import Asked, Kind, plan
from benchmarks.scale.queueing import LONGEST_MS, Load
from benchmarks.scale.walls import Wall
from farthing.app.gateway import INGEST_EVERY_S

TABLES = ("rates", "events", "waiting", "walls")


def cells(table: str, name: str) -> Sequence[str]:
    """What stands behind a name in a table."""
    [line] = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return line.strip("| ").split(" | ")[1:]


def load(utilisation: float, p99_ms: float) -> Load:
    """A worker that keeps the wish or not."""
    return Load(utilisation, 100.0, 0.5, p99_ms, 0.5, 10, 0.5)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.375, "0.4"), (3, "3"), (213.4, "213"), (5_349, "5,300"), (70_312, "70,000"), (4_650_000, "4.7 million")],
)
def test_numbers_are_said_with_the_figures_that_count(number: float, text: str) -> None:
    """Nobody needs the others."""
    assert said(number) == text


def test_a_rate_is_a_column(asked: Asked, inputs: Inputs) -> None:
    """Of the plan's own figures; less than a machine is said in cores, and the money adds up."""
    plans = [plan(rate, asked, inputs) for rate in (1e3, 1e7)]
    table = rates(plans, inputs)
    assert table.startswith("| requests per second | 1,000 | 10 million |\n| --- | --- | --- |\n")
    assert cells(table, "workers, one core each, one of 3 zones lost") == [said(each.workers) for each in plans]
    assert cells(table, "gateways of 32 cores")[0] == "12 cores in all"
    every_dollar = [f"**{said(sum(each.dollars.values()))}**" for each in plans]
    assert cells(table, "**dollars a month, all**") == every_dollar
    kinds = {"nothing streamed": Kind(100.0, 5_000.0, [1, 3_000])}
    assert cells(events(kinds, plans), "nothing streamed") == ["100", "5,000", "1 / 3,000"]


def test_who_waits_and_what_gives_way(inputs: Inputs) -> None:
    """A wait beyond what is told apart is said to be over it."""
    worlds = {"in a minute": [load(0.5, 1.1), load(0.7, 3_810.0), load(0.9, LONGEST_MS)]}
    assert cells(waiting(worlds, inputs), "in a minute") == ["1.1 ms", "3.8 s", "over 10 s", "50%"]
    wall = Wall(213.4, "one worker", "3 ms a request", "`--workers`")
    assert cells(at_walls([wall]), "213") == ["one worker: 3 ms a request", "`--workers`"]


def test_tables_take_their_places(tmp_path: Path) -> None:
    """All else stays; a page without a place for one is told."""
    page = tmp_path / "scale.md"
    page.write_text("before\n<!-- make scale: rates -->\nold\n<!-- /make scale -->\nafter\n", encoding="utf-8")
    publish({"rates": "| new |"}, page)
    said = page.read_text(encoding="utf-8")
    assert said == "before\n<!-- make scale: rates -->\n| new |\n<!-- /make scale -->\nafter\n"
    with pytest.raises(AssertionError, match="walls"):
        publish({"walls": "| new |"}, page)


def test_the_page_has_a_place_for_each_table() -> None:
    """With a table in it."""
    text = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        shown = text.partition(f"<!-- make scale: {name} -->\n")[2].partition("<!-- /make scale -->")[0]
        assert shown.startswith("| "), name


def test_the_plan_writes_as_often_as_the_gateway(inputs: Inputs) -> None:
    """Today's worker, and the one that keeps the goals."""
    assert inputs.worker.batch_ms == inputs.goals.batch_ms == round(1000 * INGEST_EVERY_S)
