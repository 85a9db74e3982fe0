"""What embeddings add is measured as it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.routing import embeddings
from farthing.embeddings.fake import FakeModel
from tests.unit.insight.evaluation.outcomes import halves

ENCODE = msgspec.json.Encoder().encode


def test_figures_and_times_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line with and one without for each set, and one for each length of a prompt."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(embeddings, "lacking", list)
    monkeypatch.setattr(embeddings, "MiniLM", FakeModel)
    monkeypatch.setattr(embeddings, "PUBLISHED", {"halves": ()})
    monkeypatch.setattr(embeddings, "ROUNDS", 2)
    monkeypatch.setattr(embeddings, "path_of", lambda folder, name: folder / f"{name}.jsonl")
    monkeypatch.setattr(embeddings, "store", kept.__setitem__)
    (tmp_path / "halves.jsonl").write_bytes(b"\n".join(map(ENCODE, halves(40))))
    monkeypatch.setattr(sys, "argv", ["embeddings", str(tmp_path)])
    assert embeddings.main() == 0
    lines = kept["routing-embeddings"].splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("halves")] == [
        ["halves", "learning"],
        ["halves", "with"],
    ]
    assert [line.split()[0] for line in lines[-3:]] == ["15", "83", "220"]


def test_without_the_extra_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured."""
    monkeypatch.setattr(embeddings, "lacking", lambda: ["onnxruntime"])
    assert embeddings.main() == 1
    assert capsys.readouterr().out == "onnxruntime is not installed: run uv sync --extra embeddings.\n"
