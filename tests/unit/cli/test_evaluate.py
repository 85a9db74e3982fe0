"""farthing eval: routers scored on a file, without a gateway."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from farthing.insight.learning.labels import Labelled, Outcome
from tests.servers.command import Farthing

ENCODE = msgspec.json.Encoder().encode


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Thirty prompts, half of which need the dear model."""
    path = tmp_path / "mine.jsonl"
    outcomes = [{"a": Outcome(number % 2), "b": Outcome(1.0)} for number in range(30)]
    lines = [
        ENCODE(Labelled(prompt=f"Question {number}?", outcomes=known, id=f"{number:08x}"))
        for number, known in enumerate(outcomes)
    ]
    path.write_bytes(b"\n".join(lines))
    return path


def test_routers_are_scored_as_json_where_nobody_watches(farthing: Farthing, rows: Path) -> None:
    """With prices for models that nobody lists, and the quality at a budget of one's own."""
    said = farthing("eval", "routing", str(rows), "--price", "a=1", "--price", "b=10", "--at", "0.002")
    assert (said.status, said.err) == (0, "")
    found = json.loads(said.out)
    assert (found["dataset"], found["rows"], found["folds"], found["best_single"]) == ("mine", 30, 5, "b")
    assert found["routers"]["zero"]["cost@95"]["value"] == 91.0
    assert list(found["routers"]["zero"]["reward_at"]) == ["0.002"]
    assert found["result"]["router"] == "learning"
    assert list(found["routers"]) == ["zero", "length", "label", "complexity", "learning", "oracle"]


def test_a_cold_router_learns_from_other_tasks(farthing: Farthing, rows: Path) -> None:
    """It stands beside the others, and has not seen a prompt that is scored."""
    other = rows.with_name("other.jsonl")
    other.write_bytes(rows.read_bytes().replace(b"Question", b"Riddle"))
    prices = ("--price", "a=1", "--price", "b=10")
    said = farthing("eval", "routing", str(rows), "--cold", str(other), *prices)
    assert (said.status, said.err) == (0, "")
    assert list(json.loads(said.out)["routers"])[-3:] == ["learning", "cold", "oracle"]
    said = farthing("eval", "routing", str(rows), "--cold", str(rows), *prices)
    assert said.err.startswith("farthing: 0 rows of other tasks are too few for the cold router: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "what a costs is not known: record cost_usd with each outcome, or give --price a=USD_PER_MTOK"),
        (["--price", "a"], '"a" is no price: expected MODEL=USD_PER_MTOK, such as gpt-4o=6.25'),
        (["--price", "a=-1"], '"a=-1" is no price: expected MODEL=USD_PER_MTOK, such as gpt-4o=6.25'),
        (["--at", "0"], "0 is no budget: expected US dollars per request, such as 0.0005"),
        (["--train", "missing.jsonl"], "missing.jsonl cannot be read: No such file or directory"),
    ],
)
def test_a_mistake_ends_it_in_one_line(farthing: Farthing, rows: Path, options: list[str], said: str) -> None:
    """Which says what is wrong, and what to do."""
    found = farthing("eval", "routing", str(rows), *options)
    assert (found.status, found.out, found.err) == (1, "", f"farthing: {said}\n")
