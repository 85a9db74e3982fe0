"""How surely a question in other words is known is measured on recorded questions."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from benchmarks.routing import rephrasing
from benchmarks.routing.published import PUBLISHED
from farthing.domain import rephrasing as domain_rephrasing
from farthing.domain.rephrasing import ALIKE

QUESTIONS = ("Who wrote the novel about the white whale?", "Who wrote the famous novel about the white whale?", "Why?")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the command is called with."""
    monkeypatch.setattr(sys, "argv", ["rephrasing", str(tmp_path)])
    return tmp_path


def test_what_is_mistaken_and_what_is_known_is_shown(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By threshold, of questions that are long enough; the threshold in force stays what it is."""
    rows = [json.dumps({"prompt": prompt, "models": {"m": {"quality": 1}}}) for prompt in QUESTIONS]
    for name in PUBLISHED:
        (data / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    kept: dict[str, str] = {}
    monkeypatch.setattr(rephrasing, "store", kept.__setitem__)
    assert rephrasing.main() == 0
    said = capsys.readouterr().out
    assert kept["routing-rephrasing"] == said.strip()
    count = 2 * len(PUBLISHED)
    assert said.startswith(f"{count} questions of {len(PUBLISHED)} kinds, each beside up to 199 others")
    figures = {line.split()[0]: line.split()[-2:] for line in said.splitlines()[3:]}
    assert (figures["0.6"][0], figures["0.9"][0]) == ("100.00%", "0.00%")
    assert domain_rephrasing.ALIKE == ALIKE


def test_questions_that_are_not_there_are_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is measured."""
    assert rephrasing.main() == 1
    assert "No " in capsys.readouterr().out
    assert [*data.iterdir()] == []
