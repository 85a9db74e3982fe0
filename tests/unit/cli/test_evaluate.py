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
