"""Texts are cut into pieces as the model has learned them."""

from __future__ import annotations

from pathlib import Path

import pytest

from farthing.embeddings.pieces import Pieces
from tests.unit.embeddings.models import PIECES


@pytest.fixture
def pieces(tmp_path: Path) -> Pieces:
    """Of a small table."""
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES), encoding="utf-8")
    return Pieces(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red  BLUE\n", "red blue"),
        ("unreds", "un ##red ##s"),
        ("rédblue", "[UNK]"),
        ("réd", "red"),
        ("red!$5", "red ! $ 5"),
        ("北red北", "北 red 北"),
        ("r\x00e\u200bd \ufffd", "red"),
        ("red\u00a0blue", "red blue"),
        ("red☃", "[UNK]"),
        ("r" * 101, "[UNK]"),
        ("", ""),
    ],
)
def test_words_are_cut_into_the_longest_pieces(pieces: Pieces, text: str, expected: str) -> None:
    """Without case and accents; signs and ideographs are words of their own, one that has no piece is unknown."""
    assert [PIECES[number] for number in pieces.of(text, 128)] == ["[CLS]", *expected.split(), "[SEP]"]


def test_no_more_pieces_than_asked_for(pieces: Pieces) -> None:
    """The mark of the end included, also where a word would go beyond."""
    assert [PIECES[number] for number in pieces.of("blue unreds red", 5)] == ["[CLS]", "blue", "un", "##red", "[SEP]"]
    assert len(pieces.of("red " * 100, 5)) == 5
