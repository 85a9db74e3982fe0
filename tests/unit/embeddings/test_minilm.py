"""The model on this machine says what its weights say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from farthing.embeddings import minilm
from farthing.embeddings.minilm import TOKENS, MiniLM
from farthing.embeddings.pieces import Pieces
from tests.unit.embeddings.models import tiny, worked_out


def test_it_says_what_plain_arithmetic_does(tmp_path: Path) -> None:
    """But for what 8 bits lose; texts of any length, each of length 1."""
    weights = tiny(tmp_path)
    texts = ["red", "", "unred blues!", "blue " * 60]
    found = MiniLM(tmp_path)(texts)
    pieces = Pieces(tmp_path / "vocab.txt")
    exact = np.array([worked_out(weights, pieces.of(text, TOKENS)) for text in texts])
    assert found.dtype == np.float32
    assert (found * exact).sum(axis=1) == pytest.approx(np.ones(4), abs=0.01)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(4))


def test_a_text_is_told_as_when_it_is_alone(tmp_path: Path) -> None:
    """What is decided of a prompt must not hang on others that came at the same time."""
    tiny(tmp_path)
    model = MiniLM(tmp_path)
    assert model(["red blue", "blue " * 40])[0].tolist() == model(["red blue"])[0].tolist()


def test_of_a_long_text_the_first_tokens_are_read(tmp_path: Path) -> None:
    """128 with the marks of begin and end."""
    tiny(tmp_path)
    model = MiniLM(tmp_path)
    long, longer, other = model(["red " * 126, "red " * 126 + "blue " * 500, "red " * 125 + "blue"])
    assert long.tolist() == longer.tolist() != other.tolist()


def test_the_weights_are_looked_for_in_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder `model` of what the extra installs."""
    package = tmp_path / "some_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    tiny(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "PACKAGE", "some_weights")
    assert MiniLM()(["red"]).shape == (1, 64)
