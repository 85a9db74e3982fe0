"""`make eval-routing` on a small set of our own under a published name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from benchmarks.routing.__main__ import main
from benchmarks.routing.published import GOALS, LABELS, NOTES, PUBLISHED
from benchmarks.routing.scoring import fewer, reached, scored, shown
from benchmarks.routing.sets import path_of
from farthing.insight.evaluation.routers import BASELINES, Fitted
from farthing.insight.learning.labels import Labelled
from tests.unit.insight.evaluation.outcomes import halves

ENCODE = msgspec.json.Encoder().encode


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that holds one set only."""
    path_of(tmp_path, "pareto4").write_bytes(b"\n".join(ENCODE(row) for row in halves(40)))
    return tmp_path


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file of prompts of another task."""
    path = tmp_path / "other.jsonl"
    path.write_bytes(b"\n".join(ENCODE(replace(row, dataset="else", prompt=f"{row.prompt}!")) for row in halves(40)))
    return path


def test_tables_hold_ours_and_the_published_rows(data: Path, other: Path) -> None:
    """These stand below, under the columns that were published; a set is headed by how it was scored."""
    text = shown(scored("pareto4", path_of(data, "pareto4"), [other]))
    assert text.startswith("== pareto4\n40 prompts, 2 models, cross-fitted in 5 parts\n")
    lines = [line.split() for line in text.splitlines() if line]
    assert ["published:"] in lines
    assert ["ParetoBandit", "0.859", "0.898"] in lines
    assert [line[0] for line in lines].count("learning") == 3
    assert [line[:4] for line in lines].count(["learning,", "9", "of", "10"]) == 3
    assert [line[0] for line in lines].count("cold") == 3


def test_goals_are_reached_or_missed(data: Path, other: Path) -> None:
    """A set has its own goals; a figure that there is not is missed."""
    reward, decision = reached(scored("pareto4", path_of(data, "pareto4"), [other]))
    assert reward == ("pareto4, learning, 9 of 10: at $0.000235", "≥ 0.895", "never", "MISSED")
    assert decision[:2] == ("pareto4, learning: µs", "≤ 1000")
    assert decision[3] == ("" if float(decision[2]) <= 1000 else "MISSED")


def test_fewer_rows_are_drawn_by_their_ids() -> None:
    """The same ones each time, whatever their order."""
    seen: list[set[str]] = []

    def fit(rows: Sequence[Labelled], models: Sequence[str]) -> Fitted:
        seen.append({row.id for row in rows})
        return BASELINES["label"](rows, models)

    rows = halves(40)
    fewer(fit, 10)(rows, ("a", "b"))
    fewer(fit, 10)(rows[::-1], ("a", "b"))
    assert len(seen[0]) == 10
    assert seen[0] == seen[1]


def test_what_is_listed_belongs_to_a_published_set() -> None:
    """Goals, numbers of labels and notes name no other."""
    assert {goal.dataset for goal in GOALS} | set(LABELS) | set(NOTES) <= set(PUBLISHED)


def test_without_the_data_it_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which set is lacking; an error only where nobody reads it."""
    monkeypatch.setattr("sys.argv", ["routing", str(data)])
    monkeypatch.delenv("CI", raising=False)
    assert main() == 0
    assert "No mmlu_gpt4_mixtral.jsonl.gz in " in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert main() == 1
