"""Every row of the fault matrix is described, and what it has seen is written down."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import ROOT

ROWS = [f"F{number:02}" for number in range(1, 32)]


@pytest.mark.parametrize(
    ("page", "line"),
    [("docs/faults.md", r"^\| {}[ ,][^|]*\|"), ("benchmarks/results/faults.txt", r"^{}  ?\S")],
)
def test_every_row_has_its_line(page: str, line: str) -> None:
    """F01 to F31, in the docs and in the file of results."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [row for row in ROWS if not re.search(line.format(row), text, re.MULTILINE)] == []
